//! CR-SAM.

use super::{Combination, Combined, Combining, Sam};
use crate::error::{Result, not_negative};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const CR_SAM: Member = Member::sam(
    "cr-sam",
    "Wu et al., arXiv 2312.13555",
    "g₊ + α (g₊ + g₋ − 2g) + β (g₊ − g₋) at x ± ε",
    &[
        Setting::number("rho", 0.1, "radius ρ of the perturbation"),
        Setting::number("curvature-weight", 0.1, "weight α of the curvature").formerly("alpha"),
        Setting::number("norm-weight", 0.1, "weight β of the gradient's norm").formerly("beta"),
    ],
    |s| Sam::cr_sam(s.number("rho")?, s.number("curvature-weight")?, s.number("norm-weight")?),
);

/// CR-SAM: SAM's gradient and that of a regulariser α log tr H + β log ‖∇L‖ of the normalised
/// Hessian trace tr H/‖∇L‖, with trace and norm by finite differences along SAM's perturbation
/// (Wu et al., arXiv 2312.13555): with g₊ = ∇L(x + ε), g₋ = ∇L(x − ε), three gradients a step,
///
/// - published code (`normalised: false`): g₊ + α (g₊ + g₋ − 2g) + β (g₊ − g₋), which leaves the
///   logarithms' denominators to the weights;
/// - the logarithms (`normalised: true`):
///   g₊ + α (g₊ + g₋ − 2g)/(L₊ + L₋ − 2L) + β (g₊ − g₋)/(L₊ − L₋), where a term whose denominator
///   is not positive is left out: it has no logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrSam {
    /// The weight α of the curvature; `gamma` in the published code.
    pub curvature_weight: f64,
    /// The weight β of the gradient's norm.
    pub norm_weight: f64,
    /// Whether the terms are divided as the logarithms ask.
    pub normalised: bool,
}

impl Stateful for CrSam {}

impl Combination for CrSam {
    fn name(&self) -> &str {
        "cr-sam"
    }

    fn check(&self) -> Result<()> {
        not_negative("cr-sam", "curvature-weight", self.curvature_weight)?;
        // β = −α is the logarithm of the normalised trace itself.
        not_negative("cr-sam", "|norm-weight|", self.norm_weight.abs())
    }

    fn points(&self, _: u64) -> &[f64] {
        &[1.0, -1.0]
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let (above, below) = (at.perturbed[0], at.perturbed[1]);
        let divided = |term: Var, by: Var| {
            let usable = by.gt(0.0);
            usable.select(term / usable.select(by, 1.0), 0.0)
        };
        let mut curvature = (above - at.gradient) + (below - at.gradient);
        let mut slope = above - below;
        if self.normalised {
            let (high, low) = (at.losses[0], at.losses[1]);
            curvature = divided(curvature, (high - at.loss) + (low - at.loss));
            slope = divided(slope, high - low);
        }
        (above + self.curvature_weight * curvature + self.norm_weight * slope).into()
    }
}

impl Sam {
    /// CR-SAM as in the published code, with radius ρ and weights α and β, as [`CrSam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn cr_sam(rho: f64, curvature_weight: f64, norm_weight: f64) -> Result<Sam> {
        Sam::new(rho)?.combined(CrSam { curvature_weight, norm_weight, normalised: false })
    }
}
