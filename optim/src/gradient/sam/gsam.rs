//! GSAM.

use super::formulas::orthogonal_component;
use super::{Combination, Combined, Combining, Sam};
use crate::error::{Result, not_negative};
use crate::registry::{Member, Setting};
use crate::state::Stateful;

pub(crate) const GSAM: Member = Member::sam(
    "gsam",
    "Zhuang et al., arXiv 2203.08065",
    "ĝ − α g_⊥ with g_⊥ the component of g orthogonal to ĝ",
    &[
        Setting::number("rho", 0.05, "radius ρ of the perturbation"),
        Setting::number("orthogonal-weight", 0.4, "weight α of the orthogonal component")
            .formerly("alpha"),
    ],
    |s| Sam::gsam(s.number("rho")?, s.number("orthogonal-weight")?),
);

/// GSAM: ĝ − α g_⊥, where g_⊥ is the component of g orthogonal to ĝ, so that the surrogate gap
/// L(x + ε) − L(x) falls while the perturbed loss does not rise (Zhuang et al., arXiv 2203.08065,
/// algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gsam {
    /// The weight α.
    pub orthogonal_weight: f64,
}

impl Stateful for Gsam {}

impl Combination for Gsam {
    fn name(&self) -> &str {
        "gsam"
    }

    fn check(&self) -> Result<()> {
        not_negative("gsam", "orthogonal-weight", self.orthogonal_weight)
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let perturbed = at.perturbed[0];
        let orthogonal = orthogonal_component(at.gradient, perturbed);
        (perturbed - self.orthogonal_weight * orthogonal).into()
    }
}

impl Sam {
    /// GSAM with radius ρ and weight α, as [`Gsam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn gsam(rho: f64, orthogonal_weight: f64) -> Result<Sam> {
        Sam::new(rho)?.combined(Gsam { orthogonal_weight })
    }
}
