//! The layers.

mod activation;
mod batch_norm;
mod dropout;
mod flatten;
mod linear;
mod sequential;

pub use activation::Activation;
pub use batch_norm::BatchNorm1d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use sequential::Sequential;
