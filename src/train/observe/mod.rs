//! Who watches a run: progress, files, measures.

mod csv;
mod eigenvalue;
mod json_lines;
mod lines;
mod progress;
mod tensorboard;
mod view;

pub use csv::Csv;
pub use eigenvalue::TopEigenvalue;
pub use json_lines::JsonLines;
pub use progress::{Log, Progress};
pub use tensorboard::TensorBoard;
pub use view::View;

use super::trainer::{EpochRecord, Measurement, Reason, StepRecord};
use super::{Error, Result};
use crate::optim::State;
use std::path::Path;

/// Something that watches a run. It sees states as they are after the commit of a step, never in
/// between; all methods do nothing unless written.
///
/// Measures of all observers are taken before any of them gets the record of the step, so a log has
/// the measures of observers that were added after it.
///
/// ```
/// use burlap::train::{EpochRecord, Observer, Result, View};
///
/// /// Ends a run whose training loss is small.
/// struct Enough(f64);
///
/// impl Observer for Enough {
///     fn on_epoch(&mut self, record: &EpochRecord, view: &View<'_>) -> Result<()> {
///         if record.loss < self.0 {
///             view.stop();
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Observer {
    /// The names of what [`measure`](Observer::measure) gives.
    fn measures(&self) -> Vec<String> {
        Vec::new()
    }

    /// Before the first step of this process, also where a saved run goes on.
    ///
    /// # Errors
    /// For what keeps the run from beginning.
    fn on_start(&mut self, view: &View<'_>) -> Result<()> {
        let _ = view;
        Ok(())
    }

    /// What there is to measure after a step.
    ///
    /// # Errors
    /// For what ends the run.
    fn measure(&mut self, view: &View<'_>) -> Result<Vec<Measurement>> {
        let _ = view;
        Ok(Vec::new())
    }

    /// After the commit of a step.
    ///
    /// # Errors
    /// For what ends the run.
    fn on_step(&mut self, record: &StepRecord, view: &View<'_>) -> Result<()> {
        let _ = (record, view);
        Ok(())
    }

    /// After an epoch and its validation.
    ///
    /// # Errors
    /// For what ends the run.
    fn on_epoch(&mut self, record: &EpochRecord, view: &View<'_>) -> Result<()> {
        let _ = (record, view);
        Ok(())
    }

    /// After a checkpoint was written.
    ///
    /// # Errors
    /// For what ends the run.
    fn on_checkpoint(&mut self, path: &Path, view: &View<'_>) -> Result<()> {
        let _ = (path, view);
        Ok(())
    }

    /// After a step that failed, which has changed nothing.
    fn on_error(&mut self, error: &Error, view: &View<'_>) {
        let _ = (error, view);
    }

    /// At the end.
    ///
    /// # Errors
    /// For what is to be told of the end.
    fn on_end(&mut self, reason: &Reason, view: &View<'_>) -> Result<()> {
        let _ = (reason, view);
        Ok(())
    }

    /// What the observer needs for measuring the same after a run was stopped and goes on.
    fn state(&self) -> State {
        State::default()
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// For one that does not fit.
    fn restore(&mut self, state: &State) -> Result<()> {
        let _ = state;
        Ok(())
    }
}
