//! A study of optimizers: settings chosen on a validation set, accuracy, sharpness and cost on the
//! test set over seeds.
//!
//! `cargo run --release --example study -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod options;

use anyhow::Result;
use options::{Options, ROUNDS, STEPS, Stage};
use std::process::ExitCode;
use support::study::Study;

fn main() -> ExitCode {
    support::exit(study())
}

fn study() -> Result<()> {
    let options: Options = support::parse();
    let study = Study::new(&options.study)?;
    study.check_files()?;
    match options.stage {
        Some(Stage::Select) => study.select(),
        Some(Stage::Run) => study.run(),
        Some(Stage::Time { rounds, steps }) => study.time(rounds, steps),
        Some(Stage::Table) => support::print(format_args!("{}", study.table()?)),
        None => {
            study.select()?;
            study.run()?;
            study.time(ROUNDS, STEPS)?;
            support::print(format_args!("{}", study.table()?))
        }
    }
}
