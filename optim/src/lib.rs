//! Optimizers on exact Hessians: first-order update rules, sharpness-aware minimisation, the
//! universal class of sharpness measures, and curvature tools.
//!
//! An [`Objective`] is a loss recorded on the tape; a [`Method`], a gradient estimator, evaluates a
//! gradient of it (the plain one, SAM's, or that of a penalised sharpness); an [`Optimizer`] makes a
//! step of that gradient. [`METHODS`] lists the gradient estimators that have names.
//!
//! | module | contents |
//! |---|---|
//! | `objective` | value, gradient (per example, too), Hessian-vector product, curvature and its gradient; [batches](BatchSpec), [losses](Loss) |
//! | `update` | SGD, Adam, AdamW, Lion; [groups](Group) of parameters; schedules; clipping |
//! | [`penalty`] | sharpness measures as penalties: φ, ψ, μ; estimators; instances |
//! | [`sam`] | SAM and its relatives: gradients at perturbed points |
//! | [`curvature`] | Hessian, Gauss-Newton, empirical Fisher as operators; Lanczos; traces; spectral density |
//! | [`random`] | counter-based streams |

#![doc(test(attr(deny(warnings))))]

pub mod curvature;
mod error;
mod gradient;
mod objective;
mod parameters;
pub mod random;
mod registry;
mod state;
mod training;
mod update;

pub use error::{BadElement, Error, Result};
pub use gradient::penalty::{Estimate, Estimator, Sharpness, SharpnessMethod};
pub use gradient::sam::{
    Ascent, Combination, Combined, Combining, Perturbation, Perturbing, Preparing, Radius, Sam,
};
pub use gradient::{Evaluation, Method, Plain, penalty, sam};
pub use objective::{BatchSpec, Loss, Objective, Recording, Role};
pub use parameters::Parameter;
pub use registry::{
    METHODS, Member, MethodSettings, ResolvedMethod, RuleMember, Setting, SettingKind,
    SettingValue, UPDATE_RULES, method, methods_table, update_rule, update_rules_table,
};
pub use state::{State, Stateful};
pub use training::Training;
pub use update::{
    Adam, AdamW, Decay, Group, Grouped, IntoOptimizer, IntoSchedule, Lion, Optimizer, Schedule,
    Selection, Sgd, Update, UpdateRule,
};
