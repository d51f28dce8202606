//! Errors of reports.

use crate::{autodiff, nn, optim};
use std::io;
use std::path::PathBuf;

/// A `Result` whose error is an [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error of measuring, drawing or writing.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What objectives, operators and solvers report.
    #[error(transparent)]
    Optim(#[from] optim::Error),
    /// What the engine reports.
    #[error(transparent)]
    Autodiff(#[from] autodiff::Error),
    /// A file that cannot be written.
    #[error(transparent)]
    File(#[from] nn::files::FileError),
    /// A folder that cannot be made or is none.
    #[error("cannot write into {}: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Coordinates of a [field](super::Field) that do not make a grid.
    #[error("a field needs at least two coordinates a side, in ascending order")]
    FieldCoordinates,
    /// Values of a [field](super::Field) that are not one for each point of the grid.
    #[error("a field of {columns} by {rows} points cannot have {values} values")]
    FieldValues {
        /// The number of x coordinates.
        columns: usize,
        /// The number of y coordinates.
        rows: usize,
        /// The number of values.
        values: usize,
    },
    /// A setting outside its range.
    #[error("{of}: {name} is {value}, but must be {expected}")]
    Setting {
        /// The object that has the setting.
        of: &'static str,
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// The condition that it must fulfil.
        expected: &'static str,
    },
    /// An operator without the eigenvalues that are asked for.
    #[error("{count} eigenvalues are needed of an operator of size {dim}")]
    Eigenvalues {
        /// The number of eigenvalues needed.
        count: usize,
        /// The size of the operator.
        dim: usize,
    },
    /// What plotters or the PNG encoder reports.
    #[error("drawing: {0}")]
    Drawing(String),
}

/// The sentence of `Display`: what a program prints whose `main` returns the error.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
