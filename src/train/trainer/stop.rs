//! When something is due, and when a run ends.

use super::checkpoint::Saved;
use crate::train::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    count: u64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Steps,
    Epochs,
}

impl Every {
    /// After every `count` steps.
    #[must_use]
    pub fn steps(count: u64) -> Every {
        Every { count, unit: Unit::Steps }
    }

    /// After every `count` epochs.
    #[must_use]
    pub fn epochs(count: u64) -> Every {
        Every { count, unit: Unit::Epochs }
    }

    pub(super) fn after_step(self, step: u64) -> bool {
        self.unit == Unit::Steps && step.is_multiple_of(self.count)
    }

    pub(super) fn after_epoch(self, epoch: u64) -> bool {
        self.unit == Unit::Epochs && epoch.is_multiple_of(self.count)
    }

    pub(super) fn check(self, of: &'static str) -> Result<()> {
        match self.count {
            0 => Err(Error::setting(of, "the number of steps or epochs", 0, "at least 1")),
            _ => Ok(()),
        }
    }
}

/// How long a run goes on without an improvement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    epochs: u64,
    least: f64,
}

impl Patience {
    /// A run whose best epoch is b ends after epoch b + `epochs`.
    #[must_use]
    pub fn epochs(epochs: u64) -> Patience {
        Patience { epochs, least: 0.0 }
    }

    /// Counts only improvements by more than `least`.
    #[must_use]
    pub fn with_least_improvement(mut self, least: f64) -> Patience {
        self.least = least;
        self
    }
}

/// A metric, and the best value of it so far.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) metric: String,
    is_maximised: bool,
    patience: Option<Patience>,
    best: Option<f64>,
    /// The epoch of the best value, counted from 1.
    pub(super) epoch: u64,
}

impl Target {
    pub(super) fn new(metric: &str, patience: Option<Patience>) -> Target {
        let metric = metric.to_owned();
        Target { metric, is_maximised: false, patience, best: None, epoch: 0 }
    }

    pub(super) fn set_maximised(&mut self, is_maximised: bool) {
        self.is_maximised = is_maximised;
    }

    /// Whether a value is better than the best so far, and becomes it.
    pub(super) fn improves(&mut self, value: f64, epoch: u64) -> bool {
        let least = self.patience.map_or(0.0, |patience| patience.least);
        let better = self.best.is_none_or(|best| {
            let gain = if self.is_maximised { value - best } else { best - value };
            gain > least
        });
        if better {
            (self.best, self.epoch) = (Some(value), epoch);
        }
        better
    }

    /// Whether the patience is at an end after an epoch.
    pub(super) fn is_spent(&self, epoch: u64) -> bool {
        self.patience.is_some_and(|patience| {
            self.best.is_some() && epoch >= self.epoch.saturating_add(patience.epochs)
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        let least = self.patience.map_or(0.0, |patience| patience.least);
        if least >= 0.0 && least.is_finite() {
            return Ok(());
        }
        let expected = "finite and not negative";
        Err(Error::setting("early stopping", "the least improvement", least, expected))
    }

    pub(super) fn save(&self, saved: &mut Saved, name: &str) {
        if let Some(best) = self.best {
            saved.put_float(&format!("{name}.value"), best);
            saved.put_number(&format!("{name}.epoch"), self.epoch);
        }
    }

    pub(super) fn restore(&mut self, saved: &Saved, name: &str) -> Result<()> {
        self.best = saved.float(&format!("{name}.value"));
        self.epoch = match self.best {
            Some(_) => saved.number(&format!("{name}.epoch"))?,
            None => 0,
        };
        Ok(())
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// All epochs that were asked for are done.
    Finished,
    /// The patience was at an end.
    EarlyStopping {
        /// The metric.
        metric: String,
        /// The epoch of its best value, counted from 1.
        best_epoch: u64,
    },
    /// A signal came (Ctrl-C), and the step that it met was completed.
    Interrupted {
        /// Where the run was saved.
        saved: Option<PathBuf>,
    },
    /// An observer asked for it.
    Observer,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Finished => f.write_str("all epochs done"),
            Reason::EarlyStopping { metric, best_epoch } => {
                write!(f, "no better {metric} since epoch {best_epoch}")
            }
            Reason::Interrupted { saved: Some(path) } => {
                write!(f, "interrupted; saved in {}", path.display())
            }
            Reason::Interrupted { saved: None } => f.write_str("interrupted; not saved"),
            Reason::Observer => f.write_str("an observer ended it"),
        }
    }
}
