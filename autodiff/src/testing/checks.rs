//! Derivative checks for a function of one variable array.

use super::check::Check;
use super::report::Report;
use crate::error::Result;
use crate::{Array, DType, Var};

/// The point at which a function is checked: a vector, or an array of any shape.
#[derive(Clone, Debug)]
pub struct Point(pub(super) Array);

impl From<Array> for Point {
    fn from(array: Array) -> Point {
        Point(array.cast(DType::F64))
    }
}

impl From<&Array> for Point {
    fn from(array: &Array) -> Point {
        Point(array.cast(DType::F64))
    }
}

impl From<&[f64]> for Point {
    fn from(values: &[f64]) -> Point {
        Point(Array::vector(values))
    }
}

impl From<&Vec<f64>> for Point {
    fn from(values: &Vec<f64>) -> Point {
        Point(Array::vector(values.as_slice()))
    }
}

impl<const N: usize> From<[f64; N]> for Point {
    fn from(values: [f64; N]) -> Point {
        Point(Array::vector(values))
    }
}

/// Checks the gradient of a scalar function at a point.
///
/// Along random directions `v`, and along every axis for up to 64 variables, the forward
/// derivative is compared with extrapolated differences ([`derivative`](super::derivative)), and ⟨∇f, v⟩ with it.
///
/// ```
/// use burlap_autodiff::testing::check_gradient;
/// let report = check_gradient(|x| (x.sin() * x).sum(), [0.3, 2.0])?;
/// println!("{report}");
/// // The derivative of a stopped value is 0, its differences are not:
/// assert!(check_gradient(|x| (x * x.stop_gradient()).sum(), [0.3, 2.0]).is_err());
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Check`](crate::Error::Check) with the property and the numbers that disagree; errors of recording.
pub fn check_gradient(f: impl Fn(Var) -> Var, point: impl Into<Point>) -> Result<Report> {
    let mut check = Check::new(|_, x| f(x), point);
    check.gradient()?;
    Ok(check.report().clone())
}

/// Checks forward against reverse mode, and both against differences, for a function with
/// values of any shape: J v by differences, and ⟨u, J v⟩ = ⟨Jᵀu, v⟩.
///
/// ```
/// use burlap_autodiff::testing::check_jvp_vjp;
/// check_jvp_vjp(|x| x.softmax(0), [0.3, 2.0, -1.0])?;
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Check`](crate::Error::Check) with the property and the numbers that disagree; errors of recording.
pub fn check_jvp_vjp(f: impl Fn(Var) -> Var, point: impl Into<Point>) -> Result<Report> {
    let mut check = Check::new(|_, x| f(x), point);
    check.jvp_vjp()?;
    Ok(check.report().clone())
}

/// Checks second and third derivatives of a scalar function at a point.
///
/// Hessian-vector products are compared with extrapolated differences of the gradient, with
/// all orders of nesting forward and reverse mode, and with the dense Hessian (up to 64
/// variables); they must be symmetric and linear. The gradient of vᵀHv is compared with
/// differences and with nesting.
///
/// ```
/// use burlap_autodiff::testing::check_hessian;
/// let report = check_hessian(|x| (x.exp().sum() + x.square().sum()).log(), [0.5, -1.0, 2.0])?;
/// assert!(report.worst("⟨u, H v⟩ = ⟨v, H u⟩").is_some_and(|worst| worst < 1e-11));
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Check`](crate::Error::Check) with the property and the numbers that disagree; errors of recording.
pub fn check_hessian(f: impl Fn(Var) -> Var, point: impl Into<Point>) -> Result<Report> {
    let mut check = Check::new(|_, x| f(x), point);
    check.hessian()?;
    Ok(check.report().clone())
}

/// As [`check_gradient`], for tests.
///
/// ```
/// burlap_autodiff::testing::assert_gradient(|x| x.tanh().sum(), [0.3, 2.0]);
/// ```
///
/// # Panics
/// When the check fails.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests is meant to panic")]
pub fn assert_gradient(f: impl Fn(Var) -> Var, point: impl Into<Point>) {
    if let Err(error) = check_gradient(f, point) {
        panic!("{error}");
    }
}

/// As [`check_hessian`], for tests.
///
/// ```
/// burlap_autodiff::testing::assert_hessian(|x| x.logsumexp(&[0]), [0.3, 2.0]);
/// ```
///
/// # Panics
/// When the check fails.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests is meant to panic")]
pub fn assert_hessian(f: impl Fn(Var) -> Var, point: impl Into<Point>) {
    if let Err(error) = check_hessian(f, point) {
        panic!("{error}");
    }
}
