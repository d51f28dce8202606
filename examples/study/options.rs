//! The command line.

use clap::{Parser, Subcommand};
use support::numbers;
use support::study::StudyArgs;

/// Compares optimizers over seeds. Without a stage: select, run, time and table in turn.
///
/// Each stage appends to a CSV file in --out and goes on from what is there, so a study that was
/// interrupted is started again by the same command. Settings are chosen for each method among as
/// many candidates, by the accuracy on a part of the training set that is never trained on and keeps
/// its labels; the test set is read by `run` alone.
#[derive(Parser, Clone, Debug)]
#[command(name = "study")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) stage: Option<Stage>,

    #[command(flatten)]
    pub(crate) study: StudyArgs,
}

/// What is done.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Stage {
    /// Judge every candidate on the validation set: study-select.csv
    Select,
    /// Train with the chosen settings and judge on the test set: study-run.csv
    Run,
    /// Time the steps of the methods in turns: study-time.csv, written anew
    Time {
        /// Rounds in which every method takes its turn
        #[arg(long, default_value_t = ROUNDS, value_parser = numbers::count)]
        rounds: usize,

        /// Steps of a turn
        #[arg(long, default_value_t = STEPS, value_parser = numbers::count)]
        steps: usize,
    },
    /// Write the tables: study.md
    Table,
}

pub(crate) const ROUNDS: usize = 30;
pub(crate) const STEPS: usize = 10;
