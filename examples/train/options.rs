//! The command line.

use burlap::cli::{FilesArgs, LandscapeArgs, SpectrumArgs, TrainingArgs, numbers};
use clap::Parser;
use std::path::PathBuf;

/// Trains one network with several optimizers and compares the sharpness of what they find.
#[derive(Parser, Clone, Debug)]
#[command(name = "train")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) training: TrainingArgs,

    #[arg(
        long = "method",
        alias = "optimizer",
        value_name = "METHOD",
        value_delimiter = ',',
        default_value = "sgd,sam,trace-sam,frob-sam,logdet-sam",
        help = burlap::cli::methods_help()
    )]
    pub(crate) methods: Vec<String>,

    /// Random probes for trace and Frobenius norm at the solution
    #[arg(long, default_value_t = 100, value_parser = numbers::whole(2..=numbers::MANY))]
    pub(crate) probes: usize,

    /// Append the results to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Write a report (report.html, and its pictures as SVG and PNG) into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,

    /// For the report: measure curvature every so many epochs
    #[arg(long, default_value_t = 5, value_parser = numbers::whole_u64(1..=numbers::MANY_U64))]
    pub(crate) measure_every: u64,

    #[command(flatten)]
    pub(crate) spectrum: SpectrumArgs,

    #[command(flatten)]
    pub(crate) landscape: LandscapeArgs,
}
