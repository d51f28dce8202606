//! The experiments of Tahmasebi et al. (ICML 2024, arXiv 2406.03682), one command each.
//!
//! `cargo run --release --example paper -- --help` lists them and their options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod method;
mod options;
mod paper;
mod report;
mod run;
#[cfg(test)]
mod tests;

use anyhow::Result;
use burlap::cli;
use options::Options;
use paper::Paper;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::exit(run())
}

fn run() -> Result<()> {
    let options: Options = cli::parse();
    let paper = Paper::new(&options.paper)?;
    paper.run()?;
    Ok(cli::print(format_args!("{}", paper.table()?))?)
}
