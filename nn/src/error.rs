//! The error type of the crate.

use crate::data::DataError;

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading, building or sampling a data set failed.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// A `Result` whose error is [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;
