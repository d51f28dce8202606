//! Losses of examples whose class is known.

use burlap_autodiff::Var;

use super::{floats, log_probs};
use crate::{Error, Result};

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
    -floats(log_probs, "nll", "log-probabilities").at_labels("nll", labels)
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
    const OP: &str = "cross_entropy";
    -log_probs(logits, OP).at_labels(OP, labels)
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
    const OP: &str = "cross_entropy_smoothed";
    if !(0.0..1.0).contains(&smoothing) {
        return Err(Error::Fraction { what: "the label smoothing", found: smoothing });
    }
    let log_probs = log_probs(logits, OP);
    let sharp = -log_probs.at_labels(OP, labels);
    if smoothing == 0.0 {
        return Ok(sharp);
    }
    let spread = -log_probs.mean_axes(&[log_probs.rank().saturating_sub(1)]);
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
    const OP: &str = "accuracy";
    let shape = floats(logits, OP, "logits").shape();
    let Some((&classes, _)) = shape.split_last() else {
        return logits.fail(OP, "a logit for each class is needed, not a scalar");
    };
    // By way of the classes, so that a label beyond them is not merely a wrong one.
    let largest = logits.argmax(shape.len() - 1).one_hot(classes, logits.dtype());
    largest.at_labels(OP, labels)
}
