//! The runs that are judged on the test set.

use crate::grid::Candidate;
use crate::study::{Study, Trial, fit};
use anyhow::{Result, bail};
use burlap::cli::results::{Results, Settings};
use burlap::cli::say;
use burlap::nn::data::Dataset;
use burlap::report::CurvatureSummary;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The result of a run with the chosen settings; empty where it diverged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRow {
    /// Part of the training labels that was flipped.
    pub(crate) label_noise: f64,
    /// The method.
    pub(crate) method: String,
    /// The seed.
    pub(crate) seed: u64,
    /// The learning rate.
    pub(crate) lr: f64,
    /// The radius, where it was chosen.
    pub(crate) rho: Option<f64>,
    /// The weight, where it was chosen.
    pub(crate) lambda: Option<f64>,
    /// Accuracy on the test set.
    pub(crate) test_accuracy: Option<f64>,
    /// Mean loss on the test set.
    pub(crate) test_loss: Option<f64>,
    /// Mean loss on the training set with its flipped labels.
    pub(crate) train_loss: Option<f64>,
    /// tr H of the training loss.
    pub(crate) trace: Option<f64>,
    /// Its standard error over probes.
    pub(crate) trace_se: Option<f64>,
    /// ‖H‖_F.
    pub(crate) frobenius: Option<f64>,
    /// Its standard error over probes.
    pub(crate) frobenius_se: Option<f64>,
    /// λ_max by Lanczos.
    pub(crate) lambda_max: Option<f64>,
}

impl Study {
    fn run_settings(&self) -> Settings {
        let mut settings = self.settings();
        settings.push(("probes", self.args.probes.to_string()));
        settings
    }

    pub(crate) fn runs(&self) -> Result<Results<RunRow>> {
        Ok(Results::open(&self.file("study-run.csv"), &self.run_settings())?)
    }

    /// Trains each method with its chosen settings and every seed, and judges the results on the
    /// test set.
    ///
    /// # Errors
    /// When the selection is not complete or not the one of runs that are there; what the data,
    /// the runs or the file report.
    pub(crate) fn run(&self) -> Result<()> {
        let mut results = self.runs()?;
        for &noise in &self.args.label_noise {
            let chosen = self.chosen(noise)?;
            for &seed in &self.args.seeds {
                let mut missing = Vec::new();
                for &(method, candidate) in &chosen {
                    let trial = Trial { noise, method, candidate, seed };
                    if !done(results.rows(), &trial)? {
                        missing.push(trial);
                    }
                }
                if missing.is_empty() {
                    continue;
                }
                let (train, test) = self.data(noise).final_sets(self.args.validation, seed)?;
                let (train, test) = (Arc::new(train), Arc::new(test));
                for trial in missing {
                    let row = self.judged(&trial, &train, &test)?;
                    let accuracy = row.test_accuracy;
                    results.push(row)?;
                    say!("{trial}: {}", accuracy.map_or("diverged".into(), |a| format!("{a:.4}")))?;
                }
            }
        }
        Ok(())
    }

    fn judged(&self, trial: &Trial, train: &Arc<Dataset>, test: &Arc<Dataset>) -> Result<RunRow> {
        let Trial { noise, method, candidate: Candidate { lr, rho, lambda }, seed } = *trial;
        let mut row = RunRow {
            label_noise: noise,
            method: method.name.to_owned(),
            seed,
            lr,
            rho,
            lambda,
            test_accuracy: None,
            test_loss: None,
            train_loss: None,
            trace: None,
            trace_se: None,
            frobenius: None,
            frobenius_se: None,
            lambda_max: None,
        };
        let experiment = self.experiment(trial, train, test)?;
        let Some(run) = fit(&experiment, method)? else { return Ok(row) };
        let x = run.training.parameters();
        let (test_loss, test_accuracy) = experiment.evaluate(test, x)?;
        let (train_loss, _) = experiment.evaluate(train, x)?;
        let CurvatureSummary { trace, frobenius, top } =
            experiment.curvature(run.training.objective(), x, self.args.probes)?;
        row.test_accuracy = Some(test_accuracy);
        row.test_loss = Some(test_loss);
        row.train_loss = Some(train_loss);
        row.trace = Some(trace.value);
        row.trace_se = Some(trace.standard_error);
        row.frobenius = Some(frobenius.value);
        row.frobenius_se = Some(frobenius.standard_error);
        row.lambda_max = Some(top.value);
        Ok(row)
    }
}

/// Whether a run is there, with the settings that are the chosen ones now.
fn done(rows: &[RunRow], trial: &Trial) -> Result<bool> {
    let Trial { noise, method, candidate, seed } = trial;
    let like = |r: &&RunRow| r.label_noise == *noise && r.method == method.name && r.seed == *seed;
    let Some(row) = rows.iter().find(like) else { return Ok(false) };
    let then = Candidate { lr: row.lr, rho: row.rho, lambda: row.lambda };
    if then != *candidate {
        bail!(
            "study-run.csv: {} with noise {noise} and seed {seed} was run with {then}, but the \
             selection now says {candidate}",
            method.name
        );
    }
    Ok(true)
}
