//! Perturbation rules without a memory of more than a formula.

use super::formulas::{Combining, Perturbation, Perturbing};
use crate::error::{Result, below_one, fraction, not_negative, positive};
use burlap_autodiff::Var;

/// SAM: ε = ρ g/‖g‖, the steepest ascent of length ρ (Foret et al., arXiv 2010.01412, equation 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// The length ρ.
    pub rho: f64,
}

impl Perturbation for Ascent {
    fn name(&self) -> &str {
        "sam"
    }

    fn check(&self) -> Result<()> {
        positive("sam", "rho", self.rho)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        at.rescaled(at.gradient, at.gradient, at.radius)
    }
}

/// ASAM: ε = ρ T²g/‖Tg‖ with T = |x| + η, invariant to the scale of parameters (Kwon et al.,
/// arXiv 2102.11600, equation 10).
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

    fn check(&self) -> Result<()> {
        positive("asam", "rho", self.rho)?;
        not_negative("asam", "eta", self.eta)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let scale = at.parameters.abs() + self.eta;
        let scaled = scale * at.gradient;
        at.rescaled(scale * scaled, scaled, at.radius)
    }
}

/// Fisher SAM: ε = ρ F⁻¹g/√(gᵀF⁻¹g) with the diagonal Fisher information of the batch's
/// gradient, F⁻¹ = 1/(1 + η g²) element by element (Kim et al., arXiv 2206.04920, section 3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fisher {
    /// The length ρ in the Fisher metric; the paper's γ.
    pub rho: f64,
    /// The weight η of the information.
    pub eta: f64,
}

impl Perturbation for Fisher {
    fn name(&self) -> &str {
        "fisher-sam"
    }

    fn check(&self) -> Result<()> {
        positive("fisher-sam", "rho", self.rho)?;
        not_negative("fisher-sam", "eta", self.eta)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let g = at.gradient;
        let scale = 1.0 + self.eta * g.square();
        // gᵀF⁻¹g = ‖g/√scale‖².
        at.rescaled(g / scale, g / scale.sqrt(), at.radius)
    }
}

/// The random part of ESAM: ε = (ρ/β) m ⊙ g/‖g‖, where each element of m is 1 with probability
/// β and else 0 (Du et al., arXiv 2110.03141, section 3.1 and algorithm 1). The published code
/// draws once for each tensor; this is the paper's form, once for each parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stochastic {
    /// The length ρ.
    pub rho: f64,
    /// The probability β.
    pub beta: f64,
}

impl Perturbation for Stochastic {
    fn name(&self) -> &str {
        "esam"
    }

    fn check(&self) -> Result<()> {
        positive("esam", "rho", self.rho)?;
        fraction("esam", "beta", self.beta)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let kept = at.uniform().lt(self.beta).select(at.gradient, 0.0 * at.gradient);
        at.rescaled(kept, at.gradient, at.radius * (1.0 / self.beta))
    }

    fn draws(&self) -> bool {
        true
    }
}

/// F-SAM: ε = ρ d/‖d‖ with d = g − σm and the running mean m ← λm + (1 − λ)g of gradients at
/// the parameters themselves (Li et al., arXiv 2403.12350, algorithm 1). m holds this step's
/// gradient already, as in the paper; the published code takes it from the step before, which
/// for σ = 1 gives the same direction, and begins with the first gradient instead of 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Friendly {
    /// The length ρ.
    pub rho: f64,
    /// How much of the mean is taken away, σ.
    pub sigma: f64,
    /// The decay λ of the mean.
    pub lambda: f64,
}

impl Friendly {
    fn mean(&self, former: Var, gradient: Var) -> Var {
        self.lambda * former + (1.0 - self.lambda) * gradient
    }
}

impl Perturbation for Friendly {
    fn name(&self) -> &str {
        "f-sam"
    }

    fn check(&self) -> Result<()> {
        positive("f-sam", "rho", self.rho)?;
        not_negative("f-sam", "sigma", self.sigma)?;
        below_one("f-sam", "lambda", self.lambda)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        // Where the gradient is zero there is nothing to climb, whatever the mean.
        let vanishes = at.gradient.norm().equal(0.0);
        let d = at.gradient - self.sigma * self.mean(at.state[0], at.gradient);
        at.rescaled(d, d, vanishes.select(0.0, at.radius))
    }

    fn state_names(&self) -> &[&'static str] {
        &["mean gradient"]
    }

    fn remembers(&self) -> bool {
        true
    }

    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        vec![self.mean(at.state[0], at.gradient)]
    }
}

/// MSAM: ε = −ρ m/‖m‖ with the momentum m ← μm + ĝ of the gradients at perturbed points: one
/// gradient a step (Becker et al., arXiv 2401.12033, algorithm 1; the minus sign is that of the
/// paper and its code, m being a sum of gradients, against which parameters move). This is SGD's
/// own momentum for the same μ without weight decay, and Adam's first moment up to its length
/// for β₁ = μ. With a combination m is still that of ĝ = ∇L(x + ε); a step of
/// [`Reuse`](super::Reuse) that perturbs nothing adds ∇L(x).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    /// The length ρ.
    pub rho: f64,
    /// The decay μ.
    pub mu: f64,
}

impl Perturbation for Momentum {
    fn name(&self) -> &str {
        "msam"
    }

    fn check(&self) -> Result<()> {
        positive("msam", "rho", self.rho)?;
        below_one("msam", "mu", self.mu)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        at.rescaled(at.state[0], at.state[0], -at.radius)
    }

    fn state_names(&self) -> &[&'static str] {
        &["momentum"]
    }

    fn remembers(&self) -> bool {
        true
    }

    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        vec![self.mu * at.state[0] + at.perturbed_gradient()]
    }

    fn needs_gradient(&self) -> bool {
        false
    }
}
