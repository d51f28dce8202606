//! Training with ‖H‖²_F measured after every epoch.

use crate::method::PaperMethod;
use crate::paper::Paper;
use anyhow::{Context, Result, bail};
use burlap::cli::results::Results;
use burlap::cli::{Epoch, Experiment, Files, say};
use burlap::optim::curvature::{Probes, frobenius_norm};
use burlap::report::writable_folder;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// What is known of a run after an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FrobeniusRow {
    /// full, S or C.
    pub(crate) variant: String,
    /// The method, as on the command line.
    pub(crate) method: String,
    /// The seed.
    pub(crate) seed: u64,
    /// The number of epochs done.
    pub(crate) epoch: u64,
    /// The mean of ‖Hv‖² over Gaussian v.
    pub(crate) frobenius_squared: f64,
    /// Its standard error over v.
    pub(crate) frobenius_squared_se: f64,
    /// The mean of the batches' losses during the epoch.
    pub(crate) epoch_loss: f64,
    /// Mean loss on the test set.
    pub(crate) test_loss: f64,
    /// Accuracy on the test set.
    pub(crate) test_accuracy: f64,
}

/// The file of all variants.
pub(crate) const FILE: &str = "mnist-frobenius";

impl Paper {
    pub(crate) fn results(&self) -> Result<Results<FrobeniusRow>> {
        Ok(Results::open(&self.args.out.join(format!("{FILE}.csv")), &self.settings())?)
    }

    /// Trains all methods with all seeds, as far as this has not been done.
    ///
    /// # Errors
    /// What the data, the runs or the files report.
    pub(crate) fn run(&self) -> Result<()> {
        writable_folder(&self.args.out, [format!("{FILE}.md")])?;
        let mut results = self.results()?;
        for &seed in &self.args.seeds {
            let mut sets = None;
            for method in self.methods() {
                if self.epochs_done(&results, method, seed) == self.args.epochs {
                    // Killed after its last line.
                    self.forget(method, seed)?;
                    continue;
                }
                let args = self.training(method, seed);
                let (train, test) = match &sets {
                    Some(sets) => sets,
                    None => {
                        let (train, test) = args.data.load(seed)?;
                        sets.insert((Arc::new(train), Arc::new(test)))
                    }
                };
                let experiment = Experiment::on(&args, Arc::clone(train), Arc::clone(test))?;
                self.one(&experiment, method, seed, &mut results)?;
            }
        }
        Ok(())
    }

    fn is(&self, row: &FrobeniusRow, method: &PaperMethod, seed: u64) -> bool {
        row.variant == self.args.experiment.variant()
            && row.method == method.to_string()
            && row.seed == seed
    }

    fn epochs_done(&self, results: &Results<FrobeniusRow>, method: &PaperMethod, seed: u64) -> u64 {
        results.rows().iter().filter(|row| self.is(row, method, seed)).count() as u64
    }

    /// A run, from where it was left.
    fn one(
        &self,
        experiment: &Experiment,
        method: &PaperMethod,
        seed: u64,
        results: &mut Results<FrobeniusRow>,
    ) -> Result<()> {
        let file = self.saved(method, seed)?;
        // A saved run without results is that of a file that is gone.
        let known = self.epochs_done(results, method, seed) > 0 && file.exists();
        let files = Files { save: Some(file.clone()), resume: known.then(|| file.clone()) };
        experiment.fit_observed(method.optimizer(), &files, |epoch| {
            if results.has(|row| self.is(row, method, seed) && row.epoch == epoch.number) {
                return Ok(());
            }
            let row = self.measure(experiment, epoch, method, seed)?;
            let description = format!(
                "{}, {method}, seed {seed}, epoch {}: ‖H‖²_F {:.1} ± {:.1}, loss {:.4}, accuracy {:.4}",
                row.variant,
                row.epoch,
                row.frobenius_squared,
                row.frobenius_squared_se,
                row.epoch_loss,
                row.test_accuracy,
            );
            results.push(row)?;
            anyhow::Ok(say!("{description}")?)
        })?;
        if self.epochs_done(results, method, seed) != self.args.epochs {
            bail!("{}: the saved run is ahead of the results; remove it", file.display());
        }
        self.forget(method, seed)
    }

    /// Removes what was saved of a run that has ended.
    fn forget(&self, method: &PaperMethod, seed: u64) -> Result<()> {
        let file = self.saved(method, seed)?;
        match fs::remove_file(&file) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).with_context(|| format!("{}", file.display()))
            }
            _ => Ok(()),
        }
    }

    /// Where a run is saved after every epoch.
    fn saved(&self, method: &PaperMethod, seed: u64) -> Result<PathBuf> {
        let folder = self.args.out.join(format!("{FILE}.runs"));
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let variant = self.args.experiment.variant();
        Ok(folder.join(format!("{variant}-{method}-{seed}.safetensors")))
    }

    fn measure(
        &self,
        experiment: &Experiment,
        epoch: &Epoch<'_>,
        method: &PaperMethod,
        seed: u64,
    ) -> Result<FrobeniusRow> {
        let a = &self.args;
        let x = epoch.training.parameters();
        let objective = epoch.training.objective();
        let mut hessian = experiment.hessian(objective, x, a.hessian_examples)?;
        let norm = frobenius_norm(&mut hessian, Probes::Gaussian, a.hessian_probes, seed)?;
        let (test_loss, test_accuracy) = experiment.evaluate(&experiment.test, x)?;
        Ok(FrobeniusRow {
            variant: a.experiment.variant().to_owned(),
            method: method.to_string(),
            seed,
            epoch: epoch.number,
            // The norm is the root of the mean; its error came from the mean's by the delta method.
            frobenius_squared: norm.value.powi(2),
            frobenius_squared_se: 2.0 * norm.value * norm.standard_error,
            epoch_loss: epoch.loss,
            test_loss,
            test_accuracy,
        })
    }
}
