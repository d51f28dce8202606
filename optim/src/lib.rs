//! Optimizers on exact Hessians: first-order update rules, sharpness-aware minimisation, the
//! universal class of sharpness measures, and curvature tools.
//!
//! An [`Objective`] is a loss recorded on the tape; a [`Method`] makes a gradient of it (the
//! plain one, SAM's, or that of a penalised sharpness); an [`Optimizer`] makes a step of that.
//!
//! | module | what it holds |
//! |---|---|
//! | `objective` | value, gradient (per example, too), Hessian-vector product, curvature and its gradient; [batches](BatchSpec), [losses](Loss) |
//! | `update` | SGD, Adam, AdamW; [groups](Group) of parameters; schedules; clipping |
//! | [`sharpness`] | φ, ψ, μ; estimators; the named instances |
//! | [`sam`] | SAM and its relatives on one two-point step |
//! | [`curvature`] | Hessian, Gauss-Newton, empirical Fisher as operators; Lanczos; traces; spectral density |
//! | [`random`] | counter-based streams |

#![doc(test(attr(deny(warnings))))]

mod batch;
mod buffers;
mod composed;
pub mod curvature;
mod error;
mod loss;
mod method;
mod named;
mod objective;
mod parameters;
mod per_example;
mod pieces;
mod programs;
pub mod random;
mod recording;
mod run;
pub mod sam;
pub mod sharpness;
mod state;
mod training;
mod update;

pub use batch::{BatchSpec, Role};
pub use error::{BadElement, Error, Result};
pub use loss::Loss;
pub use method::{Evaluation, Method, Plain};
pub use named::{METHODS, MethodSettings, Named, method};
pub use objective::Objective;
pub use parameters::Parameter;
pub use recording::Recording;
pub use sam::{
    Adaptive, Ascent, Combination, Combined, Combining, Perturbation, Perturbing, Preparing,
    Radius, Sam,
};
pub use sharpness::{Estimate, Estimator, Sharpness, SharpnessMethod};
pub use state::State;
pub use training::Training;
pub use update::{
    Adam, AdamW, Decay, Group, Grouped, IntoOptimizer, IntoSchedule, Optimizer, Schedule,
    Selection, Sgd, Update, UpdateRule,
};
