//! Update rules, recorded on tapes: SGD, Adam, AdamW, Lion, one file each; groups of parameters with
//! settings of their own; schedules of the learning rate.

pub(crate) mod adam;
pub(crate) mod adamw;
mod groups;
pub(crate) mod lion;
mod moments;
mod optimizer;
mod rule;
mod schedule;
pub(crate) mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use groups::{Group, Grouped, Selection};
pub use lion::Lion;
pub use optimizer::{IntoOptimizer, Optimizer};
pub use rule::{Update, UpdateRule};
pub use schedule::{Decay, IntoSchedule, Schedule};
pub use sgd::Sgd;
