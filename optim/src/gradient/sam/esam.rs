//! ESAM.

use super::{Perturbation, Perturbing, Sam};
use crate::error::{Result, fraction, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const ESAM: Member = Member::sam(
    "esam",
    "Du et al., arXiv 2110.03141",
    "ĝ on γn examples with ε = (ρ/β) m ⊙ g/‖g‖, m random",
    &[
        Setting::number("rho", 0.05, "radius ρ of the perturbation"),
        Setting::number("keep-probability", 0.6, "probability β that a parameter is perturbed")
            .formerly("beta"),
        Setting::number("selected-fraction", 0.5, "part γ of the examples that ĝ is taken on")
            .formerly("gamma"),
    ],
    |s| Sam::esam(s.number("rho")?, s.number("keep-probability")?, s.number("selected-fraction")?),
);

/// The random part of ESAM: ε = (ρ/β) m ⊙ g/‖g‖, where each element of m is 1 with probability
/// β and else 0 (Du et al., arXiv 2110.03141, section 3.1 and algorithm 1). The published code
/// draws once for each tensor; this is the paper's form, once for each parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Esam {
    /// The length ρ.
    pub rho: f64,
    /// The probability β.
    pub keep_probability: f64,
}

impl Stateful for Esam {}

impl Perturbation for Esam {
    fn name(&self) -> &str {
        "esam"
    }

    fn check(&self) -> Result<()> {
        positive("esam", "rho", self.rho)?;
        fraction("esam", "keep-probability", self.keep_probability)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let kept = at.uniform().lt(self.keep_probability).select(at.gradient, 0.0 * at.gradient);
        at.with_norm(kept, at.gradient, at.radius * (1.0 / self.keep_probability))
    }

    fn draws(&self) -> bool {
        true
    }
}

impl Sam {
    /// ESAM: [`Esam`]'s perturbations with probability β, and the
    /// [selection](Sam::with_selection) of γn examples.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn esam(rho: f64, keep_probability: f64, selected_fraction: f64) -> Result<Sam> {
        Sam::with_rule(Esam { rho, keep_probability })?.with_selection(selected_fraction)
    }
}
