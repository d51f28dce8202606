//! What a primitive is: one variant of [`Op`], its shape rule (in the `Var` method that
//! records it) and one derivative fact, by mathematical kind.
//!
//! | family | file | kind of fact |
//! |---|---|---|
//! | elementwise | `elementwise.rs`, `binary.rs` | a derivative factor per operand |
//! | reductions | `reduce.rs` | transpose (sum) or weights (max, min) |
//! | shape | `shape_ops.rs` | transpose |
//! | contraction | `contract.rs` | transpose per argument |
//! | indexing | `index.rs` | transpose |
//! | choice, conversion | `select.rs` | transpose, or none |
//! | random | `random.rs` | none |
//! | convolution, pooling | to come: `conv.rs` | transpose per argument; gather |

mod binary;
mod composed;
mod contract;
mod cumulative;
mod einsum;
mod elementwise;
mod index;
mod log_ndtr;
mod operators;
pub(crate) mod philox;
mod random;
mod real;
mod reduce;
mod select;
mod shape_ops;
mod special;

pub(crate) use binary::TakesFunction;
pub use binary::{Binary, Compare, Operand};
pub use contract::Contraction;
pub use elementwise::Unary;
pub(crate) use index::Along;
pub use philox::philox4x32;
pub use random::Distribution;
pub use real::Real;
pub use real::Scalar;
pub(crate) use shape_ops::record_concat;

use crate::shape::Axes;
use crate::tape::{Var, node_of};
use smallvec::SmallVec;

/// A rectangular, strided choice along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first index chosen.
    pub start: usize,
    /// The distance between chosen indices, at least 1.
    pub step: usize,
}

/// Zeros put before, between and after the elements along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Padding {
    /// Zeros before the first element.
    pub before: usize,
    /// Zeros between neighbours.
    pub between: usize,
    /// Zeros after the last element.
    pub after: usize,
}

/// A primitive operation. The set is closed: a backend that knows these knows all.
///
/// Sizes that follow from the result's shape are not repeated here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Op {
    // Leaves.
    Input(u32),
    /// The result of an ill-formed operation; the tape holds its error.
    Poison(u32),
    /// A scalar, as the bits of an `f64`.
    Constant(u64),
    /// An array kept by the tape.
    Literal(u32),
    // Elementwise; operands have the result's shape.
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    /// `mask ? a : b`.
    Select,
    Cast,
    StopGradient,
    /// The identity: a variable of its own with the value of another; programs do not contain it.
    Alias,
    /// The identity, as a leaf that a transform holds fixed; programs do not contain it.
    Hold(u32),
    /// The identity, from which values are computed again that nobody kept. What is recorded
    /// on it is distinct from what is recorded on its operand, and on others of another number.
    Recompute(u32),
    // Reductions; the axes vanish.
    Sum(Axes),
    Max(Axes),
    Min(Axes),
    ArgMax(u8),
    // Shape.
    Reshape,
    /// Operand axis `i` becomes the result's axis `axes[i]`; the others are repeated.
    Broadcast(Axes),
    /// Result axis `i` is the operand's axis `axes[i]`.
    Transpose(Axes),
    Slice(SmallVec<[Range; 2]>),
    Pad(SmallVec<[Padding; 2]>),
    Concat(u8),
    Flip(Axes),
    // Contraction.
    Contract(Box<Contraction>),
    // Indexing; the second operand holds the indices.
    /// Replaces an axis by the axes of the indices.
    Gather(u8),
    /// The transpose of `Gather`: adds parts to zeros.
    ScatterAdd(u8),
    /// One index for each element of the result, along an axis.
    TakeAlong(Along),
    /// The transpose of `TakeAlong`.
    ScatterAlong(Along),
    // Random numbers; the operand is the key.
    Random(Distribution, u32),
}

/// The mathematical kind of a primitive, from which its derivatives follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each element depends on the same element of the operands: the fact is a factor.
    Elementwise,
    /// Jointly linear in its real-valued operands: the fact is a transpose, the JVP is itself.
    Linear,
    /// Linear in each of two operands: a transpose for each, the JVP is the product rule.
    Bilinear,
    /// Selects among elements: the fact is the weights of the operand's elements.
    Selecting,
    /// No derivative flows.
    Constant,
}

/// ∂y/∂operand of an elementwise primitive.
pub(crate) enum Partial {
    Zero,
    One,
    MinusOne,
    /// Factors that are multiplied in one after another, so that no product of them leaves the
    /// number range before the result does.
    Factors(SmallVec<[Var; 2]>),
    /// A factor whose zeros leave out what they meet: the operand has no part in the result there.
    Mask(Var),
    /// A factor of tangents whose zeros leave out what they meet.
    Strong(Var),
    /// A factor whose zeros leave out what they meet, as do those of the tangent.
    Both(Var),
}

/// A tangent or a cotangent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Derivative {
    pub(crate) value: Var,
    /// Whether some of its zeros say that nothing depends on the element: a mask, a choice or a
    /// slice has made them. Such a zero is strong: times ∞ or NaN it remains 0.
    pub(crate) strong: bool,
}

impl Derivative {
    pub(crate) fn plain(value: Var) -> Derivative {
        Derivative { value, strong: false }
    }

    /// Times a factor.
    pub(crate) fn times(self, factor: Var) -> Derivative {
        let value = if self.strong { self.value.strong_mul(factor) } else { self.value * factor };
        Derivative { value, ..self }
    }

    /// Times a factor whose zeros are strong.
    pub(crate) fn masked(self, mask: Var) -> Derivative {
        let value = if self.strong {
            mask.strong_mul_both(self.value)
        } else {
            mask.strong_mul(self.value)
        };
        Derivative { value, strong: true }
    }

    /// The sum of two, whose zeros say nothing unless those of both do.
    pub(crate) fn plus(self, other: Derivative) -> Derivative {
        let strong = self.strong && other.strong;
        Derivative { value: self.value + other.value, strong }
    }
}

impl Partial {
    /// One factor.
    pub(crate) fn factor(factor: Var) -> Partial {
        Partial::Factors(SmallVec::from_slice(&[factor]))
    }

    /// Several factors.
    pub(crate) fn factors<const N: usize>(factors: [Var; N]) -> Partial {
        Partial::Factors(SmallVec::from_slice(&factors))
    }

    /// The partial derivative times a tangent or cotangent.
    pub(crate) fn times(self, t: Derivative) -> Option<Derivative> {
        match self {
            Partial::Zero => None,
            Partial::One => Some(t),
            Partial::MinusOne => Some(Derivative { value: -t.value, ..t }),
            Partial::Factors(factors) => Some(factors.into_iter().fold(t, Derivative::times)),
            Partial::Mask(mask) => Some(t.masked(mask)),
            Partial::Both(factor) => Some(Derivative { strong: true, ..t }.masked(factor)),
            Partial::Strong(factor) => Some(Derivative { strong: true, ..t }.times(factor)),
        }
    }
}

impl Op {
    /// One representative of each structural primitive, and every elementwise one: what
    /// tests go through so that none is forgotten.
    pub fn names() -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Unary::ALL.iter().map(|u| u.name()).collect();
        names.extend(Binary::ALL.iter().map(|b| b.name()));
        names.extend(Compare::ALL.iter().map(|c| c.name()));
        names.extend([
            "select",
            "cast",
            "stop_gradient",
            "recompute",
            "sum",
            "max_over",
            "min_over",
            "argmax",
            "reshape",
            "broadcast",
            "transpose",
            "slice",
            "pad",
            "concat",
            "flip",
            "contract",
            "gather",
            "scatter_add",
            "take_along",
            "scatter_along",
            "uniform",
            "normal",
            "bits",
        ]);
        names
    }

    /// The primitive's name, as in error messages and listings.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Poison(_) => "poison",
            Op::Constant(_) => "constant",
            Op::Literal(_) => "literal",
            Op::Unary(u) => u.name(),
            Op::Binary(b) => b.name(),
            Op::Compare(c) => c.name(),
            Op::Select => "select",
            Op::Cast => "cast",
            Op::StopGradient => "stop_gradient",
            Op::Alias => "alias",
            Op::Hold(_) => "hold",
            Op::Recompute(_) => "recompute",
            Op::Sum(_) => "sum",
            Op::Max(_) => "max_over",
            Op::Min(_) => "min_over",
            Op::ArgMax(_) => "argmax",
            Op::Reshape => "reshape",
            Op::Broadcast(_) => "broadcast",
            Op::Transpose(_) => "transpose",
            Op::Slice(_) => "slice",
            Op::Pad(_) => "pad",
            Op::Concat(_) => "concat",
            Op::Flip(_) => "flip",
            Op::Contract(_) => "contract",
            Op::Gather(_) => "gather",
            Op::ScatterAdd(_) => "scatter_add",
            Op::TakeAlong(_) => "take_along",
            Op::ScatterAlong(_) => "scatter_along",
            Op::Random(d, _) => d.name(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Op::Unary(_) | Op::Binary(_) => Kind::Elementwise,
            Op::Select
            | Op::Cast
            | Op::Alias
            | Op::Hold(_)
            | Op::Recompute(_)
            | Op::Sum(_)
            | Op::Reshape
            | Op::Broadcast(_)
            | Op::Transpose(_) => Kind::Linear,
            Op::Slice(_) | Op::Pad(_) | Op::Concat(_) | Op::Flip(_) => Kind::Linear,
            Op::Gather(_) | Op::ScatterAdd(_) | Op::TakeAlong(_) | Op::ScatterAlong(_) => {
                Kind::Linear
            }
            Op::Contract(_) => Kind::Bilinear,
            Op::Max(_) | Op::Min(_) => Kind::Selecting,
            Op::Input(_) | Op::Poison(_) | Op::Constant(_) | Op::Literal(_) => Kind::Constant,
            Op::Compare(_) | Op::StopGradient | Op::ArgMax(_) | Op::Random(..) => Kind::Constant,
        }
    }

    /// The factor of an elementwise primitive for operand `i`.
    pub(crate) fn partial(&self, i: usize, args: &[Var], y: Var) -> Partial {
        match self {
            Op::Unary(u) => u.partial(args[0], y),
            Op::Binary(b) => b.partial(i, args[0], args[1], y),
            _ => Partial::Zero,
        }
    }

    /// The transpose with respect to operand `i`, applied to a cotangent of the result:
    /// ⟨ct, op(…, t, …)⟩ = ⟨transpose(ct), t⟩. `None` where operand `i` is not linear.
    pub(crate) fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let operand = node_of(args[i])?;
        match self {
            Op::Select => select::transpose(i, args, ct),
            Op::Alias | Op::Hold(_) | Op::Recompute(_) => Some(ct),
            Op::Cast => operand.dtype.is_float().then(|| ct.cast(operand.dtype)),
            Op::Sum(axes) => Some(reduce::transpose_sum(axes, &operand.shape, ct)),
            Op::Contract(c) => Some(contract::transpose(c, i, args, ct)),
            Op::Gather(_) | Op::ScatterAdd(_) | Op::TakeAlong(_) | Op::ScatterAlong(_) => {
                index::transpose(self, i, args, &operand.shape, ct)
            }
            _ => shape_ops::transpose(self, i, args, &operand.shape, ct),
        }
    }

    /// Whether the transpose with respect to an operand makes zeros of its own: of elements that
    /// the result does not depend on.
    pub(crate) fn transpose_leaves_out(&self) -> bool {
        matches!(self, Op::Select | Op::Slice(_) | Op::Gather(_) | Op::TakeAlong(_))
    }

    /// Whether the result has zeros that depend on no operand.
    pub(crate) fn fills_in(&self) -> bool {
        matches!(self, Op::Pad(_) | Op::ScatterAdd(_) | Op::ScatterAlong(_))
    }

    /// The weights of a selecting primitive: y = Σ weight · x over the reduced axes.
    pub(crate) fn weights(&self, x: Var, y: Var) -> Option<(Var, Axes)> {
        match self {
            Op::Max(axes) | Op::Min(axes) => Some((reduce::weights(axes, x, y), axes.clone())),
            _ => None,
        }
    }
}
