//! Losses of predicted numbers, functions of the difference r = pred − target.

use burlap_autodiff::Var;

use super::{alike, each};
use crate::{Error, Result};

/// The mean squared difference over all elements, Σ(pred − target)²/n; both have one shape.
#[track_caller]
#[must_use]
pub fn mse(pred: Var, target: Var) -> Var {
    squares(pred, target).mean()
}

/// The mean squared difference of each example: `[n, …]` → `[n]`.
#[track_caller]
#[must_use]
pub fn mse_per_example(pred: Var, target: Var) -> Var {
    each(squares(pred, target))
}

#[track_caller]
fn squares(pred: Var, target: Var) -> Var {
    (alike(pred, target, "mse", "prediction") - target).square()
}

/// The mean over all elements of Huber's loss of r = pred − target: ½r² where |r| ≤ δ, and
/// δ(|r| − ½δ) beyond (Huber 1964; PyTorch's `huber_loss`).
///
/// The first derivative is continuous. The second one jumps from 1 to 0 at |r| = δ, where it is that
/// of the square, 1; derivatives of higher order are 0.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// use burlap_nn::loss;
///
/// let tape = Tape::new();
/// let pred = tape.input("pred", DType::F64, [2]);
/// let target = tape.input("target", DType::F64, [2]);
/// let f = loss::huber_per_example(pred, target, 2.0)?;
/// let program = tape.compile(&Cpu::new(), &[f, f.sum().grad(pred)])?;
/// let out = program.run(&[&Array::vector([1.0, 6.0]), &Array::vector([0.0, 1.0])])?;
/// assert_eq!(out[0].to_string(), "[0.5, 8]");
/// assert_eq!(out[1].to_string(), "[1, 2]");
/// # Ok::<(), burlap_nn::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Positive`] unless δ is positive and finite, also after rounding to `f32`.
#[track_caller]
pub fn huber(pred: Var, target: Var, delta: f64) -> Result<Var> {
    Ok(bent(pred, target, delta, "huber", "the δ of Huber's loss")?.mean())
}

/// The mean Huber loss of each example: `[n, …]` → `[n]`.
///
/// # Errors
///
/// As [`huber`].
#[track_caller]
pub fn huber_per_example(pred: Var, target: Var, delta: f64) -> Result<Var> {
    Ok(each(bent(pred, target, delta, "huber", "the δ of Huber's loss")?))
}

/// The mean over all elements of ½r²/β where |r| ≤ β, and |r| − ½β beyond: Huber's loss with δ = β,
/// divided by β (Girshick 2015, eq. 3, with β = 1; PyTorch's `smooth_l1_loss`).
///
/// The second derivative is 1/β up to and at |r| = β, 0 beyond.
///
/// # Errors
///
/// [`Error::Positive`] unless β is positive and finite, also after rounding to `f32`.
#[track_caller]
pub fn smooth_l1(pred: Var, target: Var, beta: f64) -> Result<Var> {
    Ok(smooth(pred, target, beta)?.mean())
}

/// The mean smooth L1 loss of each example: `[n, …]` → `[n]`.
///
/// # Errors
///
/// As [`smooth_l1`].
#[track_caller]
pub fn smooth_l1_per_example(pred: Var, target: Var, beta: f64) -> Result<Var> {
    Ok(each(smooth(pred, target, beta)?))
}

#[track_caller]
fn smooth(pred: Var, target: Var, beta: f64) -> Result<Var> {
    Ok(bent(pred, target, beta, "smooth_l1", "the β of the smooth L1 loss")? / beta)
}

/// A parabola that goes on as its tangents beyond ±δ.
#[track_caller]
fn bent(pred: Var, target: Var, delta: f64, op: &'static str, what: &'static str) -> Result<Var> {
    // Also after rounding, to which a constant of single precision is subject.
    if !(delta as f32 > 0.0 && (delta as f32).is_finite()) {
        return Err(Error::Positive { what, found: delta });
    }
    let r = alike(pred, target, op, "prediction") - target;
    let size = r.abs();
    let inside = size.le(delta);
    // Squares of what lies outside could overflow, and pass on 0 · ∞.
    let square = 0.5 * inside.select(r, 0.0).square();
    Ok(inside.select(square, delta * (size - 0.5 * delta)))
}
