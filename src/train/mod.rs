//! Training, evaluating and using models: what knows layers as well as optimizers.

mod data;
mod error;
mod evaluate;
mod inputs;
mod loader;
pub mod metric;
mod programs;
mod task;

pub use data::{Batch, Data};
pub use error::{Error, Result};
pub use evaluate::Scores;
pub use inputs::Inputs;
pub use loader::{Batches, Loader};
pub use metric::{Metric, Score};
pub use task::Task;
