//! The same elements under other axes: reshape, broadcast, transpose.

use super::batching::{Batched, Batching, led};
use super::example::{
    Example, Examples,
    Sample::{Integer, Mask, Real},
    example,
};
use super::plain::Operands;
use super::primitive::{Fact, Linear, Primitive, Stretch};
use crate::Shape;
use crate::error::{At, Error, Result};
use crate::graph::{Broadcast, Reshape, Transpose};
use crate::shape::{Axes, Strides};
use crate::tape::{Var, record1};
use crate::work::{Lowering, Movement, Strided, reshaped_strides};
use smallvec::SmallVec;

impl Primitive for Reshape {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.value(0).to_vec())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::View(self)
    }
}

impl Linear for Reshape {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        Some(ct.reshape(args[i].shape()))
    }

    fn stretch(&self, operand: &Shape, result: &Shape) -> Option<Stretch> {
        (operand == result).then_some(Stretch::Whole)
    }
}

impl Movement for Reshape {
    fn view(
        &self,
        from: &Shape,
        to: &Shape,
        Strided { offset, strides }: Strided,
    ) -> Option<Strided> {
        Some(Strided { offset, strides: reshaped_strides(from, &strides, to)? })
    }

    fn place(&self, from: &Shape, to: &Shape, result: &Strides) -> Option<Strides> {
        reshaped_strides(to, result, from)
    }
}

impl Examples for Reshape {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3])], |a| a[0].reshape([3, 1, 2])),
            example(&[Real(&[2, 3])], |a| a[0].t().reshape([6])),
            example(&[Mask(&[1])], |a| a[0].reshape(())),
        ]
    }
}

impl Primitive for Broadcast {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Broadcast(led(&self.0)))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.moved(|p| self.0.iter().map(|&a| p[a as usize]).collect()))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::View(self)
    }
}

impl Linear for Broadcast {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        let repeated = (0..ct.rank()).filter(|&a| !self.0.contains(&(a as u8)));
        Some(ct.sum_axes(&repeated.collect::<Vec<_>>()))
    }
}

impl Movement for Broadcast {
    fn view(&self, _: &Shape, to: &Shape, operand: Strided) -> Option<Strided> {
        let mut strides: Strides = SmallVec::from_elem(0, to.len());
        for (&a, &stride) in self.0.iter().zip(&operand.strides) {
            strides[a as usize] = stride;
        }
        Some(Strided { strides, ..operand })
    }
}

impl Examples for Broadcast {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[3, 1])], |a| a[0].broadcast_to([2, 3, 4])),
            example(&[Integer(&[2], 9)], |a| a[0].broadcast_axes([3, 2, 2], &[1])),
            example(&[Real(&[])], |a| a[0].broadcast_to([2, 2])),
        ]
    }
}

impl Primitive for Transpose {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Transpose(led(&self.0)))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.moved(|p| {
            let mut from = vec![0; p.len()];
            self.0.iter().zip(p).for_each(|(&a, &p)| from[a as usize] = p);
            from
        }))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::View(self)
    }
}

impl Linear for Transpose {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        let mut inverse = vec![0; self.0.len()];
        for (i, &a) in self.0.iter().enumerate() {
            inverse[a as usize] = i;
        }
        Some(ct.transpose(&inverse))
    }
}

impl Movement for Transpose {
    fn view(&self, _: &Shape, _: &Shape, operand: Strided) -> Option<Strided> {
        let strides = self.0.iter().map(|&a| operand.strides[a as usize]).collect();
        Some(Strided { strides, ..operand })
    }

    fn place(&self, _: &Shape, _: &Shape, result: &Strides) -> Option<Strides> {
        let mut strides = result.clone();
        for (&a, &stride) in self.0.iter().zip(result) {
            strides[a as usize] = stride;
        }
        Some(strides)
    }
}

impl Examples for Transpose {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3])], |a| a[0].t()),
            example(&[Real(&[2, 3, 1, 2])], |a| a[0].transpose(&[3, 1, 0, 2])),
        ]
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
            Ok(tape.push(Broadcast(list).into(), &[x], to, dtype, at))
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
            Ok(tape.push(Transpose(list).into(), &[x], shape, dtype, at))
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

    /// Inserts an axis of size 1 at position `axis`.
    #[track_caller]
    pub fn expand_dims(self, axis: usize) -> Var {
        self.expand_dims_at(axis, "expand_dims", At::caller())
    }

    pub(super) fn expand_dims_at(self, axis: usize, op: &'static str, at: At) -> Var {
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
