//! Parts of a value, and what lies around it: slice, pad, flip.

use super::batching::{Batched, Batching, behind};
use super::example::{Example, Examples, Sample::Real, example};
use super::plain::{Operands, flat, positions};
use super::primitive::{Fact, Linear, Primitive, Stretch};
use super::reshape::sorted_axes;
use crate::Shape;
use crate::error::{At, Error, Result};
use crate::graph::{Flip, NodeId, Pad, Padding, Range, Slice};
use crate::tape::{TapeData, Var, record1};
use crate::work::{Emit, Kernels, Lowering, Map, Movement, Strided, View};
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
