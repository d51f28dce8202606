//! A look at a run before it begins.

use super::Trainer;
use crate::autodiff::Array;
use crate::train::Result;
use std::fmt;
use std::time::{Duration, Instant};

/// What a run would take.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DryRun {
    /// The number of parameters.
    pub parameters: usize,
    /// Bytes of parameters, and of the state of rule and estimator.
    pub state_bytes: usize,
    /// The number of steps in an epoch.
    pub steps_per_epoch: usize,
    /// The time of compiling a step.
    pub compiling: Duration,
    /// The time of a step once it is compiled.
    pub step: Duration,
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DryRun { parameters, state_bytes, steps_per_epoch, compiling, step } = self;
        let epoch = *step * u32::try_from(*steps_per_epoch).unwrap_or(u32::MAX);
        write!(
            f,
            "{parameters} parameters, {state_bytes} bytes of state; compiled in {compiling:.1?}; \
             {step:.1?} a step, {steps_per_epoch} steps or {epoch:.1?} an epoch"
        )
    }
}

impl Trainer {
    /// Two steps on the first batches and one batch of validation, after which everything is as it
    /// was: whether data, loss, metrics and settings fit, and how long a step takes.
    ///
    /// # Errors
    /// As [`fit`](Trainer::fit).
    pub fn dry_run(&mut self) -> Result<DryRun> {
        let running = &mut self.running;
        running.check()?;
        if let Some((data, metrics)) = &running.validation {
            let few = data.first(running.task.evaluation_batch)?;
            running.task.evaluate(running.training.parameters(), &few, metrics)?;
        }
        let before = running.training.state();
        let mut times = Vec::new();
        for _ in 0..2 {
            let first = running.loader.epoch(0).next();
            if let Some(batch) = first {
                let batch = batch?;
                let begin = Instant::now();
                let stepped = running.training.step(&batch);
                times.push(begin.elapsed());
                if let Err(error) = stepped {
                    running.training.restore(&before)?;
                    return Err(error.into());
                }
            }
        }
        let state = running.training.state();
        running.training.restore(&before)?;
        let bytes = |array: &Array| array.len() * array.dtype().size();
        let (first, second) = match times[..] {
            [first, second] => (first, second),
            _ => (Duration::ZERO, Duration::ZERO),
        };
        Ok(DryRun {
            parameters: running.task.model().layout().total(),
            state_bytes: state.arrays.values().map(bytes).sum(),
            steps_per_epoch: running.loader.batches_per_epoch(),
            compiling: first.saturating_sub(second),
            step: second,
        })
    }
}
