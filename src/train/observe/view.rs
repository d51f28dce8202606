//! What observers see.

use crate::optim::Training;
use crate::train::trainer::running::Running;
use crate::train::{Loader, Result, Task, Weights};
use std::cell::Cell;

/// A run between two steps.
pub struct View<'a> {
    pub(in crate::train) task: &'a Task,
    pub(in crate::train) training: &'a Training,
    pub(in crate::train) loader: &'a Loader,
    pub(in crate::train) running: &'a Running,
    /// The number of epochs that were asked for.
    pub(in crate::train) epochs: u64,
    pub(in crate::train) epoch: u64,
    pub(in crate::train) metrics: &'a [String],
    pub(in crate::train) measures: &'a [String],
    pub(in crate::train) stop: &'a Cell<bool>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.training)
    }
}

impl View<'_> {
    /// The model and its loss.
    #[must_use]
    pub fn task(&self) -> &Task {
        self.task
    }

    /// Parameters, optimizer and gradient estimator.
    #[must_use]
    pub fn training(&self) -> &Training {
        self.training
    }

    /// The training data.
    #[must_use]
    pub fn loader(&self) -> &Loader {
        self.loader
    }

    /// The weights on which the model is evaluated: an average where there is one, else the
    /// parameters.
    ///
    /// # Errors
    /// For a training without the model's buffers.
    pub fn weights(&self) -> Result<Weights> {
        self.running.weights()
    }

    /// The number of steps taken.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.training.steps()
    }

    /// The number of epochs done.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of epochs that the run is to have.
    #[must_use]
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    /// The names of the validation's metrics that are numbers.
    #[must_use]
    pub fn metrics(&self) -> &[String] {
        self.metrics
    }

    /// The names of what observers measure.
    #[must_use]
    pub fn measures(&self) -> &[String] {
        self.measures
    }

    /// Ends the run after this step.
    pub fn stop(&self) {
        self.stop.set(true);
    }
}
