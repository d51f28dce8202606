//! Eigen-SAM: towards the top eigenvector of the Hessian.

use super::combinations::beside;
use super::formulas::{Perturbation, Perturbing, Preparing, rescaled};
use crate::curvature::{Lanczos, top_eigenvector};
use crate::error::{Result, not_negative, positive, positive_count};
use burlap_autodiff::{Array, Var};

/// Eigen-SAM: ε = ρ d/‖d‖ with d = g/‖g‖ + α sgn(gᵀv) v_⊥, where v is the eigenvector of the
/// Hessian's largest eigenvalue on the batch and v_⊥ its part beside g (Luo et al., NeurIPS 2024,
/// arXiv 2501.12666, algorithm 1). v is renewed every k steps by Lanczos iterations that begin at
/// the former one, where the published code takes five steps of the power method. Of
/// [given draws](super::Sam::with_draws) each renewal takes one, to begin with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopDirection {
    /// The length ρ.
    pub rho: f64,
    /// The weight α.
    pub alpha: f64,
    /// The number of steps k between two eigenvectors.
    pub every: u64,
    /// The iteration.
    pub lanczos: Lanczos,
}

impl Perturbation for TopDirection {
    fn name(&self) -> &str {
        "eigen-sam"
    }

    fn check(&self) -> Result<()> {
        positive("eigen-sam", "rho", self.rho)?;
        not_negative("eigen-sam", "alpha", self.alpha)?;
        positive_count("eigen-sam", "every", self.every as usize)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let (g, v) = (at.gradient, at.state[0]);
        let unit = rescaled(g, g, 1.0);
        let d = unit + self.alpha * v.dot(unit).sign() * beside(v, g);
        at.rescaled(d, d, at.radius)
    }

    fn state_names(&self) -> &[&'static str] {
        &["top eigenvector"]
    }

    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        if !at.due(self.every) {
            return Ok(0);
        }
        let given = at.given(at.step / self.every)?.map(Array::vector);
        let former = (!at.first).then_some(&state[0]);
        let point = (at.objective, at.x, at.batch);
        let found = top_eigenvector(&self.lanczos, point, given.as_ref().or(former), at.seed)?;
        let Some((vector, products)) = found else {
            return Ok(0);
        };
        state[0] = at.objective.rounded(&vector)?;
        Ok(products)
    }

    fn draws(&self) -> bool {
        true
    }

    fn draws_on_host(&self) -> bool {
        true
    }
}
