//! What can go wrong in a training.

use crate::{autodiff, nn, optim};
use std::path::PathBuf;

/// A `Result` whose error is an [`enum@Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the training layer.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What objective, gradient estimator or optimizer report.
    #[error(transparent)]
    Optim(Box<optim::Error>),
    /// What model, files or data sets report.
    #[error(transparent)]
    Nn(Box<nn::Error>),
    /// What the engine reports.
    #[error(transparent)]
    Autodiff(Box<autodiff::Error>),
    /// Arrays of examples that do not make a data set, or not the one that is asked for.
    #[error("data: {array} is {found}, but must be {expected}")]
    Data {
        /// The array's name, or what else of the data it is about.
        array: String,
        /// Its type and shape, or its number.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A metric that is NaN or infinite.
    #[error("metric {name:?}: the value is {value} on {examples} examples")]
    NonFiniteMetric {
        /// The metric.
        name: String,
        /// Its value.
        value: f64,
        /// The number of examples that it was taken on.
        examples: usize,
    },
    /// A name that no metric of an evaluation has.
    #[error("there is no metric {name:?}; there are {known}")]
    UnknownMetric {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A checkpoint that lacks something.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A checkpoint of a run with other settings, which cannot go on.
    #[error(
        "{}: is a checkpoint of another run: {what} was {saved} and is {now}; remove the file to \
         begin anew, or give another path",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// How it was.
        saved: String,
        /// How it is.
        now: String,
    },
    /// What an observer could not do.
    #[error("{observer}: {problem}")]
    Observer {
        /// The observer.
        observer: String,
        /// What happened.
        problem: String,
    },
    /// A setting outside its range.
    #[error("{of}: {name} is {value}, but must be {expected}")]
    Setting {
        /// What the setting belongs to.
        of: &'static str,
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// The sentence of `Display`: what a program prints whose `main` returns the error.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

// Boxed: a result is as large as its largest error.
macro_rules! from {
    ($($error:ty => $variant:ident,)*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Error {
                Error::$variant(Box::new(error.into()))
            }
        })*
    };
}

from! {
    optim::Error => Optim,
    nn::Error => Nn,
    nn::data::DataError => Nn,
    autodiff::Error => Autodiff,
}
