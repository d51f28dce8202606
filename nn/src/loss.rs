//! Losses and accuracy, as functions on recorded values.
//!
//! Classes lie along the last axis of logits and log-probabilities, `[…, classes]`; labels are
//! `U32` of the shape `[…]`. Each loss is the mean of its `_per_example` variant. Shapes that do
//! not fit are errors of the tape, which `compile` returns; a label that is not below the
//! number of classes is [`burlap_autodiff::Error::Index`] when the program runs.
//!
//! ```
//! use burlap_autodiff::{Array, Cpu, DType, Tape};
//! use burlap_nn::loss;
//!
//! let tape = Tape::new();
//! let logits = tape.input("logits", DType::F64, [2, 3]);
//! let labels = tape.input("labels", DType::U32, [2]);
//! let f = loss::cross_entropy(logits, labels);
//! let program = tape.compile(&Cpu::new(), &[f, loss::accuracy(logits, labels)])?;
//!
//! let z = Array::from_vec([2, 3], vec![0.0, 0.0, 0.0, 1e4, -1e4, 0.0])?;
//! let out = program.run(&[&z, &Array::vector([2u32, 0])])?;
//! assert_eq!(out[0].item()?, 3f64.ln() / 2.0);
//! assert_eq!(out[1].item()?, 0.5);
//! # Ok::<(), burlap_autodiff::Error>(())
//! ```

use burlap_autodiff::Var;

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
    let rest: Vec<usize> = (1..pred.rank()).collect();
    squares(pred, target).mean_axes(&rest)
}

#[track_caller]
fn squares(pred: Var, target: Var) -> Var {
    if pred.shape() != target.shape() {
        // Broadcasting [n] against [n, 1] would average n² wrong differences.
        let problem = format!("prediction {} and target {} differ", pred.shape(), target.shape());
        return pred.fail("mse", problem);
    }
    (pred - target).square()
}

/// The mean negative log-likelihood −log p(label) of `log_probs` `[…, classes]`.
#[track_caller]
#[must_use]
pub fn nll(log_probs: Var, labels: Var) -> Var {
    nll_per_example(log_probs, labels).mean()
}

/// The negative log-likelihood −log p(label) of each example, of the labels' shape.
#[track_caller]
#[must_use]
pub fn nll_per_example(log_probs: Var, labels: Var) -> Var {
    let indices = labels.expand_dims(labels.rank());
    let chosen = log_probs.take_along(class_axis(log_probs), indices);
    -chosen.reshape(labels.shape())
}

/// The mean of −log softmax(logits) at the labels, without overflow.
///
/// The same as PyTorch's `cross_entropy`.
#[track_caller]
#[must_use]
pub fn cross_entropy(logits: Var, labels: Var) -> Var {
    cross_entropy_per_example(logits, labels).mean()
}

/// −log softmax(logits) at the label of each example, of the labels' shape.
#[track_caller]
#[must_use]
pub fn cross_entropy_per_example(logits: Var, labels: Var) -> Var {
    nll_per_example(logits.log_softmax(class_axis(logits)), labels)
}

/// The mean cross-entropy against labels smoothed by s: the target is 1 − s + s/C at the label
/// and s/C at the other of C classes.
///
/// (1 − s) · (−log p(label)) + s · mean over classes of −log p: PyTorch's `label_smoothing`
/// (Szegedy et al. 2016, §7).
///
/// # Errors
///
/// [`Error::Fraction`] unless 0 ≤ s < 1.
#[track_caller]
pub fn cross_entropy_smoothed(logits: Var, labels: Var, smoothing: f64) -> Result<Var> {
    Ok(cross_entropy_smoothed_per_example(logits, labels, smoothing)?.mean())
}

/// The smoothed cross-entropy of each example, of the labels' shape.
///
/// # Errors
///
/// As [`cross_entropy_smoothed`].
#[track_caller]
pub fn cross_entropy_smoothed_per_example(logits: Var, labels: Var, smoothing: f64) -> Result<Var> {
    if !(0.0..1.0).contains(&smoothing) {
        return Err(Error::Fraction { what: "the label smoothing", found: smoothing });
    }
    let axis = class_axis(logits);
    let log_probs = logits.log_softmax(axis);
    let sharp = nll_per_example(log_probs, labels);
    if smoothing == 0.0 {
        return Ok(sharp);
    }
    let spread = -log_probs.mean_axes(&[axis]);
    Ok((1.0 - smoothing) * sharp + smoothing * spread)
}

/// The fraction of examples whose largest logit is at the label, a scalar of the logits' type.
///
/// Of equal logits the first counts as the largest.
#[track_caller]
#[must_use]
pub fn accuracy(logits: Var, labels: Var) -> Var {
    accuracy_per_example(logits, labels).mean()
}

/// 1 for each example whose largest logit is at the label, 0 for the others.
#[track_caller]
#[must_use]
pub fn accuracy_per_example(logits: Var, labels: Var) -> Var {
    let largest = logits.argmax(class_axis(logits));
    if largest.shape() != labels.shape() {
        // As in `squares`.
        let problem =
            format!("predictions {} and labels {} differ", largest.shape(), labels.shape());
        return logits.fail("accuracy", problem);
    }
    largest.equal(labels).cast(logits.dtype())
}

/// The last axis; for a scalar one that does not exist, so that the tape reports it.
fn class_axis(x: Var) -> usize {
    x.rank().saturating_sub(1)
}
