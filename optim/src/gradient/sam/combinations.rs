//! What becomes of the gradients: the members of the family that differ from SAM behind the
//! second gradient.

use super::formulas::{Combination, Combined, Combining, rescaled};
use crate::curvature::epsilon;
use crate::error::{Result, below_one, not_negative, positive_count};
use burlap_autodiff::Var;

/// What is left of `v` beside the direction of `of`; all of it where that is zero.
pub(super) fn beside(v: Var, of: Var) -> Var {
    let unit = rescaled(of, of, 1.0);
    v - v.dot(unit) * unit
}

/// The same, but none where it is rounding only: it would be blown up to the gradient's length.
fn seen_beside(v: Var, of: Var) -> Var {
    let part = beside(v, of);
    part.norm().gt(16.0 * epsilon(v.dtype()) * v.norm()).select(part, 0.0)
}

impl Combined {
    fn of(gradient: Var) -> Combined {
        Combined { gradient, decoupled: None, state: Vec::new() }
    }
}

/// GSAM: ĝ − α g_⊥, where g_⊥ is the part of g beside ĝ, so that the surrogate gap falls while
/// the perturbed loss does not rise (Zhuang et al., arXiv 2203.08065, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurrogateGap {
    /// The weight α.
    pub alpha: f64,
}

impl Combination for SurrogateGap {
    fn name(&self) -> &str {
        "gsam"
    }

    fn check(&self) -> Result<()> {
        not_negative("gsam", "alpha", self.alpha)
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let perturbed = at.perturbed[0];
        Combined::of(perturbed - self.alpha * beside(at.gradient, perturbed))
    }
}

/// LookSAM: every k steps ĝ, whose part g_v beside g is kept; in the steps between, with one
/// gradient each, g + α ‖g‖ g_v/‖g_v‖ (Liu et al., arXiv 2203.02714, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reuse {
    /// The weight α.
    pub alpha: f64,
    /// The number of steps k.
    pub every: u64,
}

impl Combination for Reuse {
    fn name(&self) -> &str {
        "looksam"
    }

    fn check(&self) -> Result<()> {
        not_negative("looksam", "alpha", self.alpha)?;
        positive_count("looksam", "every", self.every as usize)
    }

    fn points(&self, step: u64) -> &[f64] {
        if step.is_multiple_of(self.every) { &[1.0] } else { &[] }
    }

    fn state_names(&self) -> &[&'static str] {
        &["part beside the gradient"]
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let former = at.state[0];
        let (gradient, kept) = match at.perturbed.first() {
            Some(&perturbed) => (perturbed, seen_beside(perturbed, at.gradient)),
            None => {
                let length = self.alpha * at.gradient.norm();
                (at.gradient + rescaled(former, former, length), former)
            }
        };
        Combined { state: vec![kept], ..Combined::of(gradient) }
    }
}

/// WSAM: the loss plus γ/(1 − γ) times the sharpness L(x + ε) − L(x) (Yue et al.,
/// arXiv 2305.15817, algorithms 1 to 3). As published the sharpness' gradient
/// γ/(1 − γ) (ĝ − g) is decoupled: the base optimizer makes its step of g, and the learning rate
/// times that term is subtracted besides. Coupled, their sum is the optimizer's gradient. For
/// plain SGD the two are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    /// The weight γ; ½ gives SAM's gradient.
    pub gamma: f64,
    /// Whether the sharpness' gradient passes the optimizer by.
    pub decoupled: bool,
}

impl Combination for Weighted {
    fn name(&self) -> &str {
        "wsam"
    }

    fn check(&self) -> Result<()> {
        below_one("wsam", "gamma", self.gamma)
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let weight = self.gamma / (1.0 - self.gamma);
        let term = weight * (at.perturbed[0] - at.gradient);
        if self.decoupled {
            Combined { decoupled: Some(term), ..Combined::of(at.gradient) }
        } else {
            Combined::of(at.gradient + term)
        }
    }
}

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
pub struct CurvatureRegularised {
    /// The weight α of the curvature; `gamma` in the published code.
    pub alpha: f64,
    /// The weight β of the gradient's norm.
    pub beta: f64,
    /// Whether the terms are divided as the logarithms ask.
    pub normalised: bool,
}

impl Combination for CurvatureRegularised {
    fn name(&self) -> &str {
        "cr-sam"
    }

    fn check(&self) -> Result<()> {
        not_negative("cr-sam", "alpha", self.alpha)?;
        // β = −α is the logarithm of the normalised trace itself.
        not_negative("cr-sam", "|beta|", self.beta.abs())
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
        Combined::of(above + self.alpha * curvature + self.beta * slope)
    }
}
