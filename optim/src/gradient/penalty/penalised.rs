//! The penalty λρ²S: the gradient of L + λρ²S, accumulated sample by sample.

use super::Sharpness;
use super::sampling::{Curvatures, Point};
use crate::error::{Error, Result, not_negative, positive};
use crate::gradient::{Evaluation, Method};
use crate::objective::Objective;
use crate::objective::cache::Key;
use crate::random::{Draw, Purpose};
use crate::state::State;
use burlap_autodiff::{Array, Program};
use std::sync::Arc;

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

    /// acc + Σ aᵢ·(gᵢ − b·g₀), in one pass.
    fn accumulator(objective: &Objective, count: usize) -> Result<Arc<Program>> {
        objective.algebra(Key::Accumulate(count), |r| {
            let factors = r.tape.input("factors", r.x.dtype(), [count]);
            let (b, g0) = (r.scalar("of base"), r.vector("base gradient"));
            let term = |i| factors.at(i) * (r.vector(&format!("gradient {i}")) - b * g0);
            vec![(0..count).map(term).fold(r.x, |sum, term| sum + term)]
        })
    }
}

impl Method for SharpnessMethod {
    fn name(&self) -> &str {
        self.sharpness.name()
    }

    fn description(&self) -> String {
        format!("{self:?}, rho {}", self.sharpness.rho())
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        let (loss, base_gradient, buffers) = objective.value_grad_buffers(x, batch)?;
        let drawn = (self.draw(step, 0), self.samples);
        self.sharpness.prepare((objective, x, batch), Some(&base_gradient), drawn)?;
        let s = &self.sharpness;
        let at = Point { objective, x, batch, loss };
        let mut found = Curvatures::default();
        let mut kept = Vec::new();
        let keep = self.memory == Memory::Keep;
        let together = if keep { s.together() } else { 1 };
        for first in (0..self.samples).step_by(together) {
            let count = together.min(self.samples - first);
            let drawing = s.samples(objective, self.draw(step, first), (count, self.samples))?;
            if keep {
                kept.extend(s.curvature_gradients(&at, &drawing, &mut found)?);
            } else {
                s.curvatures(&at, &drawing, &mut found)?;
            }
        }
        let (value, weights, _) = s.weigh(&found.values, &found.log_weights, objective.dim())?;
        let (of_base, divisor) = s.gradient_form();
        let factor = self.lambda * s.rho * s.rho / divisor;
        let factors: Vec<f64> = weights.iter().map(|w| factor * w).collect();
        let factors = Array::from_f64(objective.dtype(), [factors.len()], &factors)?;
        if factors.to_f64_vec().iter().any(|f| !f.is_finite()) {
            // In double precision it may be.
            let (of, samples) = (s.name.clone(), self.samples);
            let value = objective.dtype().round(value);
            return Err(Error::NonFiniteSharpness { of, samples, value });
        }
        let of_base = objective.number(of_base);
        let gradient = if keep {
            let accumulate = Self::accumulator(objective, kept.len())?;
            let mut inputs = vec![&base_gradient, &factors, &of_base, &base_gradient];
            inputs.extend(&kept);
            accumulate.run(&inputs)?.swap_remove(0)
        } else {
            let accumulate = Self::accumulator(objective, 1)?;
            let mut gradient = base_gradient.clone();
            let mut spare = [objective.zero_vectors(1)];
            for (i, &factor) in factors.to_f64_vec().iter().enumerate() {
                let drawing = s.samples(objective, self.draw(step, i), (1, self.samples))?;
                let totals = s.curvature_gradients(&at, &drawing, &mut Curvatures::default())?;
                let factor = Array::from_f64(objective.dtype(), [1], &[factor])?;
                let mut inputs = vec![&gradient, &factor, &of_base, &base_gradient];
                inputs.extend(&totals);
                accumulate.run_into(&inputs, &mut spare)?;
                std::mem::swap(&mut gradient, &mut spare[0]);
            }
            gradient
        };
        let gradients = 1 + s.estimator.count() * self.samples;
        let sharpness = Some(value);
        Ok(Evaluation { loss, gradient, decoupled: None, buffers, sharpness, gradients })
    }

    fn state(&self) -> State {
        let mut state = self.sharpness.state();
        state.numbers.insert("seed".to_owned(), self.seed);
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let seed = state.number(self.sharpness.name(), "seed")?;
        self.sharpness.restore(state)?;
        self.seed = seed;
        Ok(())
    }
}
