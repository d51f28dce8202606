//! The masks of Sparse SAM: ε = ρ m ⊙ g/‖g‖ with a mask m of ones and zeros that is renewed every
//! k steps (Mi et al., arXiv 2210.05177, algorithms 1 and 2).

use super::{Perturbing, Preparing};
use crate::error::Result;
use burlap_autodiff::{Array, Var};

/// A mask of the kept part of the perturbed parameters, those with the largest scores, which are of
/// type `F64`; of equal scores the first.
pub(super) fn by_scores(at: &Preparing<'_>, scores: &Array, sparsity: f64) -> Result<Array> {
    let admitted = at.objective.within(at.ranges)?;
    let count = kept(at.objective.count(&admitted)?, sparsity);
    at.objective.rounded(&at.objective.largest(scores, &admitted, count)?)
}

/// The number of ones in a mask of n parameters.
pub(super) fn kept(n: usize, sparsity: f64) -> usize {
    n - ((n as f64 * sparsity).ceil() as usize).min(n)
}

/// ρ m ⊙ g/‖g‖, with the mask as the first state array.
pub(super) fn masked(at: &Perturbing<'_>) -> Var {
    at.with_norm(at.state[0] * at.gradient, at.gradient, at.radius)
}
