//! What a recorded loss is.

use burlap_autodiff::Var;
use std::any::TypeId;

/// What a loss is of the examples of a batch, which tells how those of parts of it add up. A
/// [`Var`] is a mean.
///
/// A mean over tokens, or over weighted or unignored examples, is no mean over examples: of parts
/// with other numbers of tokens the means do not average. As a ratio it is exact however a batch
/// is cut ([pieces](crate::Objective::with_pieces), [micro-batches](crate::Sam::with_micro_batches),
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
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_pieces(2)?;
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

    /// What must be a scalar of the parameters' type.
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

/// Whether what a closure returns may be a ratio.
pub(crate) fn may_be_ratio<L: 'static>() -> bool {
    TypeId::of::<L>() != TypeId::of::<Var>()
}

impl From<Var> for Loss {
    fn from(mean: Var) -> Loss {
        Loss::Mean(mean)
    }
}
