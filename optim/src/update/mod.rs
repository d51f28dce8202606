//! Update rules, recorded on tapes: SGD, Adam, AdamW, one file each; groups of parameters with
//! settings of their own; schedules of the learning rate.

mod adam;
mod adamw;
mod groups;
mod moments;
mod optimizer;
mod rule;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use groups::{Group, Grouped, Selection};
pub use optimizer::{IntoOptimizer, Optimizer};
pub use rule::{Update, UpdateRule};
pub use schedule::{Decay, IntoSchedule, Schedule};
pub use sgd::Sgd;
