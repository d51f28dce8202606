//! The experiments of Tahmasebi et al. (ICML 2024, arXiv 2406.03682), one command each.
//!
//! `cargo run --release --example paper -- --help` lists them and their options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;
use support::paper::{Paper, PaperArgs};

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
struct Options {
    #[command(flatten)]
    paper: PaperArgs,
}

fn main() -> ExitCode {
    support::exit(paper())
}

fn paper() -> Result<()> {
    let options: Options = support::parse();
    let paper = Paper::new(&options.paper)?;
    paper.run()?;
    support::print(format_args!("{}", paper.table()?))
}
