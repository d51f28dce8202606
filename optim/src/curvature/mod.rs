//! What can be said of a Hessian by its products with vectors: top eigenvalues by Lanczos,
//! trace and Frobenius norm by stochastic estimates.

mod hessian;
mod lanczos;
mod operator;
mod stochastic;

pub use hessian::HessianOperator;
pub use lanczos::{Eigenpair, Lanczos};
pub use operator::{LinearOperator, MatrixOperator};
pub use stochastic::{Probes, frobenius_norm, trace};
