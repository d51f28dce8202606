//! The loop itself.

use super::Trainer;
use super::record::{EpochRecord, Measurement};
use super::running::Running;
use super::signal::Listening;
use super::stop::Reason;
use crate::train::observe::{Observer, View};
use crate::train::{Batch, Error, Result, Weights};
use std::io::Write;
use std::path::Path;

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    reason: Reason,
    history: Vec<EpochRecord>,
    best: Option<Weights>,
    last: Weights,
}

impl Run {
    /// Why it ended.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The records of all epochs, those of earlier processes too.
    #[must_use]
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// The best weights where they were [kept](Trainer::keep_best), else the last.
    #[must_use]
    pub fn best(&self) -> &Weights {
        self.best.as_ref().unwrap_or(&self.last)
    }

    /// The weights at the end, averaged where there is an average.
    #[must_use]
    pub fn last(&self) -> &Weights {
        &self.last
    }
}

impl Trainer {
    /// Trains until `epochs` epochs are done in all, those before a resumption included, or until
    /// something ends the run earlier.
    ///
    /// # Errors
    /// What steps, metrics, observers and files report; [`Error::OtherRun`] for a checkpoint of
    /// another run. What was committed stays, and a further call goes on from there.
    pub fn fit(&mut self, epochs: u64) -> Result<Run> {
        self.begin(epochs)?;
        let listening = self.listens.then(Listening::begin);
        let reason = self.run(listening.as_ref());
        if let Err(error) = &reason {
            let view = self.running.view();
            self.observers.iter_mut().for_each(|observer| observer.on_error(error, &view));
        }
        let mut reason = reason?;
        if let Some((path, _)) = &self.running.checkpoint {
            let path = path.clone();
            if !self.running.is_saved() {
                self.write_checkpoint(&path)?;
            }
            if let Reason::Interrupted { saved } = &mut reason {
                *saved = Some(path);
            }
        }
        if let Reason::Interrupted { .. } = reason {
            // Whoever pressed the keys waits for a word; where nobody reads it, none is needed.
            let _ = writeln!(std::io::stderr(), "\ntraining {reason}");
        }
        self.all(|observer, view| observer.on_end(&reason, view))?;
        self.result(reason)
    }

    fn begin(&mut self, epochs: u64) -> Result<()> {
        self.running.epochs = epochs;
        self.running.stop.set(false);
        self.running.check()?;
        if !self.begun {
            if let Some((path, _)) = self.running.checkpoint.clone().filter(|(p, _)| p.exists()) {
                let states = self.running.restore(&path, self.observers.len())?;
                for (observer, state) in self.observers.iter_mut().zip(states) {
                    observer.restore(&state)?;
                }
            }
            self.begun = true;
        }
        self.all(|observer, view| observer.on_start(view))
    }

    /// Steps and epochs until the run ends.
    fn run(&mut self, listening: Option<&Listening>) -> Result<Reason> {
        let interrupted = || listening.is_some_and(Listening::is_interrupted);
        while self.running.epoch < self.running.epochs {
            if let Some(reason) = self.running.stopped() {
                return Ok(reason);
            }
            let loader = self.running.loader.clone();
            let mut batches = loader.epoch(self.running.epoch);
            let mut next = batches.nth(self.running.position as usize);
            while let Some(batch) = next {
                self.step(&batch?)?;
                // Between steps the state is whole: it can be saved, and the run end here.
                if interrupted() {
                    return Ok(Reason::Interrupted { saved: None });
                }
                if self.running.stop.get() {
                    return Ok(Reason::Observer);
                }
                next = batches.next();
            }
            self.end_epoch()?;
            if self.running.stop.get() {
                return Ok(Reason::Observer);
            }
            if interrupted() && self.running.epoch < self.running.epochs {
                return Ok(Reason::Interrupted { saved: None });
            }
        }
        Ok(self.running.stopped().unwrap_or(Reason::Finished))
    }

    fn step(&mut self, batch: &Batch) -> Result<()> {
        let mut record = self.running.step(batch)?;
        let mut measured: Vec<Measurement> = Vec::new();
        self.all(|observer, view| {
            measured.extend(observer.measure(view)?);
            Ok(())
        })?;
        self.running.remember(&measured);
        record.measured = measured;
        self.all(|observer, view| observer.on_step(&record, view))?;
        match self.running.checkpoint.clone() {
            Some((path, every)) if every.after_step(record.step) => self.write_checkpoint(&path),
            _ => Ok(()),
        }
    }

    fn end_epoch(&mut self) -> Result<()> {
        let record = self.running.end_epoch()?;
        self.all(|observer, view| observer.on_epoch(&record, view))?;
        match self.running.checkpoint.clone() {
            Some((path, every)) if every.after_epoch(record.epoch) => self.write_checkpoint(&path),
            _ => Ok(()),
        }
    }

    fn write_checkpoint(&mut self, path: &Path) -> Result<()> {
        let states = self.observers.iter().map(|observer| observer.state()).collect();
        self.running.save(path, states)?;
        self.all(|observer, view| observer.on_checkpoint(path, view))
    }

    fn all(
        &mut self,
        mut event: impl FnMut(&mut dyn Observer, &View<'_>) -> Result<()>,
    ) -> Result<()> {
        let view = self.running.view();
        self.observers.iter_mut().try_for_each(|observer| event(&mut **observer, &view))
    }

    fn result(&self, reason: Reason) -> Result<Run> {
        let Running { best, history, .. } = &self.running;
        let (history, best) = (history.clone(), best.clone());
        Ok(Run { reason, history, best, last: self.running.weights()? })
    }
}

impl Running {
    /// Why the run is at an end after the last epoch, if it is.
    fn stopped(&self) -> Option<Reason> {
        let target = self.stopping.as_ref().filter(|target| target.is_spent(self.epoch))?;
        let (metric, best_epoch) = (target.metric.clone(), target.epoch);
        Some(Reason::EarlyStopping { metric, best_epoch })
    }
}

impl Error {
    pub(in crate::train) fn setting(
        of: &'static str,
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Error {
        Error::Setting { of, name, value: value.to_string(), expected }
    }
}
