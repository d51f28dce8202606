//! Functions of single numbers: what elementwise primitives compute of each element, and the words
//! that random numbers are made of.

pub(crate) mod philox;
mod real;
pub(crate) mod special;

pub use philox::philox4x32;
pub use real::{Real, Scalar};
