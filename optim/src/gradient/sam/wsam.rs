//! WSAM.

use super::{Combination, Combined, Combining, Sam};
use crate::error::{Result, below_one};
use crate::registry::{Member, Setting};
use crate::state::Stateful;

pub(crate) const WSAM: Member = Member::sam(
    "wsam",
    "Yue et al., arXiv 2305.15817",
    "g, and γ/(1 − γ) (ĝ − g) decoupled",
    &[
        Setting::number("rho", 0.05, "radius ρ of the perturbation"),
        Setting::number("sharpness-weight", 0.9, "weight γ of the sharpness; ½ gives SAM")
            .formerly("gamma"),
    ],
    |s| Sam::wsam(s.number("rho")?, s.number("sharpness-weight")?),
);

/// WSAM: the loss plus γ/(1 − γ) times the sharpness L(x + ε) − L(x) (Yue et al.,
/// arXiv 2305.15817, algorithms 1 to 3). As published the sharpness' gradient
/// γ/(1 − γ) (ĝ − g) is decoupled: the base optimizer makes its step of g, and the learning rate
/// times that term is subtracted besides. Coupled, their sum is the optimizer's gradient. For
/// plain SGD the two are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wsam {
    /// The weight γ; ½ gives SAM's gradient.
    pub sharpness_weight: f64,
    /// Whether the sharpness' gradient passes the optimizer by.
    pub decoupled: bool,
}

impl Stateful for Wsam {}

impl Combination for Wsam {
    fn name(&self) -> &str {
        "wsam"
    }

    fn check(&self) -> Result<()> {
        below_one("wsam", "sharpness-weight", self.sharpness_weight)
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let weight = self.sharpness_weight / (1.0 - self.sharpness_weight);
        let term = weight * (at.perturbed[0] - at.gradient);
        if self.decoupled {
            Combined { decoupled: Some(term), ..Combined::from(at.gradient) }
        } else {
            (at.gradient + term).into()
        }
    }
}

impl Sam {
    /// WSAM as published, decoupled, with radius ρ and weight γ, as [`Wsam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn wsam(rho: f64, sharpness_weight: f64) -> Result<Sam> {
        Sam::new(rho)?.combined(Wsam { sharpness_weight, decoupled: true })
    }
}
