//! Objectives of a model and a loss of its output.

use super::loss::{Loss, LossFormula};
use super::{Buffers, Objective, Recording};
use burlap_autodiff::{Backend, DType, Var};

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
        let loss = LossFormula::model_and_loss(model, loss);
        Objective::build(Box::new(backend), dtype, dim, Buffers::default(), loss)
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
        let (output, loss) = self.loss.output_and_loss(p, self.batch)?;
        Some((output, self.checked(loss, self.buffers.to_vec()).0.value()))
    }
}
