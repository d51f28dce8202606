//! What a run looks like over time: loss, accuracy and sharpness by epoch.

use crate::curvature::{CURVATURE_EXAMPLES, Curvature};
use crate::experiment::{Epoch, Experiment};
use crate::plot::{Axis, Chart, Picture};
use anyhow::Result;

/// What is known after an epoch.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The number of epochs done.
    pub epoch: u64,
    /// The mean of the batches' losses during the epoch.
    pub loss: f64,
    /// The part of the test set that is classified right.
    pub test_accuracy: f64,
    /// The Hessian, in the epochs in which it is measured.
    pub curvature: Option<Curvature>,
}

/// A run over time.
#[derive(Clone, Debug)]
pub struct History {
    /// The optimizer.
    pub name: String,
    /// Epoch by epoch.
    pub moments: Vec<Moment>,
    every: u64,
    probes: usize,
}

impl History {
    /// Nothing yet; curvature will be measured every so many epochs and after the last, with so
    /// many probes.
    pub fn new(name: &str, every: u64, probes: usize) -> History {
        History { name: name.to_owned(), moments: Vec::new(), every: every.max(1), probes }
    }

    /// Appends what is known after an epoch: hand this to [`Experiment::fit`].
    ///
    /// # Errors
    /// What measuring reports.
    pub fn observe(&mut self, experiment: &Experiment, epoch: &Epoch<'_>) -> Result<()> {
        let x = epoch.training.parameters();
        let (_, test_accuracy) = experiment.evaluate(&experiment.test, x)?;
        let due = epoch.number.is_multiple_of(self.every) || epoch.number == experiment.args.epochs;
        let curvature = due
            .then(|| experiment.curvature(epoch.training.objective(), x, self.probes))
            .transpose()?;
        self.moments.push(Moment {
            epoch: epoch.number,
            loss: epoch.loss,
            test_accuracy,
            curvature,
        });
        Ok(())
    }
}

/// A chart's name and axis, and what is drawn: a number with its standard error.
type Drawn = (&'static str, fn(&str) -> Axis, fn(&Moment) -> Option<(f64, f64)>);

const DRAWN: [Drawn; 5] = [
    ("training loss", Axis::log, |m| Some((m.loss, 0.0))),
    ("test accuracy", Axis::linear, |m| Some((m.test_accuracy, 0.0))),
    ("tr H", Axis::log, |m| m.curvature.as_ref().map(|c| (c.trace.value, c.trace.standard_error))),
    ("‖H‖_F", Axis::log, |m| {
        m.curvature.as_ref().map(|c| (c.frobenius.value, c.frobenius.standard_error))
    }),
    ("λ_max", Axis::log, |m| m.curvature.as_ref().map(|c| (c.top.value, c.top.residual))),
];

/// Loss, accuracy, and trace, Frobenius norm and largest eigenvalue of the Hessian, by epoch.
pub fn curves_picture(histories: &[History]) -> Picture {
    let mut picture = Picture::new("Training").chart_size(440.0, 270.0);
    for (name, axis, of) in DRAWN {
        let mut chart = Chart::new("", Axis::count("epoch"), axis(name));
        for h in histories {
            let known: Vec<(f64, f64, f64)> = h
                .moments
                .iter()
                .filter_map(|m| of(m).map(|(value, error)| (m.epoch as f64, value, error)))
                .collect();
            if known.iter().any(|k| k.2 > 0.0) {
                chart = chart.band(&h.name, known.iter().map(|&(x, y, e)| (x, y - e, y + e)));
            }
            chart = chart.line(&h.name, known.iter().map(|&(x, y, _)| (x, y)));
        }
        picture = picture.chart(chart);
    }
    picture
}

/// What was measured, for the caption of the picture.
pub fn curves_caption(histories: &[History], experiment: &Experiment) -> String {
    let (every, probes) = histories.first().map_or((1, 0), |h| (h.every, h.probes));
    format!(
        "By epoch: mean of the batches' cross-entropies; accuracy on {} test examples; trace and Frobenius norm of the \
         Hessian of the mean training loss of {} examples ({probes} random ±1 probes, bands: ± one standard error) and \
         its largest eigenvalue (Lanczos), measured every {every} epochs and after the last.",
        experiment.test.len(),
        experiment.train.len().min(CURVATURE_EXAMPLES),
    )
}
