//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Trains one network with several optimizers and compares the sharpness of what they find.
#[derive(Parser, Clone, Debug)]
#[command(name = "train")]
pub(crate) struct Options {
    /// digits (embedded), mnist, fashion-mnist, or a path: a folder with four IDX files, or a
    /// CSV file whose last column is the label
    #[arg(long, default_value = "digits")]
    pub(crate) data: String,

    /// Where the files of mnist or fashion-mnist lie
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// mlp, mlp:H1,H2,… (hidden sizes), or simple (the six-layer network with a shared layer)
    #[arg(long, default_value = "mlp")]
    pub(crate) model: String,

    /// One or more of sgd, sam, asam, trace-sam, frob-sam, logdet-sam, tilted-sam, max-eigen-sam
    #[arg(long, value_delimiter = ',', default_value = "sgd,sam,trace-sam,frob-sam,logdet-sam")]
    pub(crate) optimizer: Vec<String>,

    /// How curvatures are obtained: one-sided, central, exact, or hvp (frob-sam only); the
    /// default is the method's own
    #[arg(long)]
    pub(crate) estimator: Option<String>,

    /// Radius of the perturbation; the default is the method's own
    #[arg(long)]
    pub(crate) rho: Option<f64>,

    /// Weight of the sharpness penalty λρ²S; the default is the method's own
    #[arg(long)]
    pub(crate) lambda: Option<f64>,

    /// Random directions a step; the default is the method's own
    #[arg(long)]
    pub(crate) samples: Option<usize>,

    /// Learning rate, decayed along a cosine
    #[arg(long, default_value_t = 0.05)]
    pub(crate) lr: f64,

    /// Momentum
    #[arg(long, default_value_t = 0.9)]
    pub(crate) momentum: f64,

    /// Weight decay
    #[arg(long, default_value_t = 0.0)]
    pub(crate) weight_decay: f64,

    /// Passes over the training set
    #[arg(long, default_value_t = 30)]
    pub(crate) epochs: u64,

    /// Examples a step
    #[arg(long, default_value_t = 64)]
    pub(crate) batch: usize,

    /// Seed of initialisation, shuffling and directions
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Threads; the default is one for each processor
    #[arg(long)]
    pub(crate) threads: Option<usize>,

    /// Part of the training labels that is flipped to another class
    #[arg(long, default_value_t = 0.0)]
    pub(crate) label_noise: f64,

    /// First part of the training set that is used
    #[arg(long, default_value_t = 1.0)]
    pub(crate) fraction: f64,

    /// Random probes for trace and Frobenius norm at the solution
    #[arg(long, default_value_t = 100)]
    pub(crate) probes: usize,

    /// Append the results to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Save the run after every epoch (with one optimizer)
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,

    /// Go on from a saved run
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
}
