//! Checks for your own functions and backends: derivatives against differences and against
//! each other, random programs, and the agreement of a backend with the interpreter.
//!
//! ```
//! use burlap_autodiff::testing::assert_hessian;
//! // Rosenbrock's function: gradient, Hessian and third derivatives, every nesting order.
//! assert_hessian(
//!     |x| (1.0 - x.at(0)).square() + 100.0 * (x.at(1) - x.at(0).square()).square(),
//!     [-1.2, 1.0],
//! );
//! ```
//!
//! Random programs and the conformance test need the feature `proptest`.

mod checks;
mod differences;
mod report;

pub use checks::{
    Point, assert_gradient, assert_hessian, check_gradient, check_hessian, check_jvp_vjp,
};
pub use differences::{Estimate, derivative};
pub use report::{Property, Report};
