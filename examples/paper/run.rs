//! Training with ‖H‖²_F measured after every epoch.

use super::{Paper, PaperMethod};
use crate::curvature::hessian_of_first;
use crate::experiment::{Epoch, Experiment, Files};
use crate::results::Results;
use crate::{say, writable_folder};
use anyhow::{Context, Result, bail};
use burlap::optim::curvature::{Probes, frobenius_norm};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::rc::Rc;

/// What is known of a run after an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrobeniusRow {
    /// full, S or C.
    pub variant: String,
    /// The method, as on the command line.
    pub method: String,
    /// The seed.
    pub seed: u64,
    /// The number of epochs done.
    pub epoch: u64,
    /// The mean of ‖Hv‖² over Gaussian v.
    pub frobenius_squared: f64,
    /// Its standard error over v.
    pub frobenius_squared_se: f64,
    /// The mean of the batches' losses during the epoch.
    pub epoch_loss: f64,
    /// Mean loss on the test set.
    pub test_loss: f64,
    /// Accuracy on the test set.
    pub test_accuracy: f64,
}

/// The file of all variants.
pub(super) const FILE: &str = "mnist-frobenius";

impl Paper {
    pub(super) fn results(&self) -> Result<Results<FrobeniusRow>> {
        Results::open(&self.args.out.join(format!("{FILE}.csv")), &self.settings())
    }

    /// Trains all methods with all seeds, as far as this has not been done.
    ///
    /// # Errors
    /// What the data, the runs or the files report.
    pub fn run(&self) -> Result<()> {
        writable_folder(&self.args.out, [format!("{FILE}.md")])?;
        let mut results = self.results()?;
        for &seed in &self.args.seeds {
            let mut sets = None;
            for method in &self.methods {
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
                        sets.insert((Rc::new(train), Rc::new(test)))
                    }
                };
                let experiment = Experiment::on(&args, Rc::clone(train), Rc::clone(test))?;
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
        experiment.fit(method.optimizer(), &files, |epoch| {
            if results.has(|row| self.is(row, method, seed) && row.epoch == epoch.number) {
                return Ok(());
            }
            let row = self.measure(experiment, epoch, method, seed)?;
            let said = format!(
                "{}, {method}, seed {seed}, epoch {}: ‖H‖²_F {:.1} ± {:.1}, loss {:.4}, accuracy {:.4}",
                row.variant,
                row.epoch,
                row.frobenius_squared,
                row.frobenius_squared_se,
                row.epoch_loss,
                row.test_accuracy,
            );
            results.push(row)?;
            say!("{said}")
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
        let (data, objective) = (&experiment.train, epoch.training.objective());
        let mut hessian = hessian_of_first(a.hessian_examples, data, objective, x)?;
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
