//! Objectives of a model and a loss of its output.

use super::loss::{Loss, LossFormula};
use super::{Buffers, Objective, Recording};
use burlap_autodiff::{Array, Backend, DType, Var};

impl Objective {
    /// An objective L(x; batch) = ℓ(f(x; batch); batch) of a model f, whose outputs may have any
    /// shape, and a loss ℓ of them. It is an objective like others, and has a generalised
    /// Gauss-Newton matrix besides ([`GgnOperator`](crate::curvature::GgnOperator)).
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let model = |w: Var, batch: &[Var]| batch[0].matmul(w);
    /// let loss = |outputs: Var, batch: &[Var]| (outputs - batch[1]).square().mean();
    /// let objective = Objective::model_and_loss(Cpu::new(), DType::F64, 2, model, loss);
    /// let xs = Array::from_vec([2, 2], vec![1.0, 0.0, 0.0, 2.0])?;
    /// let batch = [xs, Array::vector([1.0, 1.0])];
    /// let (value, gradient) = objective.value_grad(&Array::vector([2.0, 3.0]), &batch)?;
    /// assert_eq!((value, gradient.to_string()), (13.0, "[1, 10]".into()));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[track_caller]
    pub fn model_and_loss<L: Into<Loss> + 'static>(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        model: impl Fn(Var, &[Var]) -> Var + Send + 'static,
        loss: impl Fn(Var, &[Var]) -> L + Send + 'static,
    ) -> Objective {
        let model = move |p: Var, batch: &[Var], _: &[Var]| (model(p, batch), Vec::new());
        let loss = LossFormula::model_and_loss(model, loss);
        Objective::build(Box::new(backend), dtype, dim, Buffers::default(), loss)
    }

    /// The same of a model that reads and writes [buffers](Objective::with_buffers), named arrays
    /// with their first values: it gets their values and returns its output with the new ones.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// // A running mean is subtracted, and then updated.
    /// let model = |w: Var, batch: &[Var], buffers: &[Var]| {
    ///     let new = 0.5 * buffers[0] + 0.5 * batch[0].mean();
    ///     (w.at(0) * (batch[0] - buffers[0]), vec![new])
    /// };
    /// let loss = |output: Var, _: &[Var]| output.square().mean();
    /// let first = vec![("mean".to_string(), Array::scalar(1.0))];
    /// let objective =
    ///     Objective::model_and_loss_with_buffers(Cpu::new(), DType::F64, 1, first, model, loss);
    /// let (x, batch) = (Array::vector([2.0]), [Array::vector([2.0, 4.0])]);
    /// let (loss, _, new) = objective.value_grad_buffers(&x, &batch)?;
    /// assert_eq!((loss, new[0].item()?), (20.0, 2.0));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[track_caller]
    pub fn model_and_loss_with_buffers<L: Into<Loss> + 'static>(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        buffers: Vec<(String, Array)>,
        model: impl Fn(Var, &[Var], &[Var]) -> (Var, Vec<Var>) + Send + 'static,
        loss: impl Fn(Var, &[Var]) -> L + Send + 'static,
    ) -> Objective {
        let loss = LossFormula::model_and_loss(model, loss);
        Objective::build(Box::new(backend), dtype, dim, Buffers::new(buffers), loss)
    }

    /// Whether the objective consists of a [model and a loss](Objective::model_and_loss).
    pub fn has_model(&self) -> bool {
        self.loss.has_model()
    }
}

impl Recording<'_> {
    /// The model's output at parameters `p` and the loss of this output, where the objective
    /// is of a [model and a loss](Objective::model_and_loss).
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let model = |x: Var, _: &[Var]| x.square();
    /// let loss = |outputs: Var, _: &[Var]| outputs.sum();
    /// let objective = Objective::model_and_loss(Cpu::new(), DType::F64, 2, model, loss);
    /// let outputs = objective.program("outputs", &[], |r| match r.output_and_loss(r.x) {
    ///     Some((output, loss)) => vec![output, loss],
    ///     None => Vec::new(),
    /// })?;
    /// let found = outputs.run(&[&Array::vector([2.0, 3.0])])?;
    /// assert_eq!(format!("{} {}", found[0], found[1]), "[4, 9] 13");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    pub fn output_and_loss(&self, p: Var) -> Option<(Var, Var)> {
        let (output, loss, new) = self.loss.output_and_loss(p, self.batch, self.buffers)?;
        Some((output, self.checked(loss, new).0.value()))
    }
}
