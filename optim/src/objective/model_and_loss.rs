//! Objectives in two parts: a model, and a loss of its outputs.

use crate::objective::Objective;
use crate::objective::loss::{Loss, may_be_ratio};
use crate::objective::recording::Recording;
use burlap_autodiff::{Backend, DType, Var};
use std::rc::Rc;

type Model = dyn Fn(Var, &[Var]) -> Var;
type LossOfOutputs = dyn Fn(Var, &[Var]) -> Loss;

/// Outputs of parameters and batch, and a loss of outputs and batch.
pub(crate) struct Parts {
    model: Box<Model>,
    loss: Box<LossOfOutputs>,
}

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
    /// let objective = Objective::composed(Cpu::new(), DType::F64, 2, model, loss);
    /// let xs = Array::from_vec([2, 2], vec![1.0, 0.0, 0.0, 2.0])?;
    /// let batch = [xs, Array::vector([1.0, 1.0])];
    /// let (value, gradient) = objective.value_grad(&Array::vector([2.0, 3.0]), &batch)?;
    /// assert_eq!((value, gradient.to_string()), (13.0, "[1, 10]".into()));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[track_caller]
    pub fn composed<L: Into<Loss> + 'static>(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        model: impl Fn(Var, &[Var]) -> Var + 'static,
        loss: impl Fn(Var, &[Var]) -> L + 'static,
    ) -> Objective {
        let loss = move |outputs: Var, batch: &[Var]| loss(outputs, batch).into();
        let parts = Rc::new(Parts { model: Box::new(model), loss: Box::new(loss) });
        let pieces = Rc::clone(&parts);
        let whole = move |p: Var, batch: &[Var]| (pieces.loss)((pieces.model)(p, batch), batch);
        let mut objective = Objective::new(backend, dtype, dim, whole);
        objective.may_be_ratio = may_be_ratio::<L>();
        objective.parts = Some(parts);
        objective
    }

    /// Whether the objective is composed of a model and a loss of its outputs.
    pub fn is_composed(&self) -> bool {
        self.parts.is_some()
    }
}

impl Recording<'_> {
    /// The model's outputs at parameters `p` and the loss of these outputs, where the objective
    /// is [`composed`](Objective::composed) of the two.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let model = |x: Var, _: &[Var]| x.square();
    /// let loss = |outputs: Var, _: &[Var]| outputs.sum();
    /// let objective = Objective::composed(Cpu::new(), DType::F64, 2, model, loss);
    /// let outputs = objective.program("outputs", &[], |r| match r.parts(r.x) {
    ///     Some((outputs, loss)) => vec![outputs, loss],
    ///     None => Vec::new(),
    /// })?;
    /// let found = outputs.run(&[&Array::vector([2.0, 3.0])])?;
    /// assert_eq!(format!("{} {}", found[0], found[1]), "[4, 9] 13");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    pub fn parts(&self, p: Var) -> Option<(Var, Var)> {
        let parts = self.parts?;
        let outputs = (parts.model)(p, self.batch);
        let loss = (parts.loss)(outputs, self.batch);
        Some((outputs, self.checked(loss, self.buffers.to_vec()).0.value()))
    }
}
