//! Fisher SAM.

use super::{Perturbation, Perturbing, Sam};
use crate::error::{Result, not_negative, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const FISHER_SAM: Member = Member::sam(
    "fisher-sam",
    "Kim et al., arXiv 2206.04920",
    "ĝ with ε = ρ F⁻¹g/√(gᵀF⁻¹g), F = 1 + η g²",
    &[
        Setting::number("rho", 0.1, "radius ρ in the Fisher metric"),
        Setting::number("fisher-weight", 1.0, "weight η of the Fisher information").formerly("eta"),
    ],
    |s| Sam::fisher_sam(s.number("rho")?, s.number("fisher-weight")?),
);

/// Fisher SAM: ε = ρ F⁻¹g/√(gᵀF⁻¹g) with the diagonal Fisher information of the batch's
/// gradient, F⁻¹ = 1/(1 + η g²) element by element (Kim et al., arXiv 2206.04920, section 3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FisherSam {
    /// The length ρ in the Fisher metric; the paper's γ.
    pub rho: f64,
    /// The weight η of the information.
    pub fisher_weight: f64,
}

impl Stateful for FisherSam {}

impl Perturbation for FisherSam {
    fn name(&self) -> &str {
        "fisher-sam"
    }

    fn check(&self) -> Result<()> {
        positive("fisher-sam", "rho", self.rho)?;
        not_negative("fisher-sam", "fisher-weight", self.fisher_weight)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let g = at.gradient;
        let scale = 1.0 + self.fisher_weight * g.square();
        // gᵀF⁻¹g = ‖g/√scale‖².
        at.with_norm(g / scale, g / scale.sqrt(), at.radius)
    }
}

impl Sam {
    /// Fisher SAM with radius ρ and weight η, as [`FisherSam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn fisher_sam(rho: f64, fisher_weight: f64) -> Result<Sam> {
        Sam::with_rule(FisherSam { rho, fisher_weight })
    }
}
