//! The experiments of Tahmasebi et al., *A Universal Class of Sharpness-Aware Minimization
//! Algorithms* (ICML 2024, arXiv 2406.03682), with the settings of the authors' published code.

mod method;
mod report;
mod run;

pub use method::PaperMethod;
pub use run::FrobeniusRow;

use crate::data::{DataArgs, Normalize};
use crate::experiment::{Falling, TrainingArgs};
use crate::method_args::MethodArgs;
use crate::numbers;
use crate::results::Settings;
use crate::study::distinct;
use anyhow::Result;
use burlap::nn::Layout;
use burlap::optim::{self, MethodSettings};
use std::path::PathBuf;

/// An experiment of the paper.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaperExperiment {
    /// ‖H‖²_F over the epochs of training on MNIST, Frob-SAM against SGD
    MnistFrobenius,
    /// The same with the first tenth of the training set
    MnistFrobeniusS,
    /// The same with a fifth of the training labels flipped to another class
    MnistFrobeniusC,
}

impl PaperExperiment {
    fn variant(self) -> &'static str {
        match self {
            PaperExperiment::MnistFrobenius => "full",
            PaperExperiment::MnistFrobeniusS => "S",
            PaperExperiment::MnistFrobeniusC => "C",
        }
    }
}

/// Which experiment, and its settings; the defaults are the published ones.
#[derive(clap::Args, Clone, Debug)]
pub struct PaperArgs {
    /// Which experiment
    #[arg(value_enum)]
    pub experiment: PaperExperiment,

    /// mnist, fashion-mnist, digits, or a path as in train
    #[arg(long, default_value = "mnist")]
    pub data: String,

    /// Where the four files of mnist or fashion-mnist lie
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Every feature becomes (feature − MEAN)/STD
    #[arg(long, value_name = "MEAN,STD", default_value = "0.1307,0.3081")]
    pub normalize: Normalize,

    /// First part of the training set that is used, before -S and -C
    #[arg(long, default_value_t = 1.0, value_parser = numbers::part)]
    pub fraction: f64,

    /// The network: paper, simple or mlp:H1,H2,… as in train
    #[arg(long, default_value = "paper")]
    pub model: String,

    /// sgd, and Frob-SAM by the name of its estimator: one-sided (the published one), central, exact
    /// or hvp; NAME@LAMBDA sets another weight than --lambda
    #[arg(long, value_delimiter = ',', default_value = "sgd,one-sided,central,exact")]
    pub methods: Vec<String>,

    /// Seeds of initialisation, shuffling, directions and flipped labels
    #[arg(long, value_delimiter = ',', default_value = "1,2,3", value_parser = numbers::seed)]
    pub seeds: Vec<u64>,

    /// Radius ρ of the perturbation
    #[arg(long, default_value_t = 0.01, value_parser = numbers::positive)]
    pub rho: f64,

    /// Weight λ as published: the update is ∇L + (λ/ρ²) Cov(L(x + ρv), ∇L(x + ρv)), which is the
    /// gradient of L + λρ²·¼‖H‖²_F with one-sided differences for the curvatures
    #[arg(long, default_value_t = 0.005, value_parser = numbers::not_negative)]
    pub lambda: f64,

    /// Random directions a step
    #[arg(long, default_value_t = 2, value_parser = numbers::count)]
    pub samples: usize,

    /// Learning rate, constant
    #[arg(long, default_value_t = 1e-3, value_parser = numbers::not_negative)]
    pub lr: f64,

    /// Momentum
    #[arg(long, default_value_t = 0.9, value_parser = numbers::below_one)]
    pub momentum: f64,

    /// Weight decay
    #[arg(long, default_value_t = 0.0, value_parser = numbers::not_negative)]
    pub weight_decay: f64,

    /// Examples a step; the last batch of an epoch is left out where it is not full
    #[arg(long, default_value_t = 128, value_parser = numbers::count)]
    pub batch: usize,

    /// Passes over the training set
    #[arg(long, default_value_t = 20, value_parser = numbers::whole_u64(1..=numbers::MANY_U64))]
    pub epochs: u64,

    /// First examples of the training set whose Hessian is measured
    #[arg(long, default_value_t = 1280, value_parser = numbers::count)]
    pub hessian_examples: usize,

    /// Gaussian vectors v in the mean of ‖Hv‖²
    #[arg(long, default_value_t = 100, value_parser = numbers::whole(2..=numbers::MANY))]
    pub hessian_probes: usize,

    /// Threads, at most one for each processor, which is the default
    #[arg(long, value_parser = numbers::count)]
    pub threads: Option<usize>,

    /// Folder of the results; what is there is not computed again
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
}

/// An experiment of the paper with its settings, checked.
#[derive(Clone, Debug)]
pub struct Paper {
    args: PaperArgs,
    methods: Vec<PaperMethod>,
}

/// The part of the training set in -S.
const SMALL: f64 = 0.1;

/// The part of the labels that are flipped in -C.
const CORRUPT: f64 = 0.2;

impl Paper {
    /// # Errors
    /// For unknown methods, lists that are empty or name something twice, and settings that a method
    /// does not take.
    pub fn new(args: &PaperArgs) -> Result<Paper> {
        distinct("--seeds", &args.seeds)?;
        distinct("--methods", &args.methods)?;
        let methods = args.methods.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        let paper = Paper { args: args.clone(), methods };
        for method in &paper.methods {
            let settings = paper.training(method, 0).method.settings(0, &Layout::default())?;
            optim::method(method.optimizer(), &settings)?;
        }
        Ok(paper)
    }

    /// What all lines of the file have in common.
    fn settings(&self) -> Settings {
        let a = &self.args;
        vec![
            ("data", a.data.clone()),
            ("normalize", a.normalize.to_string()),
            ("fraction", a.fraction.to_string()),
            ("model", a.model.clone()),
            ("rho", a.rho.to_string()),
            ("lambda", a.lambda.to_string()),
            ("samples", a.samples.to_string()),
            ("lr", a.lr.to_string()),
            ("momentum", a.momentum.to_string()),
            ("weight-decay", a.weight_decay.to_string()),
            ("batch", a.batch.to_string()),
            ("epochs", a.epochs.to_string()),
            ("hessian-examples", a.hessian_examples.to_string()),
            ("hessian-probes", a.hessian_probes.to_string()),
        ]
    }

    fn data(&self) -> DataArgs {
        let a = &self.args;
        let small = a.experiment == PaperExperiment::MnistFrobeniusS;
        let corrupt = a.experiment == PaperExperiment::MnistFrobeniusC;
        DataArgs {
            data: a.data.clone(),
            data_dir: a.data_dir.clone(),
            fraction: if small { SMALL * a.fraction } else { a.fraction },
            label_noise: if corrupt { CORRUPT } else { 0.0 },
            normalize: Some(a.normalize),
        }
    }

    /// The methods, in their order.
    pub fn methods(&self) -> &[PaperMethod] {
        &self.methods
    }

    /// The settings of a run.
    pub fn training(&self, method: &PaperMethod, seed: u64) -> TrainingArgs {
        let a = &self.args;
        TrainingArgs {
            data: self.data(),
            model: a.model.clone(),
            method: match method.estimator() {
                None => MethodArgs::default(),
                Some(estimator) => MethodArgs {
                    given: MethodSettings::new()
                        .with("estimator", estimator)
                        .with("rho", a.rho)
                        // The library weighs ‖H‖²_F, the published update a quarter of it.
                        .with("lambda", 0.25 * method.lambda().unwrap_or(a.lambda))
                        .with("samples", a.samples),
                    ..MethodArgs::default()
                },
            },
            lr: a.lr,
            schedule: Falling::Constant,
            momentum: a.momentum,
            weight_decay: a.weight_decay,
            epochs: a.epochs,
            batch: a.batch,
            drop_last: true,
            seed,
            threads: a.threads,
        }
    }
}
