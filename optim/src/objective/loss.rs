//! The loss as a formula.

use burlap_autodiff::Var;
use std::any::TypeId;

/// The form of a loss: how it depends on the examples of a batch, and so how the losses of parts of
/// a batch add up. A [`Var`] is a mean.
///
/// A mean over tokens, or over weighted or unignored examples, is no mean over examples: of parts
/// with other numbers of tokens the means do not average. As a ratio it is exact however a batch
/// is cut ([micro-batches](crate::Objective::with_micro_batch_size), [m-sharpness](crate::Sam::with_m_sharpness),
/// [batches of a curvature](crate::curvature::CurvatureOperator)), also where a part counts for
/// nothing:
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Loss, Objective};
/// // Σ mᵢ (x − aᵢ)² / Σ mᵢ
/// let loss = |x: Var, batch: &[Var]| {
///     let (a, mask) = (batch[0], batch[1]);
///     Loss::ratio((mask * (x.at(0) - a).square()).sum(), mask.sum())
/// };
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_micro_batch_size(2)?;
/// let batch = [Array::vector([1.0, 2.0, 7.0, 8.0, 3.0]), Array::vector([1.0, 1.0, 0.0, 0.0, 1.0])];
/// let (value, gradient) = objective.value_grad(&Array::vector([0.0]), &batch)?;
/// assert!((value - 14.0 / 3.0).abs() < 1e-15 && gradient.to_string() == "[-4]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// A mean over examples: parts count by their numbers of examples. What does not depend
    /// on examples, such as a weight decay, may be added.
    Mean(Var),
    /// A sum over examples divided by another: numerators and denominators of parts add up, so
    /// that a part counts by its denominator. The denominator may depend on parameters only
    /// where no batch is cut.
    Ratio {
        /// Σ of what is averaged, a scalar.
        numerator: Var,
        /// Σ of the weights, a scalar.
        denominator: Var,
    },
}

impl Loss {
    /// `numerator`/`denominator`, both sums over the examples.
    pub fn ratio(numerator: Var, denominator: Var) -> Loss {
        Loss::Ratio { numerator, denominator }
    }

    /// The loss as a number.
    pub(crate) fn value(self) -> Var {
        match self {
            Loss::Mean(mean) => mean,
            Loss::Ratio { numerator, denominator } => numerator / denominator,
        }
    }

    /// The variables that must be scalars of the parameters' type, with their names.
    pub(crate) fn scalars(self) -> impl Iterator<Item = (&'static str, Var)> {
        let (first, second) = match self {
            Loss::Mean(mean) => (("loss", mean), None),
            Loss::Ratio { numerator, denominator } => {
                (("loss's numerator", numerator), Some(("loss's denominator", denominator)))
            }
        };
        std::iter::once(first).chain(second)
    }
}

/// Parameters, batch and buffers to the loss and the buffers' new values.
type Whole = dyn Fn(Var, &[Var], &[Var]) -> (Loss, Vec<Var>) + Send;
/// Parameters, batch and buffers to the output and the buffers' new values.
type Model = dyn Fn(Var, &[Var], &[Var]) -> (Var, Vec<Var>) + Send;
type LossOfOutput = dyn Fn(Var, &[Var]) -> Loss + Send;

enum Form {
    Whole(Box<Whole>),
    /// A model, and a loss of its output.
    ModelAndLoss(Box<Model>, Box<LossOfOutput>),
}

/// The formula of a loss.
pub(crate) struct LossFormula {
    form: Form,
    /// Whether the loss may be a ratio, as its closure's type tells before it is called.
    pub(super) may_be_ratio: bool,
}

impl LossFormula {
    fn new<L: 'static>(form: Form) -> LossFormula {
        LossFormula { form, may_be_ratio: TypeId::of::<L>() != TypeId::of::<Var>() }
    }

    pub(super) fn of_batch<L: Into<Loss> + 'static>(
        loss: impl Fn(Var, &[Var]) -> L + Send + 'static,
    ) -> LossFormula {
        let whole = move |x: Var, batch: &[Var], _: &[Var]| (loss(x, batch).into(), Vec::new());
        LossFormula::new::<L>(Form::Whole(Box::new(whole)))
    }

    pub(super) fn with_buffers<L: Into<Loss> + 'static>(
        loss: impl Fn(Var, &[Var], &[Var]) -> (L, Vec<Var>) + Send + 'static,
    ) -> LossFormula {
        let whole = move |x: Var, batch: &[Var], buffers: &[Var]| {
            let (loss, new) = loss(x, batch, buffers);
            (loss.into(), new)
        };
        LossFormula::new::<L>(Form::Whole(Box::new(whole)))
    }

    pub(super) fn model_and_loss<L: Into<Loss> + 'static>(
        model: impl Fn(Var, &[Var], &[Var]) -> (Var, Vec<Var>) + Send + 'static,
        loss: impl Fn(Var, &[Var]) -> L + Send + 'static,
    ) -> LossFormula {
        let loss = move |output: Var, batch: &[Var]| loss(output, batch).into();
        LossFormula::new::<L>(Form::ModelAndLoss(Box::new(model), Box::new(loss)))
    }

    pub(super) fn has_model(&self) -> bool {
        matches!(self.form, Form::ModelAndLoss(..))
    }

    /// The loss and the buffers' new values.
    pub(super) fn record(&self, x: Var, batch: &[Var], buffers: &[Var]) -> (Loss, Vec<Var>) {
        match &self.form {
            Form::Whole(whole) => whole(x, batch, buffers),
            Form::ModelAndLoss(model, loss) => {
                let (output, new) = model(x, batch, buffers);
                (loss(output, batch), new)
            }
        }
    }

    /// The model's output, its loss and the buffers' new values, where there is a model.
    pub(super) fn output_and_loss(
        &self,
        x: Var,
        batch: &[Var],
        buffers: &[Var],
    ) -> Option<(Var, Loss, Vec<Var>)> {
        match &self.form {
            Form::Whole(_) => None,
            Form::ModelAndLoss(model, loss) => {
                let (output, new) = model(x, batch, buffers);
                Some((output, loss(output, batch), new))
            }
        }
    }
}

impl From<Var> for Loss {
    fn from(mean: Var) -> Loss {
        Loss::Mean(mean)
    }
}
