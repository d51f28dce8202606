//! Curvature matrices as linear operators: eigenvalues, traces and densities by their products with
//! vectors.
//!
//! | | |
//! |---|---|
//! | operators | [`HessianOperator`], [`GgnOperator`], [`EmpiricalFisherOperator`], [`MatrixOperator`], your own [`Curvature`]; multiples, sums, shifts and submatrices by [`LinearOperator`]'s methods |
//! | eigenpairs at the ends of the spectrum | [`Lanczos`] |
//! | trace | [`trace`](fn@trace) (Hutchinson), [`hutch_pp`], [`xtrace`] |
//! | ‖A‖_F and diagonal | [`frobenius_norm`], [`diagonal`] |
//! | tr f(A), log-determinant, moments, spectral density | [`Quadrature`] |
//!
//! Stochastic estimates are functions of a seed, and come with standard errors and the number of
//! products that they took. Any operator tells of its progress by
//! [`observed`](LinearOperator::observed).

mod algebra;
mod density;
mod fisher;
mod gauss_newton;
mod hessian;
mod krylov;
mod lanczos;
mod low_rank_trace;
mod operator;
mod probes;
mod quadrature;
mod space;
mod staged;
mod stochastic;
mod top;
mod tridiagonal;
mod vectors;

pub use algebra::{Affine, Observed, Restricted, Sum};
pub use density::Density;
pub use fisher::{EmpiricalFisher, EmpiricalFisherOperator};
pub use gauss_newton::{Ggn, GgnOperator};
pub use hessian::{Hessian, HessianOperator};
pub use lanczos::{Eigenpair, Lanczos, Which};
pub use low_rank_trace::{hutch_pp, xtrace};
pub use operator::{LinearOperator, MatrixOperator};
pub use probes::{Estimated, Probes};
pub use quadrature::{Quadrature, Rule};
pub use staged::{Curvature, CurvatureOperator};
pub use stochastic::{diagonal, frobenius_norm, trace};

pub(crate) use staged::epsilon;
pub(crate) use top::{top_eigenvector, unit_vector};
