//! The command line.

use burlap::cli::numbers;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

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

/// What a study compares, and on what.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StudyArgs {
    /// fashion-mnist, mnist, digits, or a path as in train
    #[arg(long, global = true, default_value = "fashion-mnist")]
    pub(crate) data: String,

    /// Where the files of fashion-mnist or mnist lie
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Part of the training set that is held back for choosing settings, always with clean labels
    #[arg(long, global = true, default_value_t = 0.2, value_parser = numbers::between)]
    pub(crate) validation: f64,

    /// First part of the remaining training set that is trained on
    #[arg(long, global = true, default_value_t = 0.25, value_parser = numbers::part)]
    pub(crate) fraction: f64,

    /// Parts of the training labels that are flipped to another class; each is a study of its own
    #[arg(long, global = true, value_delimiter = ',', default_value = "0,0.2", value_parser = numbers::part_or_none)]
    pub(crate) label_noise: Vec<f64>,

    /// The network, as in train
    #[arg(long, global = true, default_value = "mlp:128,64")]
    pub(crate) model: String,

    /// Methods, the first of which the others are compared with; the default is all
    #[arg(long, global = true, value_delimiter = ',')]
    pub(crate) methods: Vec<String>,

    /// Seeds of the runs that are judged on the test set
    #[arg(long, global = true, value_delimiter = ',', default_value = "1,2,3,4,5", value_parser = numbers::seed)]
    pub(crate) seeds: Vec<u64>,

    /// Seeds of the runs that are judged on the validation set
    #[arg(long, global = true, value_delimiter = ',', default_value = "101", value_parser = numbers::seed)]
    pub(crate) selection_seeds: Vec<u64>,

    /// Passes over the training set
    #[arg(long, global = true, default_value_t = 15, value_parser = numbers::whole_u64(1..=numbers::MANY_U64))]
    pub(crate) epochs: u64,

    /// Examples a step
    #[arg(long, global = true, default_value_t = 128, value_parser = numbers::count)]
    pub(crate) batch: usize,

    /// Momentum
    #[arg(long, global = true, default_value_t = 0.9, value_parser = numbers::below_one)]
    pub(crate) momentum: f64,

    /// Random probes for trace and Frobenius norm at the solution
    #[arg(long, global = true, default_value_t = 50, value_parser = numbers::whole(2..=numbers::MANY))]
    pub(crate) probes: usize,

    /// Threads, at most one for each processor
    #[arg(long, global = true, default_value_t = 1, value_parser = numbers::count)]
    pub(crate) threads: usize,

    /// Folder of the results; what is there is not computed again
    #[arg(long, global = true, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
}
