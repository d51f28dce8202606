//! The command line.

use burlap::cli::{Normalize, numbers};
use clap::Parser;
use std::path::PathBuf;

/// Repeats an experiment of "A Universal Class of Sharpness-Aware Minimization Algorithms".
///
/// Results are appended to mnist-frobenius.csv in --out, one line for each variant, method, seed and
/// epoch, and summed up in mnist-frobenius.md; the same command goes on where an interrupted one
/// stopped. Defaults are those of the authors' published code, github.com/dbahri/universal_sam.
///
/// The experiments on CIFAR-10, CIFAR-100 and SVHN are not here: their residual networks need
/// convolutions, which burlap does not have yet.
#[derive(Parser, Clone, Debug)]
#[command(name = "paper")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) paper: PaperArgs,
}

/// An experiment of the paper.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaperExperiment {
    /// ‖H‖²_F over the epochs of training on MNIST, Frob-SAM against SGD
    MnistFrobenius,
    /// The same with the first tenth of the training set
    MnistFrobeniusS,
    /// The same with a fifth of the training labels flipped to another class
    MnistFrobeniusC,
}

impl PaperExperiment {
    pub(crate) fn variant(self) -> &'static str {
        match self {
            PaperExperiment::MnistFrobenius => "full",
            PaperExperiment::MnistFrobeniusS => "S",
            PaperExperiment::MnistFrobeniusC => "C",
        }
    }
}

/// Which experiment, and its settings; the defaults are the published ones.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PaperArgs {
    /// Which experiment
    #[arg(value_enum)]
    pub(crate) experiment: PaperExperiment,

    /// mnist, fashion-mnist, digits, or a path as in train
    #[arg(long, default_value = "mnist")]
    pub(crate) data: String,

    /// Where the four files of mnist or fashion-mnist lie
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Every feature becomes (feature − MEAN)/STD
    #[arg(long, value_name = "MEAN,STD", default_value = "0.1307,0.3081")]
    pub(crate) normalize: Normalize,

    /// First part of the training set that is used, before -S and -C
    #[arg(long, default_value_t = 1.0, value_parser = numbers::part)]
    pub(crate) fraction: f64,

    /// The network: paper, simple or mlp:H1,H2,… as in train
    #[arg(long, default_value = "paper")]
    pub(crate) model: String,

    /// sgd, and Frob-SAM by the name of its estimator: one-sided (the published one), central, exact
    /// or hvp; NAME@LAMBDA sets another weight than --lambda
    #[arg(long, value_delimiter = ',', default_value = "sgd,one-sided,central,exact")]
    pub(crate) methods: Vec<String>,

    /// Seeds of initialisation, shuffling, directions and flipped labels
    #[arg(long, value_delimiter = ',', default_value = "1,2,3", value_parser = numbers::seed)]
    pub(crate) seeds: Vec<u64>,

    /// Radius ρ of the perturbation
    #[arg(long, default_value_t = 0.01, value_parser = numbers::positive)]
    pub(crate) rho: f64,

    /// Weight λ as published: the update is ∇L + (λ/ρ²) Cov(L(x + ρv), ∇L(x + ρv)), which is the
    /// gradient of L + λρ²·¼‖H‖²_F with one-sided differences for the curvatures
    #[arg(long, default_value_t = 0.005, value_parser = numbers::not_negative)]
    pub(crate) lambda: f64,

    /// Random directions a step
    #[arg(long, default_value_t = 2, value_parser = numbers::count)]
    pub(crate) samples: usize,

    /// Learning rate, constant
    #[arg(long, default_value_t = 1e-3, value_parser = numbers::not_negative)]
    pub(crate) lr: f64,

    /// Momentum
    #[arg(long, default_value_t = 0.9, value_parser = numbers::below_one)]
    pub(crate) momentum: f64,

    /// Weight decay
    #[arg(long, default_value_t = 0.0, value_parser = numbers::not_negative)]
    pub(crate) weight_decay: f64,

    /// Examples a step; the last batch of an epoch is left out where it is not full
    #[arg(long, default_value_t = 128, value_parser = numbers::count)]
    pub(crate) batch: usize,

    /// Passes over the training set
    #[arg(long, default_value_t = 20, value_parser = numbers::whole_u64(1..=numbers::MANY_U64))]
    pub(crate) epochs: u64,

    /// First examples of the training set whose Hessian is measured
    #[arg(long, default_value_t = 1280, value_parser = numbers::count)]
    pub(crate) hessian_examples: usize,

    /// Gaussian vectors v in the mean of ‖Hv‖²
    #[arg(long, default_value_t = 100, value_parser = numbers::whole(2..=numbers::MANY))]
    pub(crate) hessian_probes: usize,

    /// Threads, at most one for each processor, which is the default
    #[arg(long, value_parser = numbers::count)]
    pub(crate) threads: Option<usize>,

    /// Folder of the results; what is there is not computed again
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
}
