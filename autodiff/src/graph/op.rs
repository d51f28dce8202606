//! The primitives: a closed set. What each computes, and how it is differentiated, is in `ops`.

use super::{Along, Binary, Compare, Contraction, Distribution, Padding, Range, Unary};
use crate::shape::Axes;
use smallvec::SmallVec;

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
}
