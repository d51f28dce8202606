//! A comparison of methods: settings chosen on a validation set, results over seeds on the test
//! set, all of it in CSV files that a killed study goes on from.

mod grid;
mod report;
mod run;
mod select;
mod time;

pub use grid::{Candidate, STUDY_METHODS, StudyMethod};
pub use run::RunRow;
pub use select::SelectRow;
pub use time::TimeRow;

use crate::data::DataArgs;
use crate::experiment::{Experiment, Falling, Files, Fitted, TrainingArgs};
use crate::files::writable_folder;
use crate::method_args::MethodArgs;
use crate::numbers;
use crate::results::Settings;
use anyhow::{Context, Result, bail};
use burlap::nn::data::Dataset;
use burlap::optim::{self, MethodSettings};
use std::path::PathBuf;
use std::rc::Rc;

/// The files that are written anew.
const TIMES: &str = "study-time.csv";
const TABLE: &str = "study.md";

/// What a study compares, and on what.
#[derive(clap::Args, Clone, Debug)]
pub struct StudyArgs {
    /// fashion-mnist, mnist, digits, or a path as in train
    #[arg(long, global = true, default_value = "fashion-mnist")]
    pub data: String,

    /// Where the files of fashion-mnist or mnist lie
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Part of the training set that is held back for choosing settings, always with clean labels
    #[arg(long, global = true, default_value_t = 0.2, value_parser = numbers::between)]
    pub validation: f64,

    /// First part of the remaining training set that is trained on
    #[arg(long, global = true, default_value_t = 0.25, value_parser = numbers::part)]
    pub fraction: f64,

    /// Parts of the training labels that are flipped to another class; each is a study of its own
    #[arg(long, global = true, value_delimiter = ',', default_value = "0,0.2", value_parser = numbers::part_or_none)]
    pub label_noise: Vec<f64>,

    /// The network, as in train
    #[arg(long, global = true, default_value = "mlp:128,64")]
    pub model: String,

    /// Methods, the first of which the others are compared with; the default is all
    #[arg(long, global = true, value_delimiter = ',')]
    pub methods: Vec<String>,

    /// Seeds of the runs that are judged on the test set
    #[arg(long, global = true, value_delimiter = ',', default_value = "1,2,3,4,5", value_parser = numbers::seed)]
    pub seeds: Vec<u64>,

    /// Seeds of the runs that are judged on the validation set
    #[arg(long, global = true, value_delimiter = ',', default_value = "101", value_parser = numbers::seed)]
    pub selection_seeds: Vec<u64>,

    /// Passes over the training set
    #[arg(long, global = true, default_value_t = 15, value_parser = numbers::whole_u64(1..=numbers::MANY_U64))]
    pub epochs: u64,

    /// Examples a step
    #[arg(long, global = true, default_value_t = 128, value_parser = numbers::count)]
    pub batch: usize,

    /// Momentum
    #[arg(long, global = true, default_value_t = 0.9, value_parser = numbers::below_one)]
    pub momentum: f64,

    /// Random probes for trace and Frobenius norm at the solution
    #[arg(long, global = true, default_value_t = 50, value_parser = numbers::whole(2..=numbers::MANY))]
    pub probes: usize,

    /// Threads, at most one for each processor
    #[arg(long, global = true, default_value_t = 1, value_parser = numbers::count)]
    pub threads: usize,

    /// Folder of the results; what is there is not computed again
    #[arg(long, global = true, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
}

/// A study: its settings, checked.
#[derive(Clone, Debug)]
pub struct Study {
    args: StudyArgs,
    methods: Vec<&'static StudyMethod>,
}

/// Refuses an empty list and names that occur twice.
pub(crate) fn distinct<T: PartialEq + std::fmt::Display>(flag: &str, values: &[T]) -> Result<()> {
    if values.is_empty() {
        bail!("{flag}: at least one value is needed");
    }
    for (i, value) in values.iter().enumerate() {
        if values[..i].contains(value) {
            bail!("{flag}: {value} occurs twice");
        }
    }
    Ok(())
}

impl Study {
    /// # Errors
    /// For settings out of range and unknown methods.
    pub fn new(args: &StudyArgs) -> Result<Study> {
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
    pub fn check_files(&self) -> Result<()> {
        writable_folder(&self.args.out, [TIMES, TABLE]).context("--out")
    }

    fn settings(&self) -> Settings {
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

    fn file(&self, name: &str) -> PathBuf {
        self.args.out.join(name)
    }

    fn data(&self, noise: f64) -> DataArgs {
        DataArgs {
            data: self.args.data.clone(),
            data_dir: self.args.data_dir.clone(),
            fraction: self.args.fraction,
            label_noise: noise,
            normalize: None,
        }
    }

    /// An experiment on data that have been read.
    fn experiment(
        &self,
        trial: &Trial,
        train: &Rc<Dataset>,
        judged: &Rc<Dataset>,
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
            schedule: Falling::Cosine,
            momentum: a.momentum,
            weight_decay: 0.0,
            epochs: a.epochs,
            batch: a.batch,
            drop_last: false,
            seed: trial.seed,
            threads: Some(a.threads),
        };
        Experiment::on(&args, Rc::clone(train), Rc::clone(judged))
    }
}

/// One run of a study.
#[derive(Clone, Copy, Debug)]
struct Trial {
    noise: f64,
    method: &'static StudyMethod,
    candidate: Candidate,
    seed: u64,
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Trial { noise, method, candidate, seed } = self;
        write!(f, "noise {noise}, {}, {candidate}, seed {seed}", method.name)
    }
}

/// A run to its end; `None` where loss or gradient ceased to be finite.
fn fit(experiment: &Experiment, method: &StudyMethod) -> Result<Option<Fitted>> {
    match experiment.fit(method.optimizer, &Files::default(), |_| Ok(())) {
        Ok(fitted) => Ok(Some(fitted)),
        Err(error) => match error.downcast_ref::<optim::Error>() {
            Some(
                optim::Error::NonFiniteLoss { .. }
                | optim::Error::NonFiniteGradient { .. }
                | optim::Error::NonFiniteSharpness { .. },
            ) => Ok(None),
            _ => Err(error),
        },
    }
}
