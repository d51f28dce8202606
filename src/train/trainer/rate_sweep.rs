//! A look at which learning rates train at all.

use super::Trainer;
use crate::optim::{Schedule, Training};
use crate::train::{Error, Result};

/// Losses of steps whose learning rate rises geometrically (Smith 2017, arXiv 1506.01186,
/// section 3.3).
#[derive(Clone, Debug, PartialEq)]
pub struct RateSweep {
    points: Vec<(f64, f64)>,
}

/// The weight of the losses before in a smoothed one.
const SMOOTHING: f64 = 0.9;

/// A loss beyond so many times the least one has diverged.
const DIVERGED: f64 = 4.0;

impl RateSweep {
    /// Rates and the losses of the batches that were stepped with them, up to where the loss diverged.
    #[must_use]
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The rate at which the smoothed loss falls steepest by the rate's logarithm; `None` where it
    /// never falls.
    #[must_use]
    pub fn steepest(&self) -> Option<f64> {
        let smoothed = smoothed(&self.points);
        let slope = |i: usize| {
            let width = (self.points[i + 1].0 / self.points[i].0).ln();
            (smoothed[i + 1] - smoothed[i]) / width
        };
        let slopes = (0..smoothed.len().saturating_sub(1)).map(|i| (i, slope(i)));
        let (i, least) = slopes.min_by(|a, b| a.1.total_cmp(&b.1))?;
        (least < 0.0).then(|| self.points[i].0)
    }
}

/// Exponential means with the weights of what there is.
fn smoothed(points: &[(f64, f64)]) -> Vec<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut all = Vec::with_capacity(points.len());
    for (_, loss) in points {
        sum = SMOOTHING * sum + (1.0 - SMOOTHING) * loss;
        weight = SMOOTHING * weight + (1.0 - SMOOTHING);
        all.push(sum / weight);
    }
    all
}

impl Trainer {
    /// Takes steps with learning rates from `from` to `to`, each larger than the one before by the same
    /// factor, until the loss diverges; afterwards everything is as it was.
    ///
    /// ```
    /// # use burlap::prelude::*;
    /// # use burlap::train::{Data, Loader, Task, Trainer};
    /// # let (train, _) = burlap::nn::data::digits_split()?;
    /// # let train = Data::from(train);
    /// # let model = Model::new(mlp(&[64, 32, 10], Activation::Relu)?)?;
    /// # let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
    /// #     loss::cross_entropy(out, batch["labels"])
    /// # })?;
    /// # let training = Training::new(task.objective()?, Plain, Sgd::new(), 0.1, task.init(1))?;
    /// # let loader = Loader::new(&train, 64)?.shuffled(7);
    /// let mut trainer = Trainer::new(&task, training, loader);
    /// let sweep = trainer.sweep_rates(1e-4, 100.0, 100)?;
    /// let rate = sweep.steepest().unwrap_or(0.1);
    /// assert!(rate > 1e-3 && rate < 10.0);
    /// # Ok::<(), burlap::train::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < `from` < `to` and there are at least 2 steps; what steps report
    /// before the loss diverges.
    pub fn sweep_rates(&mut self, from: f64, to: f64, steps: u64) -> Result<RateSweep> {
        const OF: &str = "sweep of rates";
        if !(from > 0.0 && from < to && to.is_finite()) {
            let value = format!("{from} to {to}");
            return Err(Error::setting(OF, "the range", value, "positive, ascending and finite"));
        }
        if steps < 2 {
            return Err(Error::setting(OF, "the number of steps", steps, "at least 2"));
        }
        self.running.check()?;
        let training = &mut self.running.training;
        let (state, schedule) = (training.state(), training.schedule().clone());
        let first = training.steps();
        let exponent = move |t: u64| (t - first) as f64 / (steps - 1) as f64;
        training.set_schedule(Schedule::by(OF, move |t| from * (to / from).powf(exponent(t))));
        let found = self.sweep(steps);
        let training: &mut Training = &mut self.running.training;
        training.set_schedule(schedule);
        training.restore(&state)?;
        Ok(RateSweep { points: found? })
    }

    fn sweep(&mut self, steps: u64) -> Result<Vec<(f64, f64)>> {
        let (mut points, mut least) = (Vec::new(), f64::INFINITY);
        for epoch in self.running.epoch.. {
            for batch in self.running.loader.epoch(epoch) {
                let rate = self.running.training.rate();
                let loss = match self.running.training.step(&batch?) {
                    Ok(found) => found.loss,
                    // Rates that are too large end in infinities.
                    Err(
                        crate::optim::Error::NonFiniteLoss { .. }
                        | crate::optim::Error::NonFiniteGradient { .. }
                        | crate::optim::Error::NonFiniteSharpness { .. },
                    ) if points.len() > 1 => return Ok(points),
                    Err(error) => return Err(error.into()),
                };
                least = least.min(loss);
                points.push((rate, loss));
                let diverged = loss > DIVERGED * least && least > 0.0;
                if diverged || points.len() as u64 == steps {
                    return Ok(points);
                }
            }
        }
        Ok(points)
    }
}
