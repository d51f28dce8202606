//! Parts of a value and values side by side: slice, pad, concat, flip.

use super::batching::{Batched, Batching, behind};
use super::example::{
    Example, Examples,
    Sample::{Mask, Real},
    example,
};
use super::plain::{Operands, flat, positions};
use super::primitive::{Fact, Linear, Primitive, Stretch};
use super::reshape::sorted_axes;
use crate::error::{At, Error, Result};
use crate::graph::{Concat, Flip, NodeId, Pad, Padding, Range, Slice};
use crate::tape::{Tape, TapeData, Var, record_many, record1, with_tape};
use crate::work::{Emit, Kernels, Lowering, Map, Movement, Strided, View};
use crate::{DType, Shape};
use smallvec::SmallVec;

impl Primitive for Slice {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        let whole = Range { start: 0, step: 1 };
        of.all(Slice(std::iter::once(whole).chain(self.0.iter().copied()).collect()))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.moved(|p| p.iter().zip(&self.0).map(|(p, r)| r.start + p * r.step).collect()))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::View(self)
    }
}

impl Linear for Slice {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let (operand, shape) = (args[i].shape(), ct.shape());
        let padding = self.0.iter().enumerate().map(|(axis, r)| {
            let spread = shape[axis].saturating_sub(1) * r.step + usize::from(shape[axis] > 0);
            Padding {
                before: r.start,
                between: r.step - 1,
                after: operand[axis] - (r.start + spread),
            }
        });
        Some(ct.pad(&padding.collect::<Vec<_>>()))
    }

    fn transpose_leaves_out(&self) -> bool {
        true
    }

    /// The only axis along which it cuts, with step 1, and where it begins.
    fn stretch(&self, operand: &Shape, result: &Shape) -> Option<Stretch> {
        let mut cut = None;
        for (axis, r) in self.0.iter().enumerate() {
            if result[axis] != operand[axis] {
                if cut.is_some() || r.step != 1 {
                    return None;
                }
                cut = Some(Stretch::Along { axis, start: r.start });
            }
        }
        cut
    }
}

impl Movement for Slice {
    fn view(&self, _: &Shape, _: &Shape, mut operand: Strided) -> Option<Strided> {
        for (r, stride) in self.0.iter().zip(&mut operand.strides) {
            operand.offset += r.start as isize * *stride;
            *stride *= r.step as isize;
        }
        Some(operand)
    }
}

impl Examples for Slice {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[5])], |a| a[0].slice_steps(&[(1, 5, 2)])),
            example(&[Real(&[3, 4])], |a| a[0].slice_axis(1, 1, 3)),
            example(&[Real(&[3, 4])], |a| a[0].slice_axis(0, 2, 2)),
        ]
    }
}

impl Primitive for Pad {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        let none = Padding::default();
        of.all(Pad(std::iter::once(none).chain(self.0.iter().copied()).collect()))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let out = &of.node.shape;
        let mut result = vec![0.0; out.count()];
        for (p, &x) in positions(of.shape(0)).zip(of.value(0)) {
            let to: Vec<usize> =
                p.iter().zip(&self.0).map(|(p, q)| q.before + p * (q.between + 1)).collect();
            result[flat(out, &to)] = x;
        }
        Ok(result)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Linear for Pad {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let operand = args[i].shape();
        let ranges = self.0.iter().zip(operand.iter()).map(|(p, &n)| {
            let step = p.between + 1;
            (p.before, if n == 0 { p.before } else { p.before + (n - 1) * step + 1 }, step)
        });
        Some(ct.slice_steps(&ranges.collect::<Vec<_>>()))
    }

    fn fills_in(&self) -> bool {
        true
    }
}

impl Kernels for Pad {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let (shape, dtype) = to.result();
        to.push(Map::fill(shape, out.clone(), dtype).into());
        let from = to.view(0);
        let mut inside = out;
        for (p, stride) in self.0.iter().zip(&mut inside.strides) {
            inside.offset += p.before as isize * *stride;
            *stride *= (p.between + 1) as isize;
        }
        to.copy(from, inside, to.shape(0));
    }
}

impl Examples for Pad {
    fn examples() -> Vec<Example> {
        vec![example(&[Real(&[2, 2])], |a| {
            let ends = Padding { before: 2, between: 0, after: 1 };
            a[0].pad(&[Padding { before: 0, between: 1, after: 0 }, ends])
        })]
    }
}

impl Primitive for Concat {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Concat(self.0 + 1))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (axis, out) = (self.0 as usize, &of.node.shape);
        let mut result = vec![0.0; out.count()];
        let mut start = 0;
        for i in 0..of.node.args.len() {
            for (mut p, &x) in positions(of.shape(i)).zip(of.value(i)) {
                p[axis] += start;
                result[flat(out, &p)] = x;
            }
            start += of.shape(i)[axis];
        }
        Ok(result)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::SideBySide(self.0 as usize)
    }
}

impl Linear for Concat {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let mut transposed = None;
        let wanted: Vec<bool> = (0..args.len()).map(|j| j == i).collect();
        self.transposes(args, &wanted, ct, &mut |_, t| transposed = Some(t));
        transposed
    }

    /// Each part begins where the last one ended.
    fn transposes(&self, args: &[Var], wanted: &[bool], ct: Var, give: &mut dyn FnMut(usize, Var)) {
        let (axis, mut start) = (self.0 as usize, 0);
        for (i, arg) in args.iter().enumerate() {
            let end = start + arg.shape()[axis];
            if wanted[i] {
                give(i, ct.slice_axis(axis, start, end));
            }
            start = end;
        }
    }
}

impl Examples for Concat {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3]), Real(&[2, 1]), Real(&[2, 2])], |a| a[0].join(&a[1..], 1)),
            example(&[Mask(&[2]), Mask(&[3])], |a| a[0].join(&a[1..], 0)),
        ]
    }
}

impl Primitive for Flip {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Flip(behind(&self.0)))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.moved(|p| {
            let mut from = p.to_vec();
            for &a in &self.0 {
                from[a as usize] = of.node.shape[a as usize] - 1 - p[a as usize];
            }
            from
        }))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::View(self)
    }
}

impl Linear for Flip {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        Some(ct.flip(&self.0.iter().map(|&a| a as usize).collect::<Vec<_>>()))
    }
}

impl Movement for Flip {
    fn view(&self, from: &Shape, _: &Shape, mut operand: Strided) -> Option<Strided> {
        for a in self.0.iter().map(|&a| a as usize) {
            operand.offset += (from[a] as isize - 1).max(0) * operand.strides[a];
            operand.strides[a] = -operand.strides[a];
        }
        Some(operand)
    }
}

impl Examples for Flip {
    fn examples() -> Vec<Example> {
        vec![example(&[Real(&[2, 3, 2])], |a| a[0].flip(&[2, 0]))]
    }
}

impl Var {
    /// The elements `start, start + step, …` below `end` along each axis, given as
    /// `(start, end, step)`.
    #[track_caller]
    pub fn slice_steps(self, ranges: &[(usize, usize, usize)]) -> Var {
        let at = At::caller();
        record1(self, "slice", at, |tape, x| {
            let (from, _) = tape.aval(x);
            let fits = |(&(start, end, step), &n): (&(usize, usize, usize), &usize)| {
                start <= end && end <= n && step > 0
            };
            if ranges.len() != from.len() || !ranges.iter().zip(from.iter()).all(fits) {
                let problem =
                    format!("ranges (start, end, step) {ranges:?} do not fit the shape {from}");
                return Err(Error::Parameter { op: "slice", problem, at });
            }
            Ok(slice(tape, x, ranges, at))
        })
    }

    /// The elements from `start` up to, not including, `end` along one axis.
    #[track_caller]
    pub fn slice_axis(self, axis: usize, start: usize, end: usize) -> Var {
        let at = At::caller();
        record1(self, "slice", at, |tape, x| {
            let (from, _) = tape.aval(x);
            if axis >= from.len() || start > end || end > from[axis] {
                let problem =
                    format!("{start}..{end} along axis {axis} does not fit the shape {from}");
                return Err(Error::Parameter { op: "slice", problem, at });
            }
            let mut ranges: Vec<(usize, usize, usize)> = from.iter().map(|&n| (0, n, 1)).collect();
            ranges[axis] = (start, end, 1);
            Ok(slice(tape, x, &ranges, at))
        })
    }

    /// Entry `index` along the first axis, which vanishes.
    #[track_caller]
    pub fn at(self, index: usize) -> Var {
        let at = At::caller();
        record1(self, "at", at, |tape, x| {
            let (from, _) = tape.aval(x);
            if from.is_empty() || index >= from[0] {
                let problem = format!("index {index} is beyond the first axis of the shape {from}");
                return Err(Error::Parameter { op: "at", problem, at });
            }
            let mut ranges: Vec<(usize, usize, usize)> = from.iter().map(|&n| (0, n, 1)).collect();
            ranges[0] = (index, index + 1, 1);
            let row = slice(tape, x, &ranges, at);
            Ok(tape.reshape(row, Shape::from(&from[1..]), at))
        })
    }

    /// Puts zeros (`false` for `Bool`) before, between and after the elements along each axis.
    #[track_caller]
    pub fn pad(self, padding: &[Padding]) -> Var {
        let at = At::caller();
        record1(self, "pad", at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            if padding.len() != from.len() {
                let problem = format!("{} axes are padded, but the shape is {from}", padding.len());
                return Err(Error::Parameter { op: "pad", problem, at });
            }
            // Less than two elements have nothing between them, however large it is.
            let between = |(p, &n): (&Padding, &usize)| {
                if n > 1 { *p } else { Padding { between: 0, ..*p } }
            };
            let padding: SmallVec<[Padding; 2]> =
                padding.iter().zip(from.iter()).map(between).collect();
            if padding.iter().all(|p| *p == Padding::default()) {
                return Ok(x);
            }
            // Saturating, so that what no memory holds is found by the check below.
            let size = |(p, &n): (&Padding, &usize)| {
                let gaps = n.saturating_sub(1).saturating_mul(p.between);
                n.saturating_add(p.before).saturating_add(p.after).saturating_add(gaps)
            };
            let shape: Shape = padding.iter().zip(from.iter()).map(size).collect();
            tape.check_size("pad", &shape, at)?;
            Ok(tape.push(Pad(padding).into(), &[x], shape, dtype, at))
        })
    }

    /// Reverses the order along the given axes.
    #[track_caller]
    pub fn flip(self, axes: &[usize]) -> Var {
        let at = At::caller();
        record1(self, "flip", at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            let axes = sorted_axes("flip", axes, &from, at)?;
            Ok(tape.push(Flip(axes).into(), &[x], from, dtype, at))
        })
    }

    /// This value followed by others along an existing axis; their other sizes must agree.
    #[track_caller]
    pub fn join(self, others: &[Var], axis: usize) -> Var {
        let at = At::caller();
        let parts: Vec<Var> = std::iter::once(self).chain(others.iter().copied()).collect();
        record_concat(&parts, axis, at)
    }
}

/// A well-formed slice.
fn slice(tape: &mut TapeData, x: NodeId, ranges: &[(usize, usize, usize)], at: At) -> NodeId {
    let dtype = tape.node(x).dtype;
    let shape = ranges.iter().map(|&(start, end, step)| (end - start).div_ceil(step)).collect();
    // Less than two elements have no distance, however large it is.
    let range = |&(start, end, step): &(usize, usize, usize)| Range {
        start,
        step: if end - start > step { step } else { 1 },
    };
    let ranges = ranges.iter().map(range).collect();
    tape.push(Slice(ranges).into(), &[x], shape, dtype, at)
}

impl Tape {
    /// Joins values along an existing axis; their other sizes must agree.
    #[track_caller]
    pub fn concat(&self, parts: &[Var], axis: usize) -> Var {
        self.joined(parts, axis, At::caller())
    }

    /// Stacks values of one shape along a new axis.
    #[track_caller]
    pub fn stack(&self, parts: &[Var], axis: usize) -> Var {
        let at = At::caller();
        let parts: Vec<Var> = parts.iter().map(|p| p.expand_dims_at(axis, "stack", at)).collect();
        self.joined(&parts, axis, at)
    }

    fn joined(&self, parts: &[Var], axis: usize, at: At) -> Var {
        if parts.is_empty() {
            let error =
                Error::Parameter { op: "concat", problem: "there is nothing to join".into(), at };
            return with_tape(self.id(), |t| t.fail(error, Shape::scalar(), DType::F64))
                .map_or(Var::dead(), |node| Var::new(self.id(), node));
        }
        record_concat(parts, axis, at)
    }
}

/// Joins at least one value along an axis.
pub(crate) fn record_concat(parts: &[Var], axis: usize, at: At) -> Var {
    record_many(parts, "concat", at, |tape, nodes| {
        let (first, dtype) = tape.aval(nodes[0]);
        let mut shape = first.clone();
        if axis >= first.len() {
            let problem = format!("there is no axis {axis} in the shape {first}");
            return Err(Error::Parameter { op: "concat", problem, at });
        }
        shape[axis] = 0;
        for &node in nodes {
            let (mut other, other_dtype) = tape.aval(node);
            if other_dtype != dtype {
                let problem = "the element types differ".into();
                return Err(Error::DType {
                    op: "concat",
                    problem,
                    operands: vec![dtype, other_dtype],
                    at,
                });
            }
            let size = other.get(axis).copied();
            if let (Some(size), true) = (size, other.len() == first.len()) {
                shape[axis] = shape[axis].saturating_add(size);
                other[axis] = first[axis];
            }
            if other != first {
                let problem = format!("the sizes differ at another axis than {axis}");
                return Err(Error::Shape {
                    op: "concat",
                    problem,
                    operands: vec![first, tape.aval(node).0],
                    at,
                });
            }
        }
        tape.check_size("concat", &shape, at)?;
        Ok(tape.push(Concat(axis as u8).into(), nodes, shape, dtype, at))
    })
}
