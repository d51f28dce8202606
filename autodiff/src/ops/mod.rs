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
mod random;
mod reduce;
mod select;
mod shape_ops;

pub use binary::Operand;
pub(crate) use shape_ops::record_concat;

use crate::graph::Op;
use crate::shape::Axes;
use crate::tape::{Var, node_of};
use smallvec::SmallVec;

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
