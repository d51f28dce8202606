//! ASAM.

use super::{Perturbation, Perturbing, Sam};
use crate::error::{Result, not_negative, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const ASAM: Member = Member::sam(
    "asam",
    "Kwon et al., arXiv 2102.11600",
    "ĝ with ε = ρ T²g/‖Tg‖, T = |x| + η",
    &[
        Setting::number("rho", 0.5, "radius ρ in the scaled space"),
        Setting::number("scale-offset", 0.01, "η, added to the parameters' absolute values")
            .formerly("eta"),
    ],
    |s| Sam::asam(s.number("rho")?, s.number("scale-offset")?),
);

pub(crate) const PUBLISHED_ASAM: Member = Member::sam(
    "published-asam",
    "github.com/dbahri/universal_sam, solver/sam.py",
    "ASAM with ε = ρ T²g/(‖Tg‖ + 10⁻⁷)",
    ASAM.settings,
    |s| Sam::published_asam(s.number("rho")?, s.number("scale-offset")?),
);

/// ASAM: ε = ρ T²g/‖Tg‖ with T = |x| + η, invariant to the scale of parameters (Kwon et al.,
/// arXiv 2102.11600, equation 10).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asam {
    /// The length ρ in the scaled space.
    pub rho: f64,
    /// The offset η, which is added to the parameters' absolute values.
    pub scale_offset: f64,
}

impl Stateful for Asam {}

impl Perturbation for Asam {
    fn name(&self) -> &str {
        "asam"
    }

    fn check(&self) -> Result<()> {
        positive("asam", "rho", self.rho)?;
        not_negative("asam", "scale-offset", self.scale_offset)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let scale = at.parameters.abs() + self.scale_offset;
        let scaled = scale * at.gradient;
        at.with_norm(scale * scaled, scaled, at.radius)
    }
}

impl Sam {
    /// ASAM with radius ρ and offset η, as [`Asam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and η not negative.
    pub fn asam(rho: f64, scale_offset: f64) -> Result<Sam> {
        Sam::with_rule(Asam { rho, scale_offset })
    }

    /// ASAM as the code of the universal class computes it, ε = ρ T²g/(‖Tg‖ + 10⁻⁷) with
    /// T = |x| + η for all parameters (github.com/dbahri/universal_sam, solver/sam.py). The authors'
    /// own code, github.com/SamsungLabs/ASAM, adds 10⁻¹⁶ and has T = 1 for all but weights.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and η not negative.
    pub fn published_asam(rho: f64, scale_offset: f64) -> Result<Sam> {
        Sam::asam(rho, scale_offset)?.published()
    }
}
