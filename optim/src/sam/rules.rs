//! Perturbation rules.

use super::Perturbation;
use crate::error::{Result, not_negative, positive};
use burlap_autodiff::Var;

/// `length` times a vector over its norm; zero where the norm is.
fn rescaled(v: Var, norm_of: Var, length: f64) -> Var {
    let norm = norm_of.norm();
    let vanishes = norm.equal(0.0);
    let factor = length / vanishes.select(1.0, norm);
    v * vanishes.select(0.0, factor)
}

/// ε = ρ g/‖g‖: the steepest ascent of length ρ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// The length ρ.
    pub rho: f64,
}

impl Perturbation for Ascent {
    fn name(&self) -> &str {
        "sam"
    }

    fn record(&self, _: Var, gradient: Var) -> Var {
        rescaled(gradient, gradient, self.rho)
    }

    fn check(&self) -> Result<()> {
        positive("sam", "rho", self.rho)
    }
}

/// ε = ρ T²g/‖Tg‖ with T = |x| + η: invariant to the scale of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// The length ρ in the scaled space.
    pub rho: f64,
    /// What is added to the parameters' absolute values.
    pub eta: f64,
}

impl Perturbation for Adaptive {
    fn name(&self) -> &str {
        "asam"
    }

    fn record(&self, parameters: Var, gradient: Var) -> Var {
        let scale = parameters.abs() + self.eta;
        let scaled = scale * gradient;
        rescaled(scale * scaled, scaled, self.rho)
    }

    fn check(&self) -> Result<()> {
        positive("asam", "rho", self.rho)?;
        not_negative("asam", "eta", self.eta)
    }
}
