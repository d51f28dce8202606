//! LookSAM.

use super::formulas::{orthogonal_component, with_norm};
use super::{Combination, Combined, Combining, Sam};
use crate::curvature::epsilon;
use crate::error::{Result, not_negative, positive_count};
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const LOOK_SAM: Member = Member::sam(
    "looksam",
    "Liu et al., arXiv 2203.02714",
    "ĝ every k steps, else g + α ‖g‖ g_v/‖g_v‖",
    &[
        Setting::number("rho", 0.05, "radius ρ of the perturbation"),
        Setting::number("reuse-weight", 0.7, "weight α of the component that is reused")
            .formerly("alpha"),
        Setting::count("every", 5, "number of steps k between two perturbations"),
    ],
    |s| Sam::look_sam(s.number("rho")?, s.number("reuse-weight")?, s.count("every")?),
);

/// LookSAM: every k steps ĝ, whose component g_v orthogonal to g is kept; in the steps between,
/// with one gradient each, g + α ‖g‖ g_v/‖g_v‖ (Liu et al., arXiv 2203.02714, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookSam {
    /// The weight α.
    pub reuse_weight: f64,
    /// The number of steps k.
    pub every: u64,
}

/// The component of `v` orthogonal to `u`; 0 where it is rounding only, which
/// would be enlarged to the gradient's length.
fn significant_component(v: Var, u: Var) -> Var {
    let component = orthogonal_component(v, u);
    component.norm().gt(16.0 * epsilon(v.dtype()) * v.norm()).select(component, 0.0)
}

impl Stateful for LookSam {
    fn state_names(&self) -> &[&'static str] {
        &["orthogonal component"]
    }
}

impl Combination for LookSam {
    fn name(&self) -> &str {
        "looksam"
    }

    fn check(&self) -> Result<()> {
        not_negative("looksam", "reuse-weight", self.reuse_weight)?;
        positive_count("looksam", "every", self.every as usize)
    }

    fn points(&self, step: u64) -> &[f64] {
        if step.is_multiple_of(self.every) { &[1.0] } else { &[] }
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        let previous = at.state[0];
        let (gradient, kept) = match at.perturbed.first() {
            Some(&perturbed) => (perturbed, significant_component(perturbed, at.gradient)),
            None => {
                let length = self.reuse_weight * at.gradient.norm();
                (at.gradient + with_norm(previous, previous, length), previous)
            }
        };
        Combined { gradient, decoupled: None, state: vec![kept] }
    }
}

impl Sam {
    /// LookSAM with radius ρ, weight α and a perturbation every k steps, as [`LookSam`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn look_sam(rho: f64, reuse_weight: f64, every: u64) -> Result<Sam> {
        Sam::new(rho)?.combined(LookSam { reuse_weight, every })
    }
}
