//! F-SAM.

use super::{Combining, Perturbation, Perturbing, Sam};
use crate::error::{Result, below_one, not_negative, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const F_SAM: Member = Member::sam(
    "f-sam",
    "Li et al., arXiv 2403.12350",
    "ĝ with ε = ρ d/‖d‖, d = g − σ EMA(g)",
    &[
        Setting::number("rho", 0.1, "radius ρ of the perturbation"),
        Setting::number("mean-weight", 1.0, "part σ of the mean gradient that is subtracted")
            .formerly("sigma"),
        Setting::number("mean-decay", 0.9, "decay λ of the mean gradient").formerly("beta"),
    ],
    |s| Sam::f_sam(s.number("rho")?, s.number("mean-weight")?, s.number("mean-decay")?),
);

/// F-SAM: ε = ρ d/‖d‖ with d = g − σm and the running mean m ← λm + (1 − λ)g of gradients at
/// the parameters themselves (Li et al., arXiv 2403.12350, algorithm 1). m holds this step's
/// gradient already, as in the paper; the published code takes it from the step before, which
/// for σ = 1 gives the same direction, and begins with the first gradient instead of 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FSam {
    /// The length ρ.
    pub rho: f64,
    /// The part σ of the mean that is subtracted.
    pub mean_weight: f64,
    /// The decay λ of the mean.
    pub mean_decay: f64,
}

impl FSam {
    fn mean(&self, previous: Var, gradient: Var) -> Var {
        self.mean_decay * previous + (1.0 - self.mean_decay) * gradient
    }
}

impl Stateful for FSam {
    fn state_names(&self) -> &[&'static str] {
        &["mean gradient"]
    }
}

impl Perturbation for FSam {
    fn name(&self) -> &str {
        "f-sam"
    }

    fn check(&self) -> Result<()> {
        positive("f-sam", "rho", self.rho)?;
        not_negative("f-sam", "mean-weight", self.mean_weight)?;
        below_one("f-sam", "mean-decay", self.mean_decay)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        // Where the gradient is zero there is nothing to climb, whatever the mean.
        let vanishes = at.gradient.norm().equal(0.0);
        let d = at.gradient - self.mean_weight * self.mean(at.state[0], at.gradient);
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
    /// F-SAM with radius ρ, part σ and decay λ, as [`FSam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn f_sam(rho: f64, mean_weight: f64, mean_decay: f64) -> Result<Sam> {
        Sam::with_rule(FSam { rho, mean_weight, mean_decay })
    }
}
