//! The error type of the crate.

use burlap_autodiff::{DType, Shape};

use crate::checkpoint::CheckpointError;
use crate::data::DataError;
use crate::files::FileError;
use crate::memory::OutOfMemory;

/// Everything that can go wrong in this crate.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading, building or sampling a data set failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Recording, compiling or running failed.
    #[error(transparent)]
    Autodiff(#[from] burlap_autodiff::Error),
    /// Reading or writing a file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Saving or loading a checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A parameter name that is empty or has an empty part between its dots.
    #[error("the name {name:?} is not made of non-empty parts with dots between them")]
    BadName {
        /// The name.
        name: String,
    },
    /// A name that was given twice.
    #[error("the name {name:?} is given twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that nothing has.
    #[error("nothing is called {name:?}; the names are {}", listed(.known))]
    UnknownName {
        /// The name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A parameter for which no array was given.
    #[error("the parameter {name:?} is missing")]
    MissingName {
        /// The parameter.
        name: String,
    },
    /// An array of another shape than its parameter.
    #[error("the parameter {name:?} has the shape {expected}, but {found} was given")]
    ParameterShape {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Shape,
        /// The shape of the given array.
        found: Shape,
    },
    /// An array of another element type than the first, or not of floats.
    #[error(
        "the parameter {name:?} is {found}, but all must be of one float type, here {expected}"
    )]
    ParameterDType {
        /// The parameter.
        name: String,
        /// The element type needed.
        expected: DType,
        /// The element type of the given array.
        found: DType,
    },
    /// A flat vector whose length is not that of the layout.
    #[error("a flat vector of shape [{expected}] is needed, but {found} was given")]
    FlatShape {
        /// The number of parameters.
        expected: usize,
        /// The shape found.
        found: Shape,
    },
    /// So many parameters that no vector of them fits into memory.
    #[error("a vector of {total} parameters does not fit into memory: {short}")]
    Memory {
        /// The number of parameters.
        total: usize,
        /// How much is needed, and how much there is.
        short: OutOfMemory,
    },
    /// A layer without inputs or without outputs.
    #[error(
        "the linear layer {path:?} has {inputs} inputs and {outputs} outputs; both must be at least 1"
    )]
    LayerSize {
        /// Where the layer stands.
        path: String,
        /// Its number of inputs.
        inputs: usize,
        /// Its number of outputs.
        outputs: usize,
    },
    /// So many parameters that their number does not fit `usize`.
    #[error("the parameters up to {name:?} are too many to count")]
    TooLarge {
        /// The parameter at which counting failed.
        name: String,
    },
    /// First values that cannot be drawn for a parameter.
    #[error("the parameter {name:?} of shape {shape} cannot be initialised: {problem}")]
    Init {
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Shape,
        /// What is wrong.
        problem: &'static str,
    },
    /// A number that must lie in [0, 1) but does not.
    #[error("{what} must lie in [0, 1), but is {found}")]
    Fraction {
        /// What it is.
        what: &'static str,
        /// Its value.
        found: f64,
    },
    /// A number that must be positive and finite but is not.
    #[error("{what} must be positive and finite, but is {found}")]
    Positive {
        /// What it is.
        what: &'static str,
        /// Its value.
        found: f64,
    },
    /// A network of fewer than two sizes.
    #[error("a network needs at least an input and an output size, but {found} sizes were given")]
    TooFewSizes {
        /// The number of sizes.
        found: usize,
    },
}

/// The sentence of `Display`: what a program prints whose `main` returns the error.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A `Result` whose error is [`enum@Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names in a sentence, at most eight of them.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names {
        [] => "none".to_owned(),
        _ if names.len() <= SHOWN => names.join(", "),
        _ => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}
