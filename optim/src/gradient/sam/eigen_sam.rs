//! Eigen-SAM.

use super::formulas::{orthogonal_component, with_norm};
use super::{Perturbation, Perturbing, Preparing, Sam};
use crate::curvature::{Lanczos, top_eigenvector};
use crate::error::{Result, not_negative, positive, positive_count};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::{Array, Var};

pub(crate) const EIGEN_SAM: Member = Member::sam(
    "eigen-sam",
    "Luo et al., arXiv 2501.12666",
    "ĝ with ε = ρ d/‖d‖, d = g/‖g‖ + α sgn(gᵀv) v_⊥, v the top eigenvector of H",
    &[
        Setting::number("rho", 0.1, "radius ρ of the perturbation"),
        Setting::number("eigenvector-weight", 0.2, "weight α of the top eigenvector")
            .formerly("alpha"),
        Setting::count("every", 100, "number of steps k between two eigenvectors"),
    ],
    |s| Sam::eigen_sam(s.number("rho")?, s.number("eigenvector-weight")?, s.count("every")?),
);

/// Eigen-SAM: ε = ρ d/‖d‖ with d = g/‖g‖ + α sgn(gᵀv) v_⊥, where v is the eigenvector of the
/// Hessian's largest eigenvalue on the batch and v_⊥ its component orthogonal to g (Luo et al., NeurIPS 2024,
/// arXiv 2501.12666, algorithm 1). v is renewed every k steps by Lanczos iterations that begin at
/// the previous one, where the published code takes five steps of the power method. Of
/// [given draws](super::Sam::with_draws) each renewal takes one, to begin with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EigenSam {
    /// The length ρ.
    pub rho: f64,
    /// The weight α.
    pub eigenvector_weight: f64,
    /// The number of steps k between two eigenvectors.
    pub every: u64,
    /// The iteration.
    pub lanczos: Lanczos,
}

impl Stateful for EigenSam {
    fn state_names(&self) -> &[&'static str] {
        &["top eigenvector"]
    }
}

impl Perturbation for EigenSam {
    fn name(&self) -> &str {
        "eigen-sam"
    }

    fn check(&self) -> Result<()> {
        positive("eigen-sam", "rho", self.rho)?;
        not_negative("eigen-sam", "eigenvector-weight", self.eigenvector_weight)?;
        positive_count("eigen-sam", "every", self.every as usize)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let (g, v) = (at.gradient, at.state[0]);
        let unit = with_norm(g, g, 1.0);
        let d = unit + self.eigenvector_weight * v.dot(unit).sign() * orthogonal_component(v, g);
        at.with_norm(d, d, at.radius)
    }

    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        if !at.due(self.every) {
            return Ok(0);
        }
        let given = at.given(at.step / self.every)?.map(Array::vector);
        let previous = (!at.first).then_some(&state[0]);
        let point = (at.objective, at.x, at.batch);
        let found = top_eigenvector(&self.lanczos, point, given.as_ref().or(previous), at.seed)?;
        let Some((vector, matvecs)) = found else {
            return Ok(0);
        };
        state[0] = at.objective.rounded(&vector)?;
        Ok(matvecs)
    }

    fn draws(&self) -> bool {
        true
    }

    fn draws_on_host(&self) -> bool {
        true
    }
}

impl Sam {
    /// Eigen-SAM with radius ρ, weight α and a new eigenvector every k steps, as [`EigenSam`] says,
    /// with the default [`Lanczos`] iteration.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn eigen_sam(rho: f64, eigenvector_weight: f64, every: u64) -> Result<Sam> {
        Sam::with_rule(EigenSam { rho, eigenvector_weight, every, lanczos: Lanczos::default() })
    }
}
