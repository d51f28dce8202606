//! A study of optimizers: settings chosen on a validation set, accuracy, sharpness and cost on the
//! test set over seeds.
//!
//! `cargo run --release --example study -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod grid;
mod options;
mod report;
mod run;
mod select;
mod study;
#[cfg(test)]
mod tests;
mod time;

use anyhow::Result;
use burlap::cli;
use options::{Options, ROUNDS, STEPS, Stage};
use std::process::ExitCode;
use study::Study;

fn main() -> ExitCode {
    cli::exit(run())
}

fn run() -> Result<()> {
    let options: Options = cli::parse();
    let study = Study::new(&options.study)?;
    study.check_files()?;
    match options.stage {
        Some(Stage::Select) => study.select(),
        Some(Stage::Run) => study.run(),
        Some(Stage::Time { rounds, steps }) => study.time(rounds, steps),
        Some(Stage::Table) => Ok(cli::print(format_args!("{}", study.table()?))?),
        None => {
            study.select()?;
            study.run()?;
            study.time(ROUNDS, STEPS)?;
            Ok(cli::print(format_args!("{}", study.table()?))?)
        }
    }
}
