//! The masks of Sparse SAM: ε = ρ m ⊙ g/‖g‖ with a mask m of ones and zeros that is renewed every
//! k steps (Mi et al., arXiv 2210.05177, algorithms 1 and 2).

use super::Perturbing;
use burlap_autodiff::{Array, Var};

/// The `count` candidates with the largest scores; of equal scores the first candidates.
pub(super) fn largest(
    mut candidates: Vec<usize>,
    count: usize,
    score: impl Fn(usize) -> f64,
) -> Vec<usize> {
    let order = |a: &usize, b: &usize| score(*b).total_cmp(&score(*a)).then(a.cmp(b));
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, order);
        candidates.truncate(count);
    }
    candidates
}

/// Sets a mask to 1 at the chosen indices, to 0 elsewhere.
pub(super) fn fill(mask: &mut Array, chosen: &[usize]) {
    let mut values = vec![0.0; mask.len()];
    chosen.iter().for_each(|&i| values[i] = 1.0);
    mask.fill_from_f64(&values);
}

/// The number of ones in a mask of n parameters.
pub(super) fn kept(n: usize, sparsity: f64) -> usize {
    n - ((n as f64 * sparsity).ceil() as usize).min(n)
}

/// ρ m ⊙ g/‖g‖, with the mask as the first state array.
pub(super) fn masked(at: &Perturbing<'_>) -> Var {
    at.with_norm(at.state[0] * at.gradient, at.gradient, at.radius)
}
