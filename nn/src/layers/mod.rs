//! The layers.

mod activation;
mod dropout;
mod flatten;
mod linear;
mod sequential;

pub use activation::Activation;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use sequential::Sequential;
