//! Runs of commands over time: loss, accuracy and curvature by epoch.

use super::error::Result;
use super::experiment::{Epoch, Experiment};
use crate::report::{ERROR_SUFFIX, RunHistory};
use crate::train::EpochRecord;

/// The history of a run whose curvature is measured every few epochs.
#[derive(Clone, Debug)]
pub struct History {
    /// The records of the epochs: the test accuracy among their scores, and trace, Frobenius norm
    /// and largest eigenvalue of the Hessian among their measurements where these were due.
    pub run: RunHistory,
    every: u64,
    probes: usize,
}

impl History {
    /// No epochs yet. Curvature will be measured after each `every` epochs and after the last, with
    /// `probes` random vectors.
    #[must_use]
    pub fn new(name: &str, every: u64, probes: usize) -> History {
        History { run: RunHistory::new(name, &[]), every: every.max(1), probes }
    }

    /// Appends the record of an epoch: call this from
    /// [`fit_observed`](Experiment::fit_observed).
    ///
    /// # Errors
    /// What measuring reports.
    pub fn observe(&mut self, experiment: &Experiment, epoch: &Epoch<'_>) -> Result<()> {
        let training = epoch.training;
        let x = training.parameters();
        let (_, test_accuracy) = experiment.evaluate(&experiment.test, x)?;
        let due = epoch.number.is_multiple_of(self.every) || epoch.number == experiment.args.epochs;
        let mut measured = Vec::new();
        if due {
            let curvature = experiment.curvature(training.objective(), x, self.probes)?;
            let (trace, frobenius, top) = (curvature.trace, curvature.frobenius, curvature.top);
            for (name, value, error) in [
                ("tr H", trace.value, trace.standard_error),
                ("‖H‖_F", frobenius.value, frobenius.standard_error),
                ("λ_max", top.value, top.residual),
            ] {
                measured.push((name.to_owned(), value));
                measured.push((format!("{name}{ERROR_SUFFIX}"), error));
            }
        }
        self.run.epochs.push(EpochRecord {
            epoch: epoch.number,
            step: training.steps(),
            loss: epoch.loss,
            rate: training.schedule().rate(training.steps().saturating_sub(1)),
            seconds: epoch.seconds,
            scores: vec![("test accuracy".to_owned(), test_accuracy)],
            measured,
            is_best: false,
        });
        Ok(())
    }
}

/// The caption of the picture of training curves: the quantities and how they were measured.
#[must_use]
pub fn curves_caption(histories: &[History], experiment: &Experiment) -> String {
    let (every, probes) = histories.first().map_or((1, 0), |h| (h.every, h.probes));
    format!(
        "By epoch: mean of the batches' cross-entropies; accuracy on {} test examples; trace and Frobenius norm of the \
         Hessian of the mean training loss of {} examples ({probes} random ±1 probes, bands: ± one standard error) and \
         its largest eigenvalue (Lanczos), measured every {every} epochs and after the last.",
        experiment.test.len(),
        experiment.curvature_examples(),
    )
}
