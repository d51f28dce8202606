//! Primitives that move elements: reshape, broadcast, transpose, slice, pad, concat, flip.
//! All are linear; the fact is the transpose.

use crate::error::{At, Error, Result};
use crate::graph::{NodeId, Op, Padding, Range};
use crate::shape::Axes;
use crate::tape::{Tape, TapeData, Var, record_many, record1, with_tape};
use crate::{DType, Shape};
use smallvec::SmallVec;

/// The transpose of a movement with respect to operand `i`, whose shape is `operand`.
pub(super) fn transpose(op: &Op, i: usize, args: &[Var], operand: &Shape, ct: Var) -> Option<Var> {
    match op {
        Op::Reshape => Some(ct.reshape(operand)),
        Op::Broadcast(axes) => {
            let repeated: Vec<usize> =
                (0..ct.rank()).filter(|&a| !axes.contains(&(a as u8))).collect();
            Some(ct.sum_axes(&repeated))
        }
        Op::Transpose(axes) => {
            let mut inverse = vec![0; axes.len()];
            for (i, &a) in axes.iter().enumerate() {
                inverse[a as usize] = i;
            }
            Some(ct.transpose(&inverse))
        }
        Op::Slice(ranges) => {
            let shape = ct.shape();
            let padding = ranges.iter().enumerate().map(|(axis, r)| {
                let spread = shape[axis].saturating_sub(1) * r.step + usize::from(shape[axis] > 0);
                Padding {
                    before: r.start,
                    between: r.step - 1,
                    after: operand[axis] - (r.start + spread),
                }
            });
            Some(ct.pad(&padding.collect::<Vec<_>>()))
        }
        Op::Pad(padding) => {
            let ranges: Vec<(usize, usize, usize)> = padding
                .iter()
                .zip(operand.iter())
                .map(|(p, &n)| {
                    let step = p.between + 1;
                    (p.before, if n == 0 { p.before } else { p.before + (n - 1) * step + 1 }, step)
                })
                .collect();
            Some(ct.slice_steps(&ranges))
        }
        Op::Concat(axis) => {
            let axis = *axis as usize;
            let start: usize = args[..i].iter().map(|a| a.shape()[axis]).sum();
            Some(ct.slice_axis(axis, start, start + operand[axis]))
        }
        Op::Flip(axes) => Some(ct.flip(&axes.iter().map(|&a| a as usize).collect::<Vec<_>>())),
        _ => None,
    }
}

fn check_axes(op: &'static str, axes: &[usize], shape: &Shape, at: At) -> Result<Axes> {
    let mut list = Axes::new();
    for &axis in axes {
        if axis >= shape.len() || list.contains(&(axis as u8)) {
            let problem = format!("axes {axes:?} are not distinct axes of the shape {shape}");
            return Err(Error::Parameter { op, problem, at });
        }
        list.push(axis as u8);
    }
    Ok(list)
}

/// Sorted distinct axes of a shape, or an error.
pub(super) fn sorted_axes(op: &'static str, axes: &[usize], shape: &Shape, at: At) -> Result<Axes> {
    let mut list = check_axes(op, axes, shape, at)?;
    list.sort_unstable();
    Ok(list)
}

impl Var {
    /// The same elements in row-major order under another shape of the same count.
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Var {
        let at = At::caller();
        let to = shape.into();
        record1(self, "reshape", at, |tape, x| {
            let (from, _) = tape.aval(x);
            tape.check_size("reshape", &to, at)?;
            if from.count() != to.count() {
                let problem = format!("{} elements cannot become {}", from.count(), to.count());
                return Err(Error::Shape { op: "reshape", problem, operands: vec![from, to], at });
            }
            Ok(tape.reshape(x, to, at))
        })
    }

    /// All elements along one axis.
    #[track_caller]
    pub fn flatten(self) -> Var {
        let n = self.shape().count();
        self.reshape([n])
    }

    /// Repeats elements to a shape under NumPy's rule: aligned at the last axis, each size
    /// equal or 1.
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Var {
        let at = At::caller();
        let to = shape.into();
        record1(self, "broadcast", at, |tape, x| {
            let (from, _) = tape.aval(x);
            tape.check_size("broadcast", &to, at)?;
            if super::binary::broadcast_shapes(&from, &to).as_ref() != Some(&to) {
                let problem = "the first cannot be repeated to the second".into();
                return Err(Error::Shape {
                    op: "broadcast",
                    problem,
                    operands: vec![from, to],
                    at,
                });
            }
            Ok(tape.broadcast_to(x, &to, at))
        })
    }

    /// Repeats along new axes: operand axis `i` becomes the result's axis `axes[i]`
    /// (ascending), the other axes of `shape` are new.
    #[track_caller]
    pub fn broadcast_axes(self, shape: impl Into<Shape>, axes: &[usize]) -> Var {
        let at = At::caller();
        let to = shape.into();
        record1(self, "broadcast", at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            tape.check_size("broadcast", &to, at)?;
            let list = check_axes("broadcast", axes, &to, at)?;
            let ascending = list.windows(2).all(|w| w[0] < w[1]);
            if list.len() != from.len()
                || !ascending
                || list.iter().zip(from.iter()).any(|(&a, &n)| to[a as usize] != n)
            {
                let problem = format!("axes {axes:?} of the second do not have the first's sizes");
                return Err(Error::Shape {
                    op: "broadcast",
                    problem,
                    operands: vec![from, to],
                    at,
                });
            }
            Ok(tape.push(Op::Broadcast(list), &[x], to, dtype, at))
        })
    }

    /// Permutes the axes: result axis `i` is operand axis `axes[i]`.
    #[track_caller]
    pub fn transpose(self, axes: &[usize]) -> Var {
        let at = At::caller();
        record1(self, "transpose", at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            let list = check_axes("transpose", axes, &from, at)?;
            if list.len() != from.len() {
                let problem = format!("{axes:?} does not name every axis of the shape {from}");
                return Err(Error::Parameter { op: "transpose", problem, at });
            }
            let shape = list.iter().map(|&a| from[a as usize]).collect();
            Ok(tape.push(Op::Transpose(list), &[x], shape, dtype, at))
        })
    }

    /// Exchanges the last two axes.
    #[track_caller]
    pub fn t(self) -> Var {
        let rank = self.rank();
        let mut axes: Vec<usize> = (0..rank).collect();
        if rank >= 2 {
            axes.swap(rank - 2, rank - 1);
        }
        self.transpose(&axes)
    }

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
            Ok(tape.push(Op::Pad(padding), &[x], shape, dtype, at))
        })
    }

    /// Reverses the order along the given axes.
    #[track_caller]
    pub fn flip(self, axes: &[usize]) -> Var {
        let at = At::caller();
        record1(self, "flip", at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            let axes = sorted_axes("flip", axes, &from, at)?;
            Ok(tape.push(Op::Flip(axes), &[x], from, dtype, at))
        })
    }

    /// This value followed by others along an existing axis; their other sizes must agree.
    #[track_caller]
    pub fn join(self, others: &[Var], axis: usize) -> Var {
        let at = At::caller();
        let parts: Vec<Var> = std::iter::once(self).chain(others.iter().copied()).collect();
        record_concat(&parts, axis, at)
    }

    /// Inserts an axis of size 1 at position `axis`.
    #[track_caller]
    pub fn expand_dims(self, axis: usize) -> Var {
        self.expand_dims_at(axis, "expand_dims", At::caller())
    }

    fn expand_dims_at(self, axis: usize, op: &'static str, at: At) -> Var {
        record1(self, op, at, |tape, x| {
            let (mut shape, _) = tape.aval(x);
            if axis > shape.len() {
                let problem = format!("there is no position {axis} in the shape {shape}");
                return Err(Error::Parameter { op, problem, at });
            }
            let mut sizes = shape.to_vec();
            sizes.insert(axis, 1);
            shape = Shape::from(sizes);
            tape.check_size(op, &shape, at)?;
            Ok(tape.reshape(x, shape, at))
        })
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
    tape.push(Op::Slice(ranges), &[x], shape, dtype, at)
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
        Ok(tape.push(Op::Concat(axis as u8), nodes, shape, dtype, at))
    })
}
