//! Losses of examples whose targets are probabilities.

use burlap_autodiff::Var;

use super::{alike, each, log_probs};

/// The mean of −Σ t · log softmax(logits) over examples: the cross-entropy against a probability t of
/// each class, as mixed, smoothed or taught labels are. Both are `[…, classes]`.
///
/// A class of probability 0 contributes nothing, also where its logit is −∞ (a class that is ruled
/// out): value and derivatives are those of the other classes. That the targets are probabilities is
/// not checked: they may have any sum. The same as PyTorch's `cross_entropy` with targets of floats
/// (there −∞ gives NaN).
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// use burlap_nn::loss;
///
/// let tape = Tape::new();
/// let logits = tape.input("logits", DType::F64, [1, 3]);
/// let target = tape.input("target", DType::F64, [1, 3]);
/// let f = loss::cross_entropy_soft(logits, target);
/// let program = tape.compile(&Cpu::new(), &[f, f.grad(logits)])?;
/// let z = Array::from_vec([1, 3], vec![0.0, 0.0, f64::NEG_INFINITY])?;
/// let t = Array::from_vec([1, 3], vec![0.75, 0.25, 0.0])?;
/// let out = program.run(&[&z, &t])?;
/// assert_eq!(out[0].item()?, 2f64.ln());
/// assert_eq!(out[1].to_string(), "[[-0.25, 0.25, 0]]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[track_caller]
#[must_use]
pub fn cross_entropy_soft(logits: Var, target: Var) -> Var {
    cross_entropy_soft_per_example(logits, target).mean()
}

/// −Σ t · log softmax(logits) of each example: `[…, classes]` → `[…]`.
#[track_caller]
#[must_use]
pub fn cross_entropy_soft_per_example(logits: Var, target: Var) -> Var {
    const OP: &str = "cross_entropy_soft";
    let log_probs = log_probs(alike(logits, target, OP, "logits"), OP);
    -weighted(target, log_probs).sum_axes(&[logits.rank().saturating_sub(1)])
}

/// The mean of −t log σ(x) − (1 − t) log(1 − σ(x)) over all elements, for logits x and targets t in
/// [0, 1] of one shape; σ(x) = 1/(1 + e⁻ˣ).
///
/// Computed as t · softplus(−x) + (1 − t) · softplus(x): both terms keep their relative accuracy
/// wherever they are small, and derivatives of every order are those of softplus. A term of weight 0
/// contributes nothing where it is infinite. That targets lie in [0, 1] is not checked. The same as
/// PyTorch's `binary_cross_entropy_with_logits`.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// use burlap_nn::loss;
///
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [2]);
/// let t = tape.input("t", DType::F64, [2]);
/// let f = loss::binary_cross_entropy_with_logits(x, t);
/// let program = tape.compile(&Cpu::new(), &[f, f.grad(x)])?;
/// let out = program.run(&[&Array::vector([0.0, 0.0]), &Array::vector([1.0, 0.25])])?;
/// assert_eq!(out[0].item()?, 2f64.ln());
/// assert_eq!(out[1].to_string(), "[-0.25, 0.125]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[track_caller]
#[must_use]
pub fn binary_cross_entropy_with_logits(logits: Var, target: Var) -> Var {
    binary(logits, target).mean()
}

/// The mean binary cross-entropy of each example: `[n, …]` → `[n]`.
#[track_caller]
#[must_use]
pub fn binary_cross_entropy_with_logits_per_example(logits: Var, target: Var) -> Var {
    each(binary(logits, target))
}

#[track_caller]
fn binary(logits: Var, target: Var) -> Var {
    let x = alike(logits, target, "binary_cross_entropy_with_logits", "logits");
    weighted(target, (-x).softplus()) + weighted(1.0 - target, x.softplus())
}

/// w · value, and 0 where the weight w is 0 and the value infinite; no derivative passes there.
///
/// The infinity is replaced before the product, since 0 times it would be NaN, in a choice that is
/// not taken as well. Where the value is finite, the derivative by w remains the value.
#[track_caller]
fn weighted(weight: Var, value: Var) -> Var {
    let unweighted = weight.equal(0.0).select(value, 0.0);
    let infinite = unweighted.abs().equal(f64::INFINITY);
    weight * infinite.select(0.0, value)
}
