//! The parts that commands share: flags with their ranges, output, exit codes, data sets and networks by name,
//! methods' settings from the registry, training runs that are saved and gone on from, records of
//! results on disk.
//!
//! | item | what it is |
//! |---|---|
//! | [`parse`], [`numbers`] | command lines; numbers within ranges that the message names |
//! | [`say!`](say), [`exit`] | output and exit codes: 0, 1, 2, and 141 where nobody reads |
//! | [`DataArgs`], [`model`] | data sets and networks by name |
//! | [`MethodArgs`] | the settings of all methods as flags, from the registry |
//! | [`Experiment`] | a network, its data and settings; training with any method, measuring |
//! | [`FilesArgs`] | `--save` and `--resume` |
//! | [`results`] | CSV files that grow by whole lines and survive a kill at any byte |
//!
//! ```
//! use burlap::cli::{Experiment, Files, TrainingArgs};
//! use clap::Parser;
//!
//! #[derive(Parser)]
//! struct Options {
//!     #[command(flatten)]
//!     training: TrainingArgs,
//! }
//!
//! let line = "train --model mlp:16 --epochs 5 --lr 0.1";
//! let options = Options::try_parse_from(line.split(' '))?;
//! let experiment = Experiment::new(&options.training)?;
//! let run = experiment.fit("sam", &Files::default())?;
//! let (loss, accuracy) = experiment.evaluate(&experiment.test, run.training.parameters())?;
//! assert!(loss < 0.5 && accuracy > 0.8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Both panic where nobody reads: `say!` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod command;
mod data;
mod error;
mod experiment;
mod files_args;
mod history;
mod measure;
mod method_args;
pub mod numbers;
mod progress;
pub mod results;
mod saved;

pub use crate::__say as say;
pub use command::{command, cpu, distinct, exit, parse, print};
pub use data::{DataArgs, Normalize, Selection, batch_arrays, batches, model};
pub use error::{Error, Result};
pub use experiment::{Epoch, Experiment, Files, ScheduleKind, TrainedRun, TrainingArgs};
pub use files_args::FilesArgs;
pub use history::{History, curves_caption};
pub use measure::{CURVATURE_EXAMPLES, LandscapeArgs, SpectrumArgs};
pub use method_args::{MethodArgs, methods_help};
pub use progress::with_progress_bar;
