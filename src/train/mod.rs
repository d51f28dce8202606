//! Training, evaluating and using models: what knows layers as well as optimizers.
//!
//! | piece | what it is |
//! |---|---|
//! | [`Data`], [`Loader`] | named arrays of examples; which of them form each batch |
//! | [`Task`] | a model, the arrays of its data, and a loss: objective, evaluation, prediction |
//! | [`metric`] | accuracy, confusion, calibration, any formula, over a whole data set |
//! | [`Trainer`] | the loop: validation, best weights, early stopping, averages, checkpoints |
//! | [`Observer`] | who watches: progress bar, log, CSV, JSON lines, TensorBoard, the top eigenvalue |
//!
//! [`Task`] shows the loop by hand, [`Trainer`] the same with all that belongs to it. Nothing can be
//! had of the trainer that the pieces do not give.

mod data;
mod error;
mod evaluate;
mod inputs;
mod loader;
pub mod metric;
mod observe;
mod programs;
mod task;
mod trainer;
mod weights;

pub use data::{Batch, Data};
pub use error::{Error, Result};
pub use evaluate::Scores;
pub use inputs::Inputs;
pub use loader::{Batches, Loader};
pub use metric::{Metric, Score};
pub use observe::{Csv, JsonLines, Log, Observer, Progress, TensorBoard, TopEigenvalue, View};
pub use task::Task;
pub use trainer::{
    Average, DryRun, EpochRecord, Every, Measurement, Patience, RateSweep, Reason, Run, StepRecord,
    Trainer,
};
pub use weights::{ModelState, Weights};
