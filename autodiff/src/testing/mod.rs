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

mod against;
mod check;
mod checks;
#[cfg(feature = "proptest")]
mod conformance;
mod device;
mod differences;
mod given;
#[cfg(feature = "proptest")]
mod moves;
mod point;
#[cfg(feature = "proptest")]
mod programs;
#[cfg(feature = "proptest")]
mod recorder;
mod report;
mod second_order;
#[cfg(feature = "proptest")]
mod steps;
#[cfg(feature = "proptest")]
mod uses;

pub use crate::ops::{Example, Sample};
pub use check::Check;
pub use checks::{
    assert_gradient, assert_hessian, assert_jvp_vjp, check_gradient, check_hessian, check_jvp_vjp,
};
#[cfg(feature = "proptest")]
pub use conformance::{Agreement, check_program, conformance};
pub use device::{Device, Direction, Transfer, Transfers};
pub use differences::{Estimate, derivative};
pub use given::{
    Function, HostValue, OnHost, OnTape, Product, assert_gradient_of, assert_hvp_of,
    check_gradient_of, check_hvp_of,
};
pub use point::Point;
#[cfg(feature = "proptest")]
pub use programs::{Instruction, RandomProgram, Recorded, Step, programs, random_programs};
pub use report::{Property, Report};

/// Each primitive of which programs are made, by the name that [`Op::names`](crate::Op::names) gives,
/// and uses of it: what a test of all primitives goes through, of a backend of your own for example.
///
/// ```
/// use burlap_autodiff::Op;
/// use burlap_autodiff::testing::{Sample, examples};
/// let examples = examples();
/// assert_eq!(examples.len(), Op::names().len());
/// let (_, sums) = &examples[examples.iter().position(|e| e.0 == "sum").unwrap_or(0)];
/// assert_eq!(sums[0].operands, [Sample::Real(&[2, 3, 2])]);
/// ```
pub fn examples() -> Vec<(&'static str, Vec<Example>)> {
    crate::Op::examples()
}
