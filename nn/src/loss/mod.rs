//! Losses and accuracy, as functions on recorded values.
//!
//! Classes lie along the last axis of logits and log-probabilities, `[…, classes]`; labels are
//! `U32` of the shape `[…]`. Each loss is the mean of its `_per_example` variant. Shapes that do
//! not fit are errors of the tape, which `compile` returns; a label that is not below the
//! number of classes is [`burlap_autodiff::Error::Label`] when the program runs.
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
//!
//! let error = program.run(&[&z, &Array::vector([2u32, 3])]).err().map(|e| e.to_string());
//! assert!(error.is_some_and(|e| e.starts_with(
//!     "cross_entropy: label 3 at position 1, but there are 3 classes, 0 to 2"
//! )));
//! # Ok::<(), burlap_autodiff::Error>(())
//! ```
//!
//! | what is known of an example | losses |
//! |---|---|
//! | its class | [`cross_entropy`], [`cross_entropy_smoothed`], [`nll`], [`accuracy`] |
//! | a probability of each class | [`cross_entropy_soft`] |
//! | for each output whether it applies, or how probably | [`binary_cross_entropy_with_logits`] |
//! | numbers | [`mse`], [`huber`], [`smooth_l1`] |

mod classes;
mod probabilities;
mod regression;

pub use classes::{
    accuracy, accuracy_per_example, cross_entropy, cross_entropy_per_example,
    cross_entropy_smoothed, cross_entropy_smoothed_per_example, nll, nll_per_example,
};
pub use probabilities::{
    binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_per_example,
    cross_entropy_soft, cross_entropy_soft_per_example,
};
pub use regression::{
    huber, huber_per_example, mse, mse_per_example, smooth_l1, smooth_l1_per_example,
};

use burlap_autodiff::Var;

/// Log-probabilities along the last axis.
#[track_caller]
fn log_probs(logits: Var, op: &'static str) -> Var {
    match logits.rank().checked_sub(1) {
        Some(axis) => floats(logits, op, "logits").log_softmax(axis),
        None => logits.fail(op, "a logit for each class is needed, not a scalar"),
    }
}

/// `x`, or an error of the tape if it is not of floats: a mean of whole numbers would be one too.
#[track_caller]
fn floats(x: Var, op: &'static str, what: &str) -> Var {
    match x.dtype() {
        dtype if dtype.is_float() => x,
        dtype => x.fail(op, format!("{what} must be f32 or f64, not {dtype}")),
    }
}

/// `pred`, or an error of the tape if the target has another shape: broadcasting `[n]` against
/// `[n, 1]` would average n² wrong differences.
#[track_caller]
fn alike(pred: Var, target: Var, op: &'static str, what: &str) -> Var {
    if pred.shape() == target.shape() {
        return floats(pred, op, what);
    }
    pred.fail(op, format!("{what} {} and target {} differ", pred.shape(), target.shape()))
}

/// The mean of each example: `[n, …]` → `[n]`.
#[track_caller]
fn each(values: Var) -> Var {
    let rest: Vec<usize> = (1..values.rank()).collect();
    values.mean_axes(&rest)
}
