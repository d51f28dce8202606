//! The results of one method.

use anyhow::Result;
use burlap::cli::{Experiment, TrainedRun};
use burlap::optim::{Estimator, MethodSettings};
use burlap::report::CurvatureSummary;
use serde::Serialize;

/// Directions a step, or the examples of a Fisher mask.
pub(crate) fn samples(settings: &MethodSettings) -> Option<usize> {
    let count = settings.count("samples").or_else(|_| settings.count("fisher-examples"));
    count.ok().map(|n| n as usize)
}

/// The result of a run: a row of the table, and a line of JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) optimizer: String,
    pub(crate) estimator: Option<&'static str>,
    pub(crate) seed: u64,
    pub(crate) test_accuracy: f64,
    pub(crate) train_loss: f64,
    pub(crate) trace: f64,
    pub(crate) trace_se: f64,
    pub(crate) frobenius: f64,
    pub(crate) frobenius_se: f64,
    pub(crate) lambda_max: f64,
    pub(crate) lambda_max_residual: f64,
    pub(crate) seconds: f64,
    pub(crate) steps: u64,
    pub(crate) data: String,
    pub(crate) model: String,
    pub(crate) epochs: u64,
    pub(crate) batch: usize,
    pub(crate) lr: f64,
    pub(crate) rho: Option<f64>,
    pub(crate) lambda: Option<f64>,
    pub(crate) samples: Option<usize>,
    pub(crate) label_noise: f64,
    pub(crate) fraction: f64,
}

impl Outcome {
    /// Measures the solution of a run.
    pub(crate) fn measure(
        name: &str,
        experiment: &Experiment,
        run: &TrainedRun,
        probes: usize,
    ) -> Result<Outcome> {
        let (a, training) = (&experiment.args, &run.training);
        let x = training.parameters();
        let (train_loss, _) = experiment.evaluate(&experiment.train, x)?;
        let (_, test_accuracy) = experiment.evaluate(&experiment.test, x)?;
        let CurvatureSummary { trace, frobenius, top } =
            experiment.curvature(training.objective(), x, probes)?;
        let settings = &run.settings;
        Ok(Outcome {
            optimizer: name.to_owned(),
            estimator: settings.estimator().map(Estimator::name),
            seed: a.seed,
            test_accuracy,
            train_loss,
            trace: trace.value,
            trace_se: trace.standard_error,
            frobenius: frobenius.value,
            frobenius_se: frobenius.standard_error,
            lambda_max: top.value,
            lambda_max_residual: top.residual,
            seconds: run.time.as_secs_f64(),
            steps: training.steps(),
            data: a.data.data.clone(),
            model: a.model.clone(),
            epochs: a.epochs,
            batch: a.batch,
            lr: a.lr,
            rho: settings.number("rho").ok(),
            lambda: settings.number("lambda").ok(),
            samples: samples(settings),
            label_noise: a.data.label_noise,
            fraction: a.data.fraction,
        })
    }
}
