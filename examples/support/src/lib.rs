//! What the examples share: their common flags, data sets and networks by name, training runs
//! that can be watched and resumed, and the measurement of curvature at a solution.

mod curvature;
mod data;
mod experiment;
mod saved;

pub use curvature::{CURVATURE_EXAMPLES, Curvature};
pub use data::{DataArgs, arrays, model, pieces};
pub use experiment::{Epoch, Experiment, Files, Fitted, MethodArgs, TrainingArgs};

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
