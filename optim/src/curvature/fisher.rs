//! The empirical Fisher matrix of an objective.

use super::staged::{Curvature, CurvatureOperator};
use crate::error::Result;
use crate::objective::Objective;
use crate::objective::per_example::record;
use crate::objective::recording::Recording;
use burlap_autodiff::{Array, Var};

/// The empirical Fisher matrix (1/n) Σ gᵢgᵢᵀ of the gradients gᵢ on each of n examples alone
/// (Kunstner, Balles and Hennig 2019, arXiv 1905.12558, which says what it is not: the Fisher
/// information, whose labels are drawn from the model).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmpiricalFisher;

const NAME: &str = "empirical Fisher";

/// The vector of the examples' losses, and that of their denominators where the loss is a ratio.
fn losses(r: &Recording<'_>) -> Option<(Var, Option<Var>)> {
    let found = record(r, |loss, denominator| {
        [Some(loss), denominator].into_iter().flatten().collect::<Vec<_>>()
    });
    Some((*found.first()?, found.get(1).copied()))
}

fn no_examples(v: Var) -> Var {
    v.fail(NAME, "the batch has no examples")
}

fn count(losses: Var) -> f64 {
    losses.shape().count().max(1) as f64
}

impl Curvature for EmpiricalFisher {
    fn name(&self) -> &'static str {
        NAME
    }

    // With J = ∂ℓ/∂x of the vector of the examples' losses, JᵀJ/n, or JᵀDJ/tr D.
    fn product(&self, r: &Recording<'_>, v: Var) -> Var {
        match losses(r) {
            Some((losses, None)) => losses.vjp(r.x, losses.jvp(r.x, v)) * (1.0 / count(losses)),
            Some((losses, Some(denominators))) => {
                let along = denominators * losses.jvp(r.x, v);
                losses.vjp(r.x, along) / denominators.sum()
            }
            None => no_examples(v),
        }
    }

    /// ‖Jv‖²/n, or (Jv)ᵀD(Jv)/tr D.
    fn quadratic(&self, r: &Recording<'_>, v: Var) -> Var {
        match losses(r) {
            Some((losses, None)) => losses.jvp(r.x, v).square().sum() * (1.0 / count(losses)),
            Some((losses, Some(denominators))) => {
                (denominators * losses.jvp(r.x, v).square()).sum() / denominators.sum()
            }
            None => no_examples(v).sum(),
        }
    }

    fn check(&self, objective: &Objective, batch: &[Array]) -> Result<()> {
        objective.check_examples(NAME, batch)
    }
}

/// The empirical Fisher matrix (1/n) Σ gᵢgᵢᵀ over all n examples of all batches, where gᵢ is the
/// gradient of the loss on example i as a batch of its own, as
/// [`per_example_gradients`](Objective::per_example_gradients) gives them; of a
/// [ratio](crate::Loss::Ratio) with the examples' denominators dᵢ, Σ dᵢgᵢgᵢᵀ / Σ dᵢ. No gᵢ is in memory: a
/// product goes through the vector of the examples' losses.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::Objective;
/// use burlap_optim::curvature::{EmpiricalFisherOperator, LinearOperator};
/// // ½(aᵢᵀx)²: gᵢ = aᵢ (aᵢᵀx), here [1, 0] and [0, 6].
/// let loss = |x: Var, batch: &[Var]| 0.5 * batch[0].matmul(x).square().mean();
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
/// let batch = [Array::from_vec([2, 2], vec![1.0, 0.0, 0.0, 2.0])?];
/// let x = Array::vector([1.0, 1.5]);
/// let mut fisher = EmpiricalFisherOperator::new(&objective, &x, &[&batch])?;
/// let mut out = [0.0; 4];
/// fisher.matmat(&[1.0, 0.0, 0.0, 1.0], &mut out)?;
/// assert_eq!(out, [0.5, 0.0, 0.0, 18.0]);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub type EmpiricalFisherOperator<'a> = CurvatureOperator<'a, EmpiricalFisher>;
