//! VaSSO.

use super::{Combining, Perturbation, Perturbing, Sam};
use crate::error::{Result, fraction, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const VASSO: Member = Member::sam(
    "vasso",
    "Li and Giannakis, NeurIPS 2023, arXiv 2309.15639",
    "ĝ with ε = ρ d/‖d‖, d ← (1 − θ)d + θg",
    &[
        Setting::number("rho", 0.05, "radius ρ of the perturbation"),
        Setting::number("gradient-weight", 0.4, "weight θ of the gradient in its running mean"),
    ],
    |s| Sam::vasso(s.number("rho")?, s.number("gradient-weight")?),
);

/// VaSSO: ε = ρ d/‖d‖ with the running mean d ← (1 − θ)d + θg of gradients at the parameters
/// themselves, whose variance is smaller than that of g (Li and Giannakis, Enhancing
/// sharpness-aware optimization through variance suppression, NeurIPS 2023, arXiv 2309.15639). d
/// begins with 0, so that the first perturbation is SAM's; θ = 1 is SAM.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vasso {
    /// The length ρ.
    pub rho: f64,
    /// The weight θ.
    pub gradient_weight: f64,
}

impl Vasso {
    fn mean(&self, previous: Var, gradient: Var) -> Var {
        (1.0 - self.gradient_weight) * previous + self.gradient_weight * gradient
    }
}

impl Stateful for Vasso {
    fn state_names(&self) -> &[&'static str] {
        &["mean gradient"]
    }
}

impl Perturbation for Vasso {
    fn name(&self) -> &str {
        "vasso"
    }

    fn check(&self) -> Result<()> {
        positive("vasso", "rho", self.rho)?;
        fraction("vasso", "gradient-weight", self.gradient_weight)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        // Where the gradient is zero there is nothing to climb, whatever the mean.
        let vanishes = at.gradient.norm().equal(0.0);
        let d = self.mean(at.state[0], at.gradient);
        at.with_norm(d, d, vanishes.select(0.0, at.radius))
    }

    fn remembers(&self) -> bool {
        true
    }

    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        vec![self.mean(at.state[0], at.gradient)]
    }
}

impl Sam {
    /// VaSSO with radius ρ and weight θ, as [`Vasso`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn vasso(rho: f64, gradient_weight: f64) -> Result<Sam> {
        Sam::with_rule(Vasso { rho, gradient_weight })
    }
}
