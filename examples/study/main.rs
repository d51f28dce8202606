//! A study of optimizers: settings chosen on a validation set, accuracy, sharpness and cost on the
//! test set over seeds.
//!
//! `cargo run --release --example study -- --help` lists the options.

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use support::study::{Study, StudyArgs};

/// Compares optimizers over seeds. Without a stage: select, run, time and table in turn.
///
/// Each stage appends to a CSV file in --out and goes on from what is there, so a study that was
/// interrupted is started again by the same command. Settings are chosen for each method among as
/// many candidates, by the accuracy on a part of the training set that is never trained on and keeps
/// its labels; the test set is read by `run` alone.
#[derive(Parser, Clone, Debug)]
#[command(name = "study")]
struct Options {
    #[command(subcommand)]
    stage: Option<Stage>,

    #[command(flatten)]
    study: StudyArgs,
}

/// What is done.
#[derive(Subcommand, Clone, Debug)]
enum Stage {
    /// Judge every candidate on the validation set: study-select.csv
    Select,
    /// Train with the chosen settings and judge on the test set: study-run.csv
    Run,
    /// Time the steps of the methods in turns: study-time.csv, written anew
    Time {
        /// Rounds in which every method takes its turn
        #[arg(long, default_value_t = ROUNDS)]
        rounds: usize,

        /// Steps of a turn
        #[arg(long, default_value_t = STEPS)]
        steps: usize,
    },
    /// Write the tables: study.md
    Table,
}

const ROUNDS: usize = 30;
const STEPS: usize = 10;

fn main() -> ExitCode {
    support::exit(study())
}

fn study() -> Result<()> {
    let options = Options::parse();
    let study = Study::new(&options.study)?;
    match options.stage {
        Some(Stage::Select) => study.select(),
        Some(Stage::Run) => study.run(),
        Some(Stage::Time { rounds, steps }) => study.time(rounds, steps),
        Some(Stage::Table) => {
            print!("{}", study.table()?);
            Ok(())
        }
        None => {
            study.select()?;
            study.run()?;
            study.time(ROUNDS, STEPS)?;
            print!("{}", study.table()?);
            Ok(())
        }
    }
}
