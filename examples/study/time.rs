//! What a step of each method costs, the methods taking turns.

use crate::study::{Study, TIMES, Trial};
use anyhow::{Context, Result, ensure};
use burlap::cli::results::{self, Settings};
use burlap::cli::{self, batch_arrays, cpu};
use burlap::nn::data::Dataset;
use burlap::report::median;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;

/// What a step of a method costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimeRow {
    /// The method.
    pub(crate) method: String,
    /// Median over rounds of the milliseconds of a step.
    pub(crate) milliseconds: f64,
    /// Median over rounds of the ratio to the first method's step in the same round.
    pub(crate) ratio: f64,
    /// Rounds in which all methods took their turn.
    pub(crate) rounds: usize,
    /// Steps of each turn.
    pub(crate) steps: usize,
}

impl Study {
    /// Times `rounds` rounds, in each of which every method takes `steps` steps with its chosen
    /// settings on clean labels, after one step that is not counted. Former times are replaced.
    ///
    /// # Errors
    /// When the selection is not complete; what the data, the steps or the file report.
    pub(crate) fn time(&self, rounds: usize, steps: usize) -> Result<()> {
        ensure!(
            rounds > 0 && steps > 0,
            "--rounds {rounds} --steps {steps}: at least 1 of both are needed"
        );
        let (noise, seed) = (self.args.label_noise[0], self.args.seeds[0]);
        let chosen = self.chosen(noise)?;
        let (train, _) = self.data(noise).final_sets(self.args.validation, seed)?;
        let train: Arc<Dataset> = Arc::new(train);
        let mut runs = Vec::new();
        for &(method, candidate) in &chosen {
            let trial = Trial { noise, method, candidate, seed };
            let experiment = self.experiment(&trial, &train, &train)?;
            let (training, _) = experiment.training(method.optimizer)?;
            runs.push((training, experiment.loader()?));
        }
        let mut times = vec![Vec::with_capacity(rounds); runs.len()];
        for round in 0..=rounds {
            for ((training, loader), times) in runs.iter_mut().zip(&mut times) {
                // The first round makes the programs.
                let count = if round == 0 { 1 } else { steps };
                let batches = loader.epoch(round as u64).cycle().take(count);
                let batches: Vec<_> = batches
                    .map(|indices| batch_arrays(train.gather(&indices)?, train.dim()))
                    .collect::<cli::Result<_>>()?;
                let begin = Instant::now();
                for batch in &batches {
                    training.step(batch)?;
                }
                if round > 0 {
                    times.push(1e3 * begin.elapsed().as_secs_f64() / count as f64);
                }
            }
        }
        let mut settings: Settings = self.settings();
        settings.push(("threads", cpu(Some(self.args.threads))?.threads().to_string()));
        let mut rows = Vec::new();
        for (&(method, _), own) in chosen.iter().zip(&times) {
            let ratios: Vec<f64> = own.iter().zip(&times[0]).map(|(a, b)| a / b).collect();
            let middle = |values: &[f64]| median(values).context("--rounds: at least 1 is needed");
            rows.push(TimeRow {
                method: method.name.to_owned(),
                milliseconds: middle(own)?,
                ratio: middle(&ratios)?,
                rounds,
                steps,
            });
        }
        Ok(results::write(&self.file(TIMES), &settings, &rows)?)
    }
}
