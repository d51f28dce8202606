//! MSAM.

use super::{Combining, Perturbation, Perturbing, Sam};
use crate::error::{Result, below_one, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const MSAM: Member = Member::sam(
    "msam",
    "Becker et al., arXiv 2401.12033",
    "ĝ with ε = −ρ m/‖m‖, m ← μm + ĝ",
    &[
        Setting::number("rho", 0.3, "radius ρ of the perturbation"),
        Setting::number("momentum-decay", 0.9, "decay μ of the momentum").formerly("beta"),
    ],
    |s| Sam::msam(s.number("rho")?, s.number("momentum-decay")?),
);

/// MSAM: ε = −ρ m/‖m‖ with the momentum m ← μm + ĝ of the gradients at perturbed points: one
/// gradient a step (Becker et al., arXiv 2401.12033, algorithm 1; the minus sign is that of the
/// paper and its code, m being a sum of gradients, against which parameters move). This is SGD's
/// own momentum for the same μ without weight decay, and Adam's first moment up to its length
/// for β₁ = μ. With a combination m is still that of ĝ = ∇L(x + ε); a step of
/// [`LookSam`](super::LookSam) that perturbs nothing adds ∇L(x).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Msam {
    /// The length ρ.
    pub rho: f64,
    /// The decay μ.
    pub momentum_decay: f64,
}

impl Stateful for Msam {
    fn state_names(&self) -> &[&'static str] {
        &["momentum"]
    }
}

impl Perturbation for Msam {
    fn name(&self) -> &str {
        "msam"
    }

    fn check(&self) -> Result<()> {
        positive("msam", "rho", self.rho)?;
        below_one("msam", "momentum-decay", self.momentum_decay)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        at.with_norm(at.state[0], at.state[0], -at.radius)
    }

    fn remembers(&self) -> bool {
        true
    }

    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        vec![self.momentum_decay * at.state[0] + at.perturbed_gradient()]
    }

    fn needs_gradient(&self) -> bool {
        false
    }
}

impl Sam {
    /// MSAM with radius ρ and decay μ, as [`Msam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn msam(rho: f64, momentum_decay: f64) -> Result<Sam> {
        Sam::with_rule(Msam { rho, momentum_decay })
    }
}
