//! Indexing: gather and take-along-axis, and their transposes, which scatter by adding.
//! Indices are `U32`; one beyond the axis is an error of the run, in the words of the loss where
//! they are labels.

use super::batching::{Batched, Batching, lead, push, reshape};
use super::example::{
    Example, Examples,
    Sample::{Integer, Real},
    example,
};
use super::plain::{Operands, flat, plus, positions};
use super::primitive::{Fact, Linear, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::{
    Along, Broadcast, Gather, NodeId, Op, Reshape, ScatterAdd, ScatterAlong, TakeAlong, Transpose,
};
use crate::shape::Axes;
use crate::tape::{TapeData, Var, node_of, record_many, record2};
use crate::work::{self, Emit, Indexed, Kernels, Lowering, View};
use crate::{DType, Shape};

/// Where indices count.
#[derive(Clone, Copy)]
struct Indices {
    along: Along,
    /// Whether there is one for each element.
    each: bool,
}

impl From<u8> for Indices {
    fn from(axis: u8) -> Indices {
        Indices { along: axis.into(), each: false }
    }
}

impl From<Along> for Indices {
    fn from(along: Along) -> Indices {
        Indices { along, each: true }
    }
}

impl Indices {
    /// Pairs of a position among as many elements as there are indices for, and of the position
    /// among all that its index tells.
    fn walk(
        self,
        of: &Operands<'_>,
        (small, whole): (&Shape, &Shape),
        mut f: impl FnMut(usize, usize),
    ) -> Result<()> {
        let (indices, shape, axis) = (of.value(1), of.shape(1), self.along.axis as usize);
        let span = if self.each { 1 } else { shape.len() };
        let size = whole[axis];
        // All of them, also where another axis leaves nothing to select.
        if let Some(position) = indices.iter().position(|&i| i as usize >= size) {
            let (op, index) = (of.node.op.name(), indices[position] as u32);
            let labels = self.along.labels;
            return Err(Error::beyond(labels, op, (index, position), size, of.node.at));
        }
        for (i, p) in positions(small).enumerate() {
            let at = if self.each { i } else { flat(shape, &p[axis..axis + span]) };
            let mut q: Vec<usize> = p[..axis].to_vec();
            q.push(indices[at] as usize);
            q.extend(&p[axis + span..]);
            f(i, flat(whole, &q));
        }
        Ok(())
    }

    fn gathered(self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (x, out) = (of.value(0), &of.node.shape);
        let mut result = vec![0.0; out.count()];
        self.walk(of, (out, of.shape(0)), |small, whole| result[small] = x[whole])?;
        Ok(result)
    }

    fn scattered(self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (x, out, dtype) = (of.value(0), &of.node.shape, of.node.dtype);
        let mut result = vec![0.0; out.count()];
        self.walk(of, (of.shape(0), out), |small, whole| {
            result[whole] = dtype.round(plus(dtype, result[whole], x[small]))
        })?;
        Ok(result)
    }

    /// A kernel along an axis of `whole`.
    fn kernel(self, whole: &Shape, out: View, to: &mut dyn Emit) -> Indexed {
        let (x, indices) = (to.contiguous(0), to.contiguous(1));
        let (axis, shape) = (self.along.axis as usize, to.shape(1));
        Indexed {
            x,
            indices,
            out,
            outer: whole[..axis].iter().product(),
            size: whole[axis],
            positions: if self.each { shape[axis] } else { shape.count() },
            inner: whole[axis + 1..].iter().product(),
            along: self.each,
            labels: self.along.labels,
            dtype: to.dtype(0),
        }
    }
}

/// The opposite primitive, of the same indices, on a cotangent.
fn opposite(op: Op, i: usize, args: &[Var], ct: Var) -> Option<Var> {
    if i != 0 {
        return None;
    }
    let operand = node_of(args[0])?;
    Some(record2(ct, args[1], op.name(), operand.at, |tape, ct, indices| {
        let dtype = tape.node(ct).dtype;
        Ok(tape.push(op, &[ct, indices], operand.shape, dtype, operand.at))
    }))
}

/// Indices `[size, …]` as one axis in place of `axis`, repeated along the other axes of
/// `whole`: as `take_along` wants them.
fn spread(of: &Batching<'_>, axis: u8, whole: &Shape, indices: Var) -> Batched {
    let count = of.args[1].shape().count();
    let mut shape = lead(of.size, whole);
    shape[1 + axis as usize] = count;
    let flat = reshape(indices, Shape::from([of.size, count]), of.node.at)?;
    let axes = Axes::from_slice(&[0, 1 + axis]);
    push(Broadcast(axes).into(), &[flat], shape, DType::U32, of.node.at)
}

impl Primitive for Gather {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        let (axis, dtype, at) = (self.0, of.node.dtype, of.node.at);
        let Some(indices) = of.batched[1] else {
            return of.push(Gather(axis + 1), &[of.lifted(0)?, of.args[1]]);
        };
        // The indices differ from entry to entry.
        let Some(x) = of.batched[0] else {
            // One gather by all of them; their leading axis belongs first.
            let (before, after) = of.node.shape.split_at(axis as usize);
            let shape = before.iter().chain([&of.size]).chain(after).copied().collect();
            let gathered = push(self.into(), &[of.args[0], indices], shape, dtype, at)?;
            let rank = of.node.shape.len() as u8;
            let order = std::iter::once(axis).chain(0..axis).chain(axis + 1..=rank).collect();
            return of.push(Transpose(order), &[gathered]);
        };
        // Not by offsets into one long axis: an index beyond its own must remain an error.
        let indices = spread(of, axis, &of.args[0].shape(), indices)?;
        let along = TakeAlong((axis + 1).into());
        let taken = push(along.into(), &[x, indices], indices.shape(), dtype, at)?;
        of.push(&Reshape, &[taken])
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Indices::from(self.0).gathered(of)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Linear for Gather {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        opposite(ScatterAdd(self.0).into(), i, args, ct)
    }

    fn transpose_leaves_out(&self) -> bool {
        true
    }
}

impl Kernels for Gather {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let whole = to.shape(0);
        let kernel = Indices::from(self.0).kernel(&whole, out, to);
        to.push(work::Gather(kernel).into());
    }
}

impl Examples for Gather {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[4]), Integer(&[5], 4)], |a| a[0].gather(0, a[1])),
            example(&[Real(&[2, 3, 2]), Integer(&[2, 2], 3)], |a| a[0].gather(1, a[1])),
            example(&[Integer(&[2, 3], 9), Integer(&[], 3)], |a| a[0].gather(1, a[1])),
        ]
    }
}

impl Primitive for ScatterAdd {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        let axis = self.0;
        let Some(indices) = of.batched[1] else {
            return of.push(ScatterAdd(axis + 1), &[of.lifted(0)?, of.args[1]]);
        };
        // The indices differ from entry to entry.
        let indices = spread(of, axis, &of.node.shape, indices)?;
        let updates = reshape(of.lifted(0)?, indices.shape(), of.node.at)?;
        of.push(ScatterAlong((axis + 1).into()), &[updates, indices])
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Indices::from(self.0).scattered(of)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Linear for ScatterAdd {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        opposite(Gather(self.0).into(), i, args, ct)
    }

    fn fills_in(&self) -> bool {
        true
    }
}

impl Kernels for ScatterAdd {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let (whole, _) = to.result();
        let kernel = Indices::from(self.0).kernel(&whole, out, to);
        to.push(work::Scatter(kernel).into());
    }
}

impl Examples for ScatterAdd {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[4]), Integer(&[3], 4), Real(&[3])], |a| {
                a[0].scatter_add(0, a[1], a[2])
            }),
            example(&[Real(&[2, 4, 2]), Integer(&[3, 1], 4), Real(&[2, 3, 1, 2])], |a| {
                a[0].scatter_add(1, a[1], a[2])
            }),
        ]
    }
}

impl Primitive for TakeAlong {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(TakeAlong(self.0.behind()))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Indices::from(self.0).gathered(of)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Linear for TakeAlong {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        opposite(ScatterAlong(self.0).into(), i, args, ct)
    }

    fn transpose_leaves_out(&self) -> bool {
        true
    }
}

impl Kernels for TakeAlong {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let whole = to.shape(0);
        let kernel = Indices::from(self.0).kernel(&whole, out, to);
        to.push(work::Gather(kernel).into());
    }
}

impl Examples for TakeAlong {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3]), Integer(&[2, 4], 3)], |a| a[0].take_along(1, a[1])),
            example(&[Real(&[2, 3]), Integer(&[5, 3], 2)], |a| a[0].take_along(0, a[1])),
        ]
    }
}

impl Primitive for ScatterAlong {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(ScatterAlong(self.0.behind()))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Indices::from(self.0).scattered(of)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Linear for ScatterAlong {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        opposite(TakeAlong(self.0).into(), i, args, ct)
    }

    fn fills_in(&self) -> bool {
        true
    }
}

impl Kernels for ScatterAlong {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let (whole, _) = to.result();
        let kernel = Indices::from(self.0).kernel(&whole, out, to);
        to.push(work::Scatter(kernel).into());
    }
}

impl Examples for ScatterAlong {
    fn examples() -> Vec<Example> {
        // Recorded as the transpose of `take_along`.
        vec![example(&[Real(&[2, 3]), Integer(&[2, 4], 3), Real(&[2, 4])], |a| {
            a[0].take_along(1, a[1]).vjp(a[0], a[2])
        })]
    }
}

/// The shape that gathering along `axis` gives: the axis is replaced by the indices' axes.
fn gathered(from: &Shape, axis: usize, indices: &Shape) -> Shape {
    from[..axis].iter().chain(indices.iter()).chain(&from[axis + 1..]).copied().collect()
}

fn check(
    tape: &TapeData,
    op: &'static str,
    x: NodeId,
    indices: NodeId,
    axis: usize,
    at: At,
) -> Result<(Shape, Shape, DType)> {
    let ((from, dtype), (index, index_dtype)) = (tape.aval(x), tape.aval(indices));
    if index_dtype != DType::U32 {
        let problem = "the indices must be u32".into();
        return Err(Error::DType { op, problem, operands: vec![dtype, index_dtype], at });
    }
    if axis >= from.len() {
        return Err(Error::Parameter {
            op,
            problem: format!("there is no axis {axis} in the shape {from}"),
            at,
        });
    }
    Ok((from, index, dtype))
}

impl Var {
    /// The entries at `indices` along an axis, which is replaced by the axes of the
    /// indices: `x[…, indices, …]`.
    #[track_caller]
    pub fn gather(self, axis: usize, indices: Var) -> Var {
        let at = At::caller();
        record2(self, indices, "gather", at, |tape, x, indices| {
            let (from, index, dtype) = check(tape, "gather", x, indices, axis, at)?;
            let shape = gathered(&from, axis, &index);
            tape.check_size("gather", &shape, at)?;
            Ok(tape.push(Gather(axis as u8).into(), &[x, indices], shape, dtype, at))
        })
    }

    /// This value with `updates` added at `indices` along an axis; equal indices add up.
    /// The updates have the shape that `gather(axis, indices)` would give.
    #[track_caller]
    pub fn scatter_add(self, axis: usize, indices: Var, updates: Var) -> Var {
        let at = At::caller();
        let scattered = record_many(&[updates, indices, self], "scatter_add", at, |tape, nodes| {
            let (to, index, dtype) = check(tape, "scatter_add", nodes[2], nodes[1], axis, at)?;
            let (from, update_dtype) = tape.aval(nodes[0]);
            if update_dtype != dtype || dtype == DType::Bool {
                let problem = "updates and target must be of one numeric type".into();
                return Err(Error::DType {
                    op: "scatter_add",
                    problem,
                    operands: vec![dtype, update_dtype],
                    at,
                });
            }
            if from != gathered(&to, axis, &index) {
                let problem = format!("target, indices and updates do not fit along axis {axis}");
                return Err(Error::Shape {
                    op: "scatter_add",
                    problem,
                    operands: vec![to, index, from],
                    at,
                });
            }
            Ok(tape.push(ScatterAdd(axis as u8).into(), &nodes[..2], to, dtype, at))
        });
        self + scattered
    }

    /// One entry for each index: `y[…, j, …] = x[…, indices[…, j, …], …]`, where the
    /// indices have the operand's sizes except along `axis`.
    #[track_caller]
    pub fn take_along(self, axis: usize, indices: Var) -> Var {
        let at = At::caller();
        record2(self, indices, "take_along", at, |tape, x, indices| {
            let (from, index, dtype) = check(tape, "take_along", x, indices, axis, at)?;
            let fits = index.len() == from.len()
                && (0..from.len()).all(|a| a == axis || from[a] == index[a]);
            if !fits {
                let problem = format!("the sizes differ at another axis than {axis}");
                return Err(Error::Shape {
                    op: "take_along",
                    problem,
                    operands: vec![from, index],
                    at,
                });
            }
            Ok(tape.push(TakeAlong((axis as u8).into()).into(), &[x, indices], index, dtype, at))
        })
    }
}
