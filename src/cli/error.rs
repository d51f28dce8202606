//! Errors of commands.

use crate::{autodiff, nn, optim, report};
use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

/// A `Result` whose error is an [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a command, as one sentence that names the flag or the file.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody reads the standard output any more, as after `| head -1`.
    #[error("nobody reads the standard output any more")]
    OutputClosed,
    /// The standard output cannot be written.
    #[error("the standard output cannot be written: {0}")]
    Output(io::Error),
    /// A command line that cannot be carried out.
    #[error("{0}")]
    Usage(String),
    /// A flag whose value leads to an error.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag, with its value where the error does not say it.
        flag: String,
        /// The error.
        problem: Box<Error>,
    },
    /// A step of a training that failed.
    #[error("{method}, step {step}: {cause}")]
    Step {
        /// The method.
        method: String,
        /// The number of steps taken before.
        step: u64,
        /// What the step reports.
        cause: Box<optim::Error>,
    },
    /// A saved run that cannot go on with these flags.
    #[error("{}: {problem}", path.display())]
    SavedRun {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A file of results that cannot be used.
    #[error("{}: {problem}", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A line of a file of results that does not fit.
    #[error("{}, line {line}: {cause}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the reader of CSV reports.
        cause: csv::Error,
    },
    /// What reading or writing a file of results reports.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Records that cannot be written as CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A run that does not fit into memory.
    #[error(transparent)]
    OutOfMemory(#[from] nn::memory::OutOfMemory),
    /// What objectives, methods and operators report.
    #[error(transparent)]
    Optim(Box<optim::Error>),
    /// What models and data sets report.
    #[error(transparent)]
    Nn(Box<nn::Error>),
    /// What the engine reports.
    #[error(transparent)]
    Autodiff(#[from] autodiff::Error),
    /// What measuring, drawing and writing report.
    #[error(transparent)]
    Report(Box<report::Error>),
}

/// The sentence of `Display`: what a program prints whose `main` returns the error.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

// In boxes, so that results stay small.
impl From<optim::Error> for Error {
    fn from(error: optim::Error) -> Error {
        Error::Optim(Box::new(error))
    }
}

impl From<nn::Error> for Error {
    fn from(error: nn::Error) -> Error {
        Error::Nn(Box::new(error))
    }
}

impl From<report::Error> for Error {
    fn from(error: report::Error) -> Error {
        Error::Report(Box::new(error))
    }
}

impl From<nn::data::DataError> for Error {
    fn from(error: nn::data::DataError) -> Error {
        nn::Error::from(error).into()
    }
}

impl From<nn::files::FileError> for Error {
    fn from(error: nn::files::FileError) -> Error {
        nn::Error::from(error).into()
    }
}

impl From<nn::CheckpointError> for Error {
    fn from(error: nn::CheckpointError) -> Error {
        nn::Error::from(error).into()
    }
}

impl AsRef<dyn StdError + 'static> for Error {
    fn as_ref(&self) -> &(dyn StdError + 'static) {
        self
    }
}

/// A result whose error is that of a flag.
pub(super) trait OfFlag<T> {
    fn of_flag(self, flag: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Error>> OfFlag<T> for std::result::Result<T, E> {
    fn of_flag(self, flag: impl Into<String>) -> Result<T> {
        self.map_err(|e| Error::Flag { flag: flag.into(), problem: Box::new(e.into()) })
    }
}

/// An error of the command line.
pub(super) fn usage<T>(problem: String) -> Result<T> {
    Err(Error::Usage(problem))
}
