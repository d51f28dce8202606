//! Choosing settings by the validation set.

use crate::grid::{Candidate, StudyMethod};
use crate::study::{Study, Trial, fit};
use anyhow::{Result, bail};
use burlap::cli::results::Results;
use burlap::cli::{Selection, say};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the validation set says of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SelectRow {
    /// Part of the training labels that was flipped.
    pub(crate) label_noise: f64,
    /// The method.
    pub(crate) method: String,
    /// The learning rate.
    pub(crate) lr: f64,
    /// The radius, where it was chosen.
    pub(crate) rho: Option<f64>,
    /// The weight, where it was chosen.
    pub(crate) lambda: Option<f64>,
    /// The seed.
    pub(crate) seed: u64,
    /// The accuracy on the validation set; empty where the run diverged.
    pub(crate) validation_accuracy: Option<f64>,
}

impl SelectRow {
    fn is(&self, trial: &Trial) -> bool {
        let Candidate { lr, rho, lambda } = trial.candidate;
        self.label_noise == trial.noise
            && self.method == trial.method.name
            && (self.lr, self.rho, self.lambda) == (lr, rho, lambda)
            && self.seed == trial.seed
    }
}

impl Study {
    /// Judges every candidate of every method on the validation set. The test set takes no part:
    /// what this reads of the data is a [`Selection`], which has none.
    ///
    /// # Errors
    /// What the data, the runs or the file report.
    pub(crate) fn select(&self) -> Result<()> {
        let mut results = self.selection()?;
        for &noise in &self.args.label_noise {
            for &seed in &self.args.selection_seeds {
                let trials = self.methods.iter().flat_map(|&method| {
                    let candidates = method.candidates().into_iter();
                    candidates.map(move |candidate| Trial { noise, method, candidate, seed })
                });
                let missing: Vec<Trial> =
                    trials.filter(|trial| !results.has(|row| row.is(trial))).collect();
                if missing.is_empty() {
                    continue;
                }
                let Selection { training, validation } =
                    self.data(noise).selection(self.args.validation, seed)?;
                let (training, validation) = (Arc::new(training), Arc::new(validation));
                for trial in missing {
                    let experiment = self.experiment(&trial, &training, &validation)?;
                    let accuracy = match fit(&experiment, trial.method)? {
                        Some(f) => {
                            Some(experiment.evaluate(&validation, f.training.parameters())?.1)
                        }
                        None => None,
                    };
                    let Candidate { lr, rho, lambda } = trial.candidate;
                    let method = trial.method.name.to_owned();
                    results.push(SelectRow {
                        label_noise: noise,
                        method,
                        lr,
                        rho,
                        lambda,
                        seed,
                        validation_accuracy: accuracy,
                    })?;
                    say!("{trial}: {}", accuracy.map_or("diverged".into(), |a| format!("{a:.4}")))?;
                }
            }
        }
        Ok(())
    }

    fn selection(&self) -> Result<Results<SelectRow>> {
        Ok(Results::open(&self.file("study-select.csv"), &self.settings())?)
    }

    /// The chosen candidates of the methods.
    pub(crate) fn chosen(&self, noise: f64) -> Result<Vec<(&'static StudyMethod, Candidate)>> {
        let results = self.selection()?;
        self.methods.iter().map(|&m| Ok((m, self.best(results.rows(), noise, m)?))).collect()
    }

    /// The candidate with the highest mean accuracy on the validation set; the first of several. One
    /// that diverged with any seed is out.
    fn best(
        &self,
        rows: &[SelectRow],
        noise: f64,
        method: &'static StudyMethod,
    ) -> Result<Candidate> {
        let mut best: Option<(f64, Candidate)> = None;
        for candidate in method.candidates() {
            let mut sum = Some(0.0);
            for &seed in &self.args.selection_seeds {
                let trial = Trial { noise, method, candidate, seed };
                let Some(row) = rows.iter().find(|row| row.is(&trial)) else {
                    bail!("{trial}: not in study-select.csv yet; run `study select` first");
                };
                sum = sum.zip(row.validation_accuracy).map(|(sum, a)| sum + a);
            }
            if let Some(sum) = sum
                && best.is_none_or(|(top, _)| sum > top)
            {
                best = Some((sum, candidate));
            }
        }
        match best {
            Some((_, candidate)) => Ok(candidate),
            None => bail!("{} with noise {noise}: every candidate diverged", method.name),
        }
    }
}
