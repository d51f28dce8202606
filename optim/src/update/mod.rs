//! Update rules that need a gradient only, recorded on tapes: SGD, Adam, AdamW; schedules
//! of the learning rate; clipping.

mod moments;
mod optimizer;
mod schedule;
mod sgd;

pub use moments::{Adam, AdamW};
pub use optimizer::{Optimizer, Update, UpdateRule};
pub use schedule::{Decay, Schedule};
pub use sgd::Sgd;
