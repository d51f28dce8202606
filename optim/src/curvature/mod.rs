//! What can be said of a Hessian by its products with vectors: top eigenvalues by Lanczos,
//! trace and Frobenius norm by stochastic estimates.

mod lanczos;
mod operator;
mod stochastic;

pub use lanczos::{Eigenpair, Lanczos};
pub use operator::{HessianOperator, LinearOperator, MatrixOperator};
pub use stochastic::{Probes, frobenius_norm, trace};
