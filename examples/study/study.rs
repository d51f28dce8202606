//! A comparison of methods: settings chosen on a validation set, results over seeds on the test
//! set, all of it in CSV files that a killed study goes on from.

use crate::grid::{Candidate, STUDY_METHODS, StudyMethod};
use crate::options::StudyArgs;
use anyhow::{Context, Result};
use burlap::cli::results::Settings;
use burlap::cli::{
    self, DataArgs, Experiment, Files, MethodArgs, ScheduleKind, TrainedRun, TrainingArgs, distinct,
};
use burlap::nn::data::Dataset;
use burlap::optim::{self, MethodSettings};
use burlap::report::writable_folder;
use std::path::PathBuf;
use std::sync::Arc;

/// The files that are written anew.
pub(crate) const TIMES: &str = "study-time.csv";
pub(crate) const TABLE: &str = "study.md";

/// A study: its settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct Study {
    pub(crate) args: StudyArgs,
    pub(crate) methods: Vec<&'static StudyMethod>,
}

impl Study {
    /// # Errors
    /// For settings out of range and unknown methods.
    pub(crate) fn new(args: &StudyArgs) -> Result<Study> {
        distinct("--seeds", &args.seeds)?;
        distinct("--selection-seeds", &args.selection_seeds)?;
        distinct("--label-noise", &args.label_noise)?;
        let methods: Vec<&StudyMethod> = if args.methods.is_empty() {
            STUDY_METHODS.iter().collect()
        } else {
            distinct("--methods", &args.methods)?;
            args.methods.iter().map(|n| StudyMethod::named(n)).collect::<Result<_>>()?
        };
        Ok(Study { args: args.clone(), methods })
    }

    /// Whether the files that are written at the end can be, before any work.
    ///
    /// # Errors
    /// Says which of them cannot.
    pub(crate) fn check_files(&self) -> Result<()> {
        writable_folder(&self.args.out, [TIMES, TABLE]).context("--out")
    }

    pub(crate) fn settings(&self) -> Settings {
        let a = &self.args;
        vec![
            ("data", a.data.clone()),
            ("validation", a.validation.to_string()),
            ("fraction", a.fraction.to_string()),
            ("model", a.model.clone()),
            ("epochs", a.epochs.to_string()),
            ("batch", a.batch.to_string()),
            ("momentum", a.momentum.to_string()),
        ]
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.args.out.join(name)
    }

    pub(crate) fn data(&self, noise: f64) -> DataArgs {
        DataArgs {
            data: self.args.data.clone(),
            data_dir: self.args.data_dir.clone(),
            fraction: self.args.fraction,
            label_noise: noise,
            normalize: None,
        }
    }

    /// An experiment on data that have been read.
    pub(crate) fn experiment(
        &self,
        trial: &Trial,
        train: &Arc<Dataset>,
        judged: &Arc<Dataset>,
    ) -> Result<Experiment> {
        let a = &self.args;
        let args = TrainingArgs {
            data: self.data(trial.noise),
            model: a.model.clone(),
            method: MethodArgs {
                given: MethodSettings::new()
                    .with_some("estimator", trial.method.estimator)
                    .with_some("rho", trial.candidate.rho)
                    .with_some("lambda", trial.candidate.lambda),
                ..MethodArgs::default()
            },
            lr: trial.candidate.lr,
            schedule: ScheduleKind::Cosine,
            momentum: a.momentum,
            weight_decay: 0.0,
            epochs: a.epochs,
            batch: a.batch,
            drop_last: false,
            seed: trial.seed,
            threads: Some(a.threads),
        };
        Ok(Experiment::on(&args, Arc::clone(train), Arc::clone(judged))?)
    }
}

/// One run of a study.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) noise: f64,
    pub(crate) method: &'static StudyMethod,
    pub(crate) candidate: Candidate,
    pub(crate) seed: u64,
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Trial { noise, method, candidate, seed } = self;
        write!(f, "noise {noise}, {}, {candidate}, seed {seed}", method.name)
    }
}

/// A run to its end; `None` where loss or gradient ceased to be finite.
pub(crate) fn fit(experiment: &Experiment, method: &StudyMethod) -> Result<Option<TrainedRun>> {
    match experiment.fit(method.optimizer, &Files::default()) {
        Ok(run) => Ok(Some(run)),
        Err(cli::Error::Step { cause, .. }) if is_divergence(&cause) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_divergence(error: &optim::Error) -> bool {
    matches!(
        error,
        optim::Error::NonFiniteLoss { .. }
            | optim::Error::NonFiniteGradient { .. }
            | optim::Error::NonFiniteSharpness { .. }
    )
}
