//! The universal class of sharpness measures, S(x) = φ(∫ ψ(½ vᵀ∇²L(x)v) dμ(v)), and the
//! methods that minimise L + λρ²S (Tahmasebi et al., ICML 2024, arXiv 2406.03682).
//!
//! A measure is a [`Functional`] of the sampled curvatures (φ and ψ, recorded on the tape, so that
//! their derivatives come from the engine), a [`DirectionDistribution`] μ, and a
//! [`CurvatureEstimator`] of the argument of ψ, by default the exact one. The matrix is the Hessian
//! unless [another](Sharpness::with_curvature) is chosen.
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
mod distributions;
mod drawing;
mod estimators;
mod functionals;
pub(crate) mod ggn_trace;
mod given_draws;
pub(crate) mod instances;
mod penalised;
mod point_directions;
mod sampling;
mod sharpness;

pub use directions::{
    DirectionDistribution, DrawContext, Drawn, HostDraw, ScaledByParameters, Source,
};
pub use distributions::{Ball, Cube, Gaussian, Importance, Rademacher, Sphere};
pub use estimators::{
    Central, CurvatureEstimator, CurvaturePoint, Estimator, Exact, HvpNorm, OneSided,
};
pub use functionals::{Functional, Moments, PhiPsi, Samples};
pub use penalised::{Memory, SharpnessMethod};
pub use point_directions::{GradientDirection, TopEigenvector};
pub use sharpness::{Estimate, Sharpness};
