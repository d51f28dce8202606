//! The command line.

use burlap::cli::numbers;
use clap::Parser;
use std::path::PathBuf;

/// Tables of what sharpness measures give on functions whose Hessians are known, and pictures.
#[derive(Parser, Clone, Debug)]
#[command(name = "theory")]
pub(crate) struct Options {
    /// Random directions an estimate
    #[arg(long, default_value_t = 20_000, value_parser = numbers::whole(2..=10_000_000))]
    pub(crate) samples: usize,

    /// Seed of the directions
    #[arg(long, default_value_t = 1, value_parser = numbers::seed)]
    pub(crate) seed: u64,

    /// Write each picture into this folder, as SVG and PNG
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
