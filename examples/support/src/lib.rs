//! What the examples share: their common flags, data sets and networks by name, training runs
//! that can be watched and resumed, the measurement of curvature at a solution, results on disk
//! with their statistics, and the study that compares methods.

mod curvature;
mod data;
mod experiment;
pub mod paper;
pub mod results;
mod saved;
pub mod statistics;
pub mod study;

pub use curvature::{CURVATURE_EXAMPLES, Curvature};
pub use data::{DataArgs, Normalize, Selection, arrays, model, pieces};
pub use experiment::{Epoch, Experiment, Falling, Files, Fitted, MethodArgs, TrainingArgs};

/// Runs a program's `main`: an error is one sentence with its causes, and exit code 1.
pub fn exit(result: anyhow::Result<()>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // A backtrace would tell of the program only.
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
