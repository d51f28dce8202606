//! Samples that the user gives, in place of random ones.

use super::directions::{DirectionDistribution, DrawContext, HostDraw};
use crate::error::{Error, Result};
use crate::state::forward_state;
use burlap_autodiff::{Array, Var};

/// A distribution whose samples are given: vectors in order, as many a step as samples are asked
/// for. Weights and directions are the distribution's own.
pub(super) struct GivenDraws<D> {
    distribution: D,
    vectors: Vec<Array>,
}

impl<D: std::fmt::Debug> std::fmt::Debug for GivenDraws<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} given draws of {:?}", self.vectors.len(), self.distribution)
    }
}

impl<D: DirectionDistribution> GivenDraws<D> {
    pub(super) fn new(distribution: D, vectors: Vec<Array>) -> GivenDraws<D> {
        GivenDraws { distribution, vectors }
    }
}

forward_state!([D: DirectionDistribution] GivenDraws<D>, |given| given.distribution);

impl<D: DirectionDistribution> DirectionDistribution for GivenDraws<D> {
    fn name(&self) -> &str {
        self.distribution.name()
    }

    fn prepare(&self, context: &DrawContext<'_>, state: &mut [Array]) -> Result<()> {
        let DrawContext { draw, samples, .. } = *context;
        let enough = draw.step.saturating_add(1).saturating_mul(samples as u64);
        if enough > self.vectors.len() as u64 {
            return Err(Error::Vector {
                of: format!("draws of {}", self.name()),
                expected: format!("at least {enough} vectors"),
                found: self.vectors.len().to_string(),
            });
        }
        self.distribution.prepare(context, state)
    }

    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        let number = at.draw.step as usize * at.samples + at.draw.sample as usize;
        let sample = self.vectors.get(number)?.to_f64_vec();
        let log_weight = self.distribution.log_weight(&sample);
        Some((sample, log_weight))
    }

    fn direction(&self, x: Var, sample: Var) -> Var {
        self.distribution.direction(x, sample)
    }

    fn check(&self) -> Result<()> {
        self.distribution.check()
    }
}
