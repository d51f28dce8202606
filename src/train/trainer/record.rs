//! What is known after a step and after an epoch.

/// A number that an observer measured, such as an eigenvalue, with its name.
pub type Measurement = (String, f64);

/// A step that has been committed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepRecord {
    /// The number of steps taken, this one included.
    pub step: u64,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// The loss of the batch at the parameters before the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub rate: f64,
    /// The Euclidean norm of the gradient that the update rule got, before clipping.
    pub gradient_norm: f64,
    /// The gradient estimator's own estimate of sharpness, where it makes one.
    pub sharpness: Option<f64>,
    /// The number of gradients (or curvature gradients) that the step took.
    pub gradients: usize,
    /// The time of the step.
    pub seconds: f64,
    /// What observers measured after this step.
    pub measured: Vec<Measurement>,
}

/// An epoch that has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EpochRecord {
    /// The number of epochs done, this one included.
    pub epoch: u64,
    /// The number of steps taken.
    pub step: u64,
    /// The mean of the batches' losses during the epoch, weighted by their numbers of examples.
    pub loss: f64,
    /// The learning rate of the last step.
    pub rate: f64,
    /// The time of the epoch's steps in this process.
    pub seconds: f64,
    /// The validation's metrics that are numbers.
    pub scores: Vec<Measurement>,
    /// The last of what observers measured during the epoch.
    pub measured: Vec<Measurement>,
    /// Whether the weights are the best so far.
    pub is_best: bool,
}

impl EpochRecord {
    /// The metric of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.scores.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}
