//! SAM.

use super::{Perturbation, Perturbing, Sam};
use crate::error::{Result, positive};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const SAM: Member = Member::sam(
    "sam",
    "Foret et al., arXiv 2010.01412",
    "ĝ = ∇L(x + ε) with ε = ρ g/‖g‖",
    &[Setting::number("rho", 0.05, "radius ρ of the perturbation")],
    |s| Sam::new(s.number("rho")?),
);

pub(crate) const PUBLISHED_SAM: Member = Member::sam(
    "published-sam",
    "github.com/dbahri/universal_sam, solver/sam.py",
    "SAM with ε = ρ g/(‖g‖ + 10⁻⁷)",
    SAM.settings,
    |s| Sam::published_sam(s.number("rho")?),
);

/// SAM: ε = ρ g/‖g‖, the steepest ascent of length ρ (Foret et al., arXiv 2010.01412, equation 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// The length ρ.
    pub rho: f64,
}

impl Stateful for Ascent {}

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
        at.with_norm(at.gradient, at.gradient, at.radius)
    }
}

impl Sam {
    /// SAM: ε = ρ g/‖g‖, as [`Ascent`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and finite.
    pub fn new(rho: f64) -> Result<Sam> {
        Sam::with_rule(Ascent { rho })
    }

    /// SAM as the code of the universal class computes it, ε = ρ g/(‖g‖ + 10⁻⁷)
    /// (github.com/dbahri/universal_sam, solver/sam.py; github.com/davda54/sam adds 10⁻¹²).
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::{Method, Objective, Sam};
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
    /// // g = 10⁻⁷: half as far.
    /// let x = Array::vector([0.5e-7]);
    /// let found = Sam::published_sam(0.5)?.evaluate(&objective, &x, &[], 0)?;
    /// assert_eq!(format!("{:.4}", found.gradient.get(&[0]).unwrap()), "0.5000");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and finite.
    pub fn published_sam(rho: f64) -> Result<Sam> {
        Sam::new(rho)?.published()
    }

    /// The offset of the published code, and its name.
    pub(super) fn published(self) -> Result<Sam> {
        let mut sam = self.with_norm_offset(1e-7)?;
        sam.name = format!("published {}", sam.name);
        Ok(sam)
    }
}
