//! The batching rule of each primitive: how it is recorded with a leading axis.

use crate::error::{At, Error};
use crate::graph::{Contraction, Node, Op, Padding, Range};
use crate::shape::Axes;
use crate::tape::{Var, record_many, record1};
use crate::{DType, Shape};

/// Draws by keys of their own are recorded one by one, up to so many.
const MOST_KEYS: usize = 1 << 16;

/// A node that is recorded again, because some of its operands have the leading axis.
pub(super) struct Batching<'a> {
    pub(super) node: &'a Node,
    pub(super) args: &'a [Var],
    /// For each operand, its batched form; `None` for one that is shared by all entries.
    pub(super) batched: &'a [Option<Var>],
    /// The size of the leading axis.
    pub(super) size: usize,
}

/// A shape with a leading axis.
pub(super) fn lead(size: usize, shape: &[usize]) -> Shape {
    std::iter::once(size).chain(shape.iter().copied()).collect()
}

/// The axes as they count behind a leading one.
fn behind(axes: &[u8]) -> Axes {
    axes.iter().map(|a| a + 1).collect()
}

/// The leading axis, and the others as they count behind it.
fn led(axes: &[u8]) -> Axes {
    std::iter::once(0).chain(axes.iter().map(|a| a + 1)).collect()
}

/// A recorded value, or a poisoned one. Its shape is not what the next rule would rely on, so
/// nothing is recorded from it.
pub(super) type Batched = std::result::Result<Var, Var>;

/// Records a primitive that is well-formed if memory can hold its result.
fn push(op: Op, operands: &[Var], shape: Shape, dtype: DType, at: At) -> Batched {
    let name = op.name();
    let mut fits = false;
    let y = record_many(operands, name, at, |tape, nodes| {
        tape.check_size(name, &shape, at)?;
        fits = true;
        Ok(tape.push(op, nodes, shape, dtype, at))
    });
    if fits { Ok(y) } else { Err(y) }
}

fn reshape(x: Var, shape: Shape, at: At) -> Batched {
    push(Op::Reshape, &[x], shape, x.dtype(), at)
}

/// Repeats a value along a new leading axis: a view, no copy.
pub(super) fn lift(x: Var, size: usize, at: At) -> Batched {
    let shape = x.shape();
    let kept = (1..=shape.len() as u8).collect();
    push(Op::Broadcast(kept), &[x], lead(size, &shape), x.dtype(), at)
}

/// Rows of a product that are too few to fill the inner kernels.
const FEW_ROWS: usize = 8;

impl Batching<'_> {
    /// Operand `i` with the leading axis.
    fn lifted(&self, i: usize) -> Batched {
        self.batched[i].map_or_else(|| lift(self.args[i], self.size, self.node.at), Ok)
    }

    /// Records a primitive whose result is this node's with the leading axis.
    fn push(&self, op: Op, operands: &[Var]) -> Batched {
        let shape = lead(self.size, &self.node.shape);
        push(op, operands, shape, self.node.dtype, self.node.at)
    }

    /// The primitive on operands that all have the leading axis.
    fn all(&self, op: Op) -> Batched {
        let operands: Vec<Var> =
            (0..self.args.len()).map(|i| self.lifted(i)).collect::<Result<_, Var>>()?;
        self.push(op, &operands)
    }

    /// The node with a leading axis. Its operands decide which rule applies, so it has some.
    pub(super) fn apply(&self) -> Batched {
        match &self.node.op {
            // Leaves depend on nothing.
            Op::Input(_) | Op::Poison(_) | Op::Constant(_) | Op::Literal(_) => Err(Var::dead()),
            op @ (Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Cast
            | Op::StopGradient
            | Op::Alias
            // Keeps its number, so that what is computed again stays apart from what was kept.
            | Op::Recompute(_)
            | Op::Reshape) => self.all(op.clone()),
            // What it held fixed has been differentiated by now.
            Op::Hold(_) => self.lifted(0),
            Op::Sum(axes) => self.all(Op::Sum(behind(axes))),
            Op::Max(axes) => self.all(Op::Max(behind(axes))),
            Op::Min(axes) => self.all(Op::Min(behind(axes))),
            Op::ArgMax(axis) => self.all(Op::ArgMax(axis + 1)),
            Op::Broadcast(axes) => self.all(Op::Broadcast(led(axes))),
            Op::Transpose(axes) => self.all(Op::Transpose(led(axes))),
            Op::Slice(ranges) => {
                let whole = Range { start: 0, step: 1 };
                self.all(Op::Slice(std::iter::once(whole).chain(ranges.iter().copied()).collect()))
            }
            Op::Pad(padding) => {
                let none = Padding::default();
                self.all(Op::Pad(std::iter::once(none).chain(padding.iter().copied()).collect()))
            }
            Op::Concat(axis) => self.all(Op::Concat(axis + 1)),
            Op::Flip(axes) => self.all(Op::Flip(behind(axes))),
            Op::Contract(c) => self.contract(c),
            Op::Gather(axis) => match self.batched[1] {
                None => self.push(Op::Gather(axis + 1), &[self.lifted(0)?, self.args[1]]),
                Some(indices) => self.gather(*axis, indices),
            },
            Op::ScatterAdd(axis) => match self.batched[1] {
                None => self.push(Op::ScatterAdd(axis + 1), &[self.lifted(0)?, self.args[1]]),
                Some(indices) => self.scatter(*axis, indices),
            },
            Op::TakeAlong(along) => self.all(Op::TakeAlong(along.behind())),
            Op::ScatterAlong(along) => self.all(Op::ScatterAlong(along.behind())),
            Op::Random(..) => self.random(),
        }
    }

    /// Both operands batched: one more batch axis. The left one alone: its rows become more
    /// rows of the same product where they lie behind each other. The right one alone: the
    /// same with the operands exchanged, where the product has few rows. Else the other
    /// operand is repeated along a batch axis.
    fn contract(&self, c: &Contraction) -> Batched {
        let leads = |free: Axes| free.iter().enumerate().all(|(i, &a)| i == a as usize);
        let rows_lead = |operand: usize| {
            let rank = self.args[operand].rank();
            c.left_batch.is_empty()
                && leads(if operand == 0 { c.left_free(rank) } else { c.right_free(rank) })
        };
        let rows = || {
            let left = self.args[0].shape();
            c.left_free(left.len()).iter().map(|&a| left[a as usize]).product::<usize>()
        };
        match (self.batched[0], self.batched[1]) {
            (Some(left), None) if rows_lead(0) => {
                let more_rows = Contraction { left_sum: behind(&c.left_sum), ..c.clone() };
                self.push(Op::Contract(Box::new(more_rows)), &[left, self.args[1]])
            }
            // The exchanged product is read back transposed, which pays for few rows only.
            (None, Some(right)) if rows_lead(1) && rows() < FEW_ROWS => {
                self.contract_exchanged(c, right)
            }
            _ => self.all(Op::Contract(Box::new(Contraction {
                left_batch: led(&c.left_batch),
                right_batch: led(&c.right_batch),
                left_sum: behind(&c.left_sum),
                right_sum: behind(&c.right_sum),
            }))),
        }
    }

    /// Many rows on the right: rows of one product with the operands exchanged.
    fn contract_exchanged(&self, c: &Contraction, right: Var) -> Batched {
        let left = self.args[0];
        let rows = c.left_free(left.rank()).len();
        let (above, beside) = self.node.shape.split_at(rows);
        let shape: Shape = [self.size].iter().chain(beside).chain(above).copied().collect();
        let op = Op::Contract(Box::new(Contraction {
            left_sum: behind(&c.right_sum),
            right_sum: c.left_sum.clone(),
            ..Contraction::default()
        }));
        let product = push(op, &[right, left], shape, self.node.dtype, self.node.at)?;
        let first = 1 + beside.len();
        let order = std::iter::once(0).chain(first..first + rows).chain(1..first);
        self.push(Op::Transpose(order.map(|a| a as u8).collect()), &[product])
    }

    /// Indices `[size, …]` as one axis in place of `axis`, repeated along the other axes of
    /// `whole`: as `take_along` wants them.
    fn spread(&self, axis: u8, whole: &Shape, indices: Var) -> Batched {
        let count = self.args[1].shape().count();
        let mut shape = lead(self.size, whole);
        shape[1 + axis as usize] = count;
        let flat = reshape(indices, Shape::from([self.size, count]), self.node.at)?;
        let axes = Axes::from_slice(&[0, 1 + axis]);
        push(Op::Broadcast(axes), &[flat], shape, DType::U32, self.node.at)
    }

    /// Gathers by indices that differ from entry to entry.
    fn gather(&self, axis: u8, indices: Var) -> Batched {
        let (dtype, at) = (self.node.dtype, self.node.at);
        let Some(x) = self.batched[0] else {
            // One gather by all of them; their leading axis belongs first.
            let (before, after) = self.node.shape.split_at(axis as usize);
            let shape = before.iter().chain([&self.size]).chain(after).copied().collect();
            let gathered = push(Op::Gather(axis), &[self.args[0], indices], shape, dtype, at)?;
            let rank = self.node.shape.len() as u8;
            let order = std::iter::once(axis).chain(0..axis).chain(axis + 1..=rank).collect();
            return self.push(Op::Transpose(order), &[gathered]);
        };
        // Not by offsets into one long axis: an index beyond its own must remain an error.
        let indices = self.spread(axis, &self.args[0].shape(), indices)?;
        let taken =
            push(Op::TakeAlong((axis + 1).into()), &[x, indices], indices.shape(), dtype, at)?;
        self.push(Op::Reshape, &[taken])
    }

    /// Adds at indices that differ from entry to entry.
    fn scatter(&self, axis: u8, indices: Var) -> Batched {
        let indices = self.spread(axis, &self.node.shape, indices)?;
        let updates = reshape(self.lifted(0)?, indices.shape(), self.node.at)?;
        self.push(Op::ScatterAlong((axis + 1).into()), &[updates, indices])
    }

    /// Each entry draws by its own key. Its counter starts at 0, so there is no common draw.
    fn random(&self) -> Batched {
        let (keys, dtype, at) = (self.lifted(0)?, self.node.dtype, self.node.at);
        if self.size > MOST_KEYS {
            return Err(record1(keys, "vmap", at, |_, _| {
                let problem = format!("more than {MOST_KEYS} keys, each of which is a primitive");
                Err(Error::Parameter { op: self.node.op.name(), problem, at })
            }));
        }
        let draw = |i: usize| {
            let y = push(self.node.op.clone(), &[keys.at(i)], self.node.shape.clone(), dtype, at)?;
            reshape(y, lead(1, &self.node.shape), at)
        };
        let rows: Vec<Var> = (0..self.size).map(draw).collect::<Result<_, Var>>()?;
        if rows.is_empty() {
            let shape = lead(0, &self.node.shape);
            return Ok(record1(keys, "zeros", at, |tape, _| Ok(tape.full(0.0, &shape, dtype, at))));
        }
        self.push(Op::Concat(0), &rows)
    }
}
