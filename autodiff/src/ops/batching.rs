//! What the batching rules of primitives are made of.

use crate::error::At;
use crate::graph::{Broadcast, Node, Op};
use crate::shape::Axes;
use crate::tape::{Var, record_many};
use crate::{DType, Shape};

/// A node that is recorded again, because some of its operands have the leading axis.
pub(crate) struct Batching<'a> {
    pub(crate) node: &'a Node,
    pub(crate) args: &'a [Var],
    /// For each operand, its batched form; `None` for one that is shared by all entries.
    pub(crate) batched: &'a [Option<Var>],
    /// The size of the leading axis.
    pub(crate) size: usize,
}

/// A shape with a leading axis.
pub(crate) fn lead(size: usize, shape: &[usize]) -> Shape {
    std::iter::once(size).chain(shape.iter().copied()).collect()
}

/// The axes as they count behind a leading one.
pub(super) fn behind(axes: &[u8]) -> Axes {
    axes.iter().map(|a| a + 1).collect()
}

/// The leading axis, and the others as they count behind it.
pub(super) fn led(axes: &[u8]) -> Axes {
    std::iter::once(0).chain(axes.iter().map(|a| a + 1)).collect()
}

/// A recorded value, or a poisoned one. Its shape is not what the next rule would rely on, so
/// nothing is recorded from it.
pub(crate) type Batched = std::result::Result<Var, Var>;

/// Records a primitive that is well-formed if memory can hold its result.
pub(super) fn push(op: Op, operands: &[Var], shape: Shape, dtype: DType, at: At) -> Batched {
    let name = op.name();
    let mut fits = false;
    let y = record_many(operands, name, at, |tape, nodes| {
        tape.check_size(name, &shape, at)?;
        fits = true;
        Ok(tape.push(op, nodes, shape, dtype, at))
    });
    if fits { Ok(y) } else { Err(y) }
}

pub(super) fn reshape(x: Var, shape: Shape, at: At) -> Batched {
    push(Op::Reshape, &[x], shape, x.dtype(), at)
}

/// Repeats a value along a new leading axis: a view, no copy.
pub(crate) fn lift(x: Var, size: usize, at: At) -> Batched {
    let shape = x.shape();
    let kept: Axes = (1..=shape.len() as u8).collect();
    push(Broadcast(kept).into(), &[x], lead(size, &shape), x.dtype(), at)
}

impl Batching<'_> {
    /// Operand `i` with the leading axis.
    pub(super) fn lifted(&self, i: usize) -> Batched {
        self.batched[i].map_or_else(|| lift(self.args[i], self.size, self.node.at), Ok)
    }

    /// Records a primitive whose result is this node's with the leading axis.
    pub(super) fn push(&self, op: impl Into<Op>, operands: &[Var]) -> Batched {
        let shape = lead(self.size, &self.node.shape);
        push(op.into(), operands, shape, self.node.dtype, self.node.at)
    }

    /// The primitive on operands that all have the leading axis.
    pub(super) fn all(&self, op: impl Into<Op>) -> Batched {
        let operands: Vec<Var> =
            (0..self.args.len()).map(|i| self.lifted(i)).collect::<Result<_, Var>>()?;
        self.push(op, &operands)
    }
}
