//! The two-point methods: perturb along a rule, take the gradient there.
//!
//! A [`Perturbation`] says ε as a formula of parameters, gradient and state vectors; the step is
//! the same for all: g = ∇L(x), ĝ = ∇L(x + ε), and where a [`Combination`] is given, what is made
//! of them. The parameters themselves are never changed and changed back.
//!
//! | method | ε | gradient | gradients a step |
//! |---|---|---|---|
//! | SAM | [`Ascent`] ρ g/‖g‖ | ĝ | 2 |
//! | ASAM | [`Adaptive`] ρ T²g/‖Tg‖, T = \|x\| + η | ĝ | 2 |
//! | SSAM-F, SSAM-D | [`FisherMask`], [`DynamicMask`] ρ m ⊙ g/‖g‖ | ĝ | 2, and some for a new mask |
//! | GSAM | SAM's | [`SurrogateGap`] ĝ − α g_⊥ | 2 |
//! | LookSAM | SAM's | [`Reuse`] ĝ every k steps, else g + α ‖g‖ g_v/‖g_v‖ | 1 + 1/k |
//! | ESAM | [`Stochastic`] (ρ/β) m ⊙ g/‖g‖ | ĝ on γn examples | 1 + γ, and two evaluations |
//! | F-SAM | [`Friendly`] along g − σ EMA(g) | ĝ | 2 |
//! | WSAM | SAM's | [`Weighted`] g, and γ/(1−γ) (ĝ − g) decoupled | 2 |
//! | Fisher SAM | [`Fisher`] along F⁻¹g | ĝ | 2 |
//! | MSAM | [`Momentum`] −ρ m/‖m‖ | ĝ | 1 |
//! | CR-SAM | SAM's | [`CurvatureRegularised`] | 3 |
//! | Eigen-SAM | [`TopDirection`] along g/‖g‖ + α sgn(gᵀv) v_⊥ | ĝ | 2, and products for a new v |
//!
//! Any rule goes with any combination. What a rule remembers of the gradients is its own affair:
//! F-SAM's mean is of g, MSAM's momentum of ĝ, whatever the optimizer is given in the end. Published
//! codes divide by ‖g‖ + δ ([`Sam::published_sam`], [`Sam::with_norm_offset`]); to hold one against
//! its original, [give](Sam::with_draws) both the same draws.

mod builder;
mod combinations;
mod draws;
mod eigen_sam;
mod formulas;
mod instances;
mod radius;
mod rules;
mod ssam;
mod step;

pub use builder::Sam;
pub use combinations::{CurvatureRegularised, Reuse, SurrogateGap, Weighted};
pub use eigen_sam::TopDirection;
pub use formulas::{Combination, Combined, Combining, Perturbation, Perturbing, Preparing};
pub use radius::Radius;
pub use rules::{Adaptive, Ascent, Fisher, Friendly, Momentum, Stochastic};
pub use ssam::{DynamicMask, FisherMask, Score};
