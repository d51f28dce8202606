//! What can be said of a Hessian by its products with vectors: top eigenvalues by Lanczos,
//! trace and Frobenius norm by stochastic estimates.

mod fisher;
mod gauss_newton;
mod hessian;
mod lanczos;
mod operator;
mod staged;
mod stochastic;

pub use fisher::{EmpiricalFisher, EmpiricalFisherOperator};
pub use gauss_newton::{Ggn, GgnOperator};
pub use hessian::{Hessian, HessianOperator};
pub use lanczos::{Eigenpair, Lanczos};
pub use operator::{LinearOperator, MatrixOperator};
pub use staged::{Curvature, CurvatureOperator};
pub use stochastic::{Probes, frobenius_norm, trace};
