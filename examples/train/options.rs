//! The command line.

use clap::Parser;
use std::path::PathBuf;
use support::TrainingArgs;

/// Trains one network with several optimizers and compares the sharpness of what they find.
#[derive(Parser, Clone, Debug)]
#[command(name = "train")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) training: TrainingArgs,

    /// One or more of sgd, sam, asam, ssam-f, ssam-d, gsam, looksam, esam, f-sam, wsam, fisher-sam,
    /// msam, cr-sam, eigen-sam, trace-sam, frob-sam, det-sam, logdet-sam, max-eigen-sam, tilted-sam
    #[arg(long, value_delimiter = ',', default_value = "sgd,sam,trace-sam,frob-sam,logdet-sam")]
    pub(crate) optimizer: Vec<String>,

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
