//! Minimising L + λρ²S: the gradient, accumulated sample by sample.

use super::evaluate::Point;
use super::measure::DrawContext;
use super::{Estimator, Sharpness};
use crate::error::{Error, Result, not_negative, positive};
use crate::method::{Evaluation, Method};
use crate::objective::Objective;
use crate::random::{Draw, Purpose};
use crate::state::State;
use burlap_autodiff::{Array, Program};
use std::rc::Rc;

/// Whether samples' gradients are kept until their weights are known, or computed once the
/// curvatures of all samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// n gradients in memory, each computed once; exact curvatures four at a time.
    Keep,
    /// One gradient in memory, at the price of n evaluations of the curvatures alone.
    OneAtATime,
}

/// F(x) = L(x) + λρ²S(x) with a sharpness measure S: its gradient is
/// g₀ + λρ² Σᵢ ∂S/∂qᵢ ∇qᵢ, with the weights ∂S/∂qᵢ from the engine.
#[derive(Debug)]
pub struct SharpnessMethod {
    sharpness: Sharpness,
    lambda: f64,
    samples: usize,
    seed: u64,
    memory: Memory,
}

impl SharpnessMethod {
    /// The method with weight λ and n samples a step.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range, such as
    /// ρ ≤ 0 or one sample where a covariance is asked.
    pub fn new(
        sharpness: Sharpness,
        lambda: f64,
        samples: usize,
        seed: u64,
    ) -> Result<SharpnessMethod> {
        not_negative(sharpness.name(), "lambda", lambda)?;
        positive(sharpness.name(), "rho", sharpness.rho())?;
        sharpness.check(samples)?;
        // A few gradients are cheaper to keep than to compute twice.
        let memory = if samples <= 8 { Memory::Keep } else { Memory::OneAtATime };
        Ok(SharpnessMethod { sharpness, lambda, samples, seed, memory })
    }

    /// Chooses between memory and time; up to 8 samples are kept by default.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> SharpnessMethod {
        self.memory = memory;
        self
    }

    fn draw(&self, step: u64, sample: usize) -> Draw {
        Draw { seed: self.seed, purpose: Purpose::Direction, step, sample: sample as u32 }
    }

    /// acc + a·(g − b·g₀), in one pass.
    fn accumulator(objective: &Objective) -> Result<Rc<Program>> {
        objective.algebra("accumulate", |r| {
            let (g, g0) = (r.vector("gradient"), r.vector("base gradient"));
            let (a, b) = (r.scalar("factor"), r.scalar("of base"));
            vec![r.x + a * (g - b * g0)]
        })
    }
}

impl Method for SharpnessMethod {
    fn name(&self) -> &str {
        self.sharpness.name()
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        let (loss, base_gradient, buffers) = objective.value_grad_buffers(x, batch)?;
        let context = DrawContext {
            objective,
            x,
            batch,
            gradient: Some(&base_gradient),
            draw: self.draw(step, 0),
        };
        self.sharpness.measure.prepare(&context)?;
        let s = &self.sharpness;
        let at = Point { objective, x, batch, loss };
        let mut curvatures = Vec::with_capacity(self.samples);
        let mut log_weights = Vec::with_capacity(self.samples);
        let mut kept = Vec::new();
        let keep = self.memory == Memory::Keep;
        let together = if keep { s.together() } else { 1 };
        for first in (0..self.samples).step_by(together) {
            let count = together.min(self.samples - first);
            let z = s.samples(objective, self.draw(step, first), count, &mut log_weights);
            if keep {
                for sampled in s.curvature_gradients(&at, &z, count)? {
                    curvatures.push(sampled.curvature);
                    kept.push(sampled.total);
                }
            } else {
                curvatures.extend(s.curvatures(&at, &z, count)?);
            }
        }
        let (value, weights, _) = s.weigh(&curvatures, &log_weights, objective.dim())?;
        let (of_base, divisor) = s.gradient_form();
        let factor = self.lambda * s.rho * s.rho / divisor;
        let of_base = objective.number(of_base);
        let accumulate = Self::accumulator(objective)?;
        let mut gradient = base_gradient.clone();
        let mut spare = [Array::zeros(objective.dtype(), [objective.dim()])];
        for (i, weight) in weights.iter().enumerate() {
            if !keep {
                kept.clear();
                let z = s.samples(objective, self.draw(step, i), 1, &mut Vec::new());
                kept.extend(s.curvature_gradients(&at, &z, 1)?.into_iter().map(|s| s.total));
            }
            let total = &kept[if keep { i } else { 0 }];
            let factor = objective.number(factor * weight);
            if !factor.item()?.is_finite() {
                // In double precision it may be.
                let (of, samples) = (s.name.clone(), self.samples);
                let value = objective.dtype().round(value);
                return Err(Error::NonFiniteSharpness { of, samples, value });
            }
            accumulate
                .run_into(&[&gradient, total, &base_gradient, &factor, &of_base], &mut spare)?;
            std::mem::swap(&mut gradient, &mut spare[0]);
        }
        let per_sample = if s.estimator == Estimator::Central { 2 } else { 1 };
        let gradients = 1 + per_sample * self.samples;
        let sharpness = Some(value);
        Ok(Evaluation { loss, gradient, decoupled: None, buffers, sharpness, gradients })
    }

    fn state(&self) -> State {
        let mut state = self.sharpness.measure.state();
        state.numbers.insert("seed".to_owned(), self.seed);
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let seed = state.number(self.sharpness.name(), "seed")?;
        self.sharpness.measure.restore(state)?;
        self.seed = seed;
        Ok(())
    }
}
