//! Samples that the user gives, in place of those that a measure draws.

use super::directions::{DrawContext, Measure};
use crate::error::{Error, Result};
use crate::random::Draw;
use crate::state::State;
use burlap_autodiff::{Array, Var};

/// A measure whose samples are given: vectors in order, as many a step as samples are asked for.
/// Weights and directions are the measure's own.
pub(super) struct Given {
    measure: Box<dyn Measure>,
    vectors: Vec<Array>,
    /// The number of samples a step.
    samples: usize,
}

impl Given {
    pub(super) fn new(measure: Box<dyn Measure>, vectors: Vec<Array>) -> Given {
        Given { measure, vectors, samples: 1 }
    }
}

impl Measure for Given {
    fn name(&self) -> &str {
        self.measure.name()
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        let DrawContext { draw, samples, .. } = *context;
        let enough = draw.step.saturating_add(1).saturating_mul(samples as u64);
        if enough > self.vectors.len() as u64 {
            return Err(Error::Vector {
                of: format!("draws of {}", self.name()),
                expected: format!("at least {enough} vectors"),
                found: self.vectors.len().to_string(),
            });
        }
        self.samples = samples;
        self.measure.prepare(context)
    }

    fn draw(&self, draw: Draw, _: usize) -> Option<(Vec<f64>, f64)> {
        let number = draw.step as usize * self.samples + draw.sample as usize;
        let sample = self.vectors.get(number)?.to_f64_vec();
        let log_weight = self.measure.log_weight(&sample);
        Some((sample, log_weight))
    }

    fn direction(&self, x: Var, sample: Var) -> Var {
        self.measure.direction(x, sample)
    }

    fn check(&self) -> Result<()> {
        self.measure.check()
    }

    fn state(&self) -> State {
        self.measure.state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.measure.restore(state)
    }
}
