//! The universal class of sharpness measures, S(x) = φ(∫ ψ(½ vᵀ∇²L(x)v) dμ(v)), and the
//! methods that minimise L + λρ²S (Tahmasebi et al., ICML 2024, arXiv 2406.03682).
//!
//! A measure is a [`Functional`] of the sampled curvatures (φ and ψ, recorded on the tape,
//! so that their derivatives come from the engine) and a [`Measure`] μ that draws directions.
//! Three [`Estimator`]s give the argument of ψ:
//!
//! | estimator | value | error | gradients |
//! |---|---|---|---|
//! | one-sided | (L(x+ρv) − L(x))/ρ² | ∇Lᵀv/ρ + O(ρ): away from critical points the gradient dominates | 1 + n |
//! | central | (L(x+ρv) + L(x−ρv) − 2L(x))/(2ρ²) | O(ρ²) everywhere, none for quadratics | 1 + 2n |
//! | exact | ½vᵀ∇²L(x)v | none | 1 + n curvature gradients |
//!
//! With the one-sided estimator Frob-SAM's penalty is, away from critical points,
//! Var L(x+ρv)/ρ² = ‖∇L‖² + ρ²(½‖H‖²_F + ∇Lᵀ∇tr H) + O(ρ⁴): a penalty of the gradient's
//! norm. The central and the exact estimator have no such term.

mod directions;
mod functionals;
mod given_draws;
mod instances;
mod penalised;
mod point_directions;
mod sampling;
mod sharpness;

pub use directions::{
    Ball, Cube, DrawContext, Drawn, Gaussian, Importance, Measure, Rademacher, ScaledByParameters,
    Source, Sphere,
};
pub use functionals::{Functional, Moments, PhiPsi, Samples};
pub use penalised::{Memory, SharpnessMethod};
pub use point_directions::{GradientDirection, TopEigenvector};
pub use sharpness::{Estimate, Sharpness};

/// How the curvature ½vᵀ∇²L(x)v of a sample is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Estimator {
    /// (L(x+ρv) − L(x))/ρ², as in the paper.
    OneSided,
    /// (L(x+ρv) + L(x−ρv) − 2L(x))/(2ρ²).
    Central,
    /// ½vᵀ∇²L(x)v by the tape.
    Exact,
    /// ‖∇²L(x)v‖² in place of a curvature: for the squared Frobenius norm alone, which is its
    /// mean. It needs one sample, and its relative variance is of order 1/d instead of 1/n.
    HvpNorm,
}

impl Estimator {
    /// The estimator of a name: one-sided, central, exact or hvp.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) for any other.
    pub fn from_name(name: &str) -> crate::Result<Estimator> {
        match name {
            "one-sided" => Ok(Estimator::OneSided),
            "central" => Ok(Estimator::Central),
            "exact" => Ok(Estimator::Exact),
            "hvp" => Ok(Estimator::HvpNorm),
            _ => Err(crate::Error::Unknown {
                what: "estimator",
                name: name.into(),
                known: "one-sided, central, exact, hvp".into(),
            }),
        }
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Estimator::OneSided => "one-sided",
            Estimator::Central => "central",
            Estimator::Exact => "exact",
            Estimator::HvpNorm => "hvp",
        }
    }
}
