//! Derivative checks for a recorded function of one variable array.

use super::check::Check;
use super::point::Point;
use super::report::Report;
use crate::Var;
use crate::error::{At, Result};

/// Checks the gradient of a scalar function at a point.
///
/// Every element of it (for up to 64 variables), and ⟨∇f, v⟩ for random directions `v`, is
/// compared with extrapolated differences of the function ([`derivative`](super::derivative)),
/// and with the forward derivative.
///
/// ```
/// use burlap_autodiff::testing::check_gradient;
/// let report = check_gradient(|x| (x.sin() * x).sum(), [0.3, 2.0])?;
/// println!("{report}");
/// // The derivative of a stopped value is 0, its differences are not:
/// let wrong = check_gradient(|x| x.square().sum() + x.at(1).exp().stop_gradient(), [0.25, 0.0]);
/// let text = wrong.unwrap_err().to_string();
/// println!("{text}");
/// assert!(text.starts_with("∇f = differences of f: element [1] of the gradient: expected "));
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Check`](crate::Error::Check) with the property, the element and the numbers that
/// disagree, or the element that is not finite; errors of recording.
#[track_caller]
pub fn check_gradient(f: impl Fn(Var) -> Var, point: impl Into<Point>) -> Result<Report> {
    let mut check = Check::at(|_, x| f(x), point.into(), At::caller());
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
/// [`Error::Check`](crate::Error::Check) with the property, the element and the numbers that
/// disagree, or the element that is not finite; errors of recording.
#[track_caller]
pub fn check_jvp_vjp(f: impl Fn(Var) -> Var, point: impl Into<Point>) -> Result<Report> {
    let mut check = Check::at(|_, x| f(x), point.into(), At::caller());
    check.jvp_vjp()?;
    Ok(check.report().clone())
}

/// Checks first, second and third derivatives of a scalar function at a point.
///
/// The gradient comes first, as [`check_gradient`] does it: a Hessian may well be the derivative
/// of a wrong gradient.
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
/// [`Error::Check`](crate::Error::Check) with the property, the element and the numbers that
/// disagree, or the element that is not finite; errors of recording.
#[track_caller]
pub fn check_hessian(f: impl Fn(Var) -> Var, point: impl Into<Point>) -> Result<Report> {
    let mut check = Check::at(|_, x| f(x), point.into(), At::caller());
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

/// As [`check_jvp_vjp`], for tests.
///
/// ```
/// burlap_autodiff::testing::assert_jvp_vjp(|x| x.softmax(0), [0.3, 2.0, -1.0]);
/// ```
///
/// # Panics
/// When the check fails.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests is meant to panic")]
pub fn assert_jvp_vjp(f: impl Fn(Var) -> Var, point: impl Into<Point>) {
    if let Err(error) = check_jvp_vjp(f, point) {
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
