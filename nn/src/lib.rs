//! Layers, losses, initialisation and data readers over one flat parameter vector.

pub mod data;
mod error;

pub use error::{Error, Result};
