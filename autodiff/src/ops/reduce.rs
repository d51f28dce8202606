//! Reductions: sum, max, min over axes, and argmax. The reduced axes vanish.

use super::batching::{Batched, Batching, behind};
use super::example::{
    Example, Examples,
    Sample::{Integer, Real},
    example,
};
use super::plain::{self, Operands, flat, positions};
use super::primitive::{Fact, Linear, Primitive, Selecting};
use super::reshape::sorted_axes;
use crate::error::{At, Error, Result};
use crate::graph::{ArgMax, Max, Min, Op, Sum};
use crate::scalar::Scalar;
use crate::shape::Axes;
use crate::tape::{Var, record1};
use crate::work::{Along, Combine, Emit, Kernels, Lowering, Pass, View};
use crate::{DType, Shape};

/// ∂/∂x of Σx over `axes` repeats the cotangent along them.
fn repeated(axes: &Axes, operand: &Shape, ct: Var) -> Var {
    let kept: Vec<usize> = (0..operand.len()).filter(|&a| !axes.contains(&(a as u8))).collect();
    ct.broadcast_axes(operand, &kept)
}

/// The weights with which a maximum or minimum depends on the elements: 1 shared equally
/// among those that attain it.
fn weights(axes: &Axes, x: Var, y: Var) -> Var {
    let shape = x.shape();
    let attained = x.equal(repeated(axes, &shape, y)).cast(x.dtype());
    let list: Vec<usize> = axes.iter().map(|&a| a as usize).collect();
    attained / repeated(axes, &shape, attained.sum_axes(&list))
}

impl Primitive for Sum {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Sum(behind(&self.0)))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(plain::reduce(of, &self.0, 0.0, |a, b| plain::plus(of.node.dtype, a, b)))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Reduction(Combine::Sum, &self.0)
    }
}

impl Linear for Sum {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        Some(repeated(&self.0, &args[i].shape(), ct))
    }
}

impl Examples for Sum {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3, 2])], |a| a[0].sum_axes(&[2, 0])),
            example(&[Real(&[2, 3, 2])], |a| a[0].sum_axes(&[1])),
            example(&[Real(&[4])], |a| a[0].sum()),
            example(&[Integer(&[2, 3], 9)], |a| a[0].sum_axes(&[1])),
        ]
    }
}

impl Primitive for Max {
    fn derivative(&self) -> Fact<'_> {
        Fact::Selecting(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Max(behind(&self.0)))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(plain::reduce(of, &self.0, f64::NEG_INFINITY, Scalar::larger))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Reduction(Combine::Max, &self.0)
    }
}

impl Selecting for Max {
    fn weights(&self, x: Var, y: Var) -> (Var, &Axes) {
        (weights(&self.0, x, y), &self.0)
    }
}

impl Examples for Max {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3, 2])], |a| a[0].max_axes(&[1])),
            example(&[Real(&[2, 3, 2])], |a| a[0].max_axes(&[2, 0])),
        ]
    }
}

impl Primitive for Min {
    fn derivative(&self) -> Fact<'_> {
        Fact::Selecting(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Min(behind(&self.0)))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(plain::reduce(of, &self.0, f64::INFINITY, Scalar::smaller))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Reduction(Combine::Min, &self.0)
    }
}

impl Selecting for Min {
    fn weights(&self, x: Var, y: Var) -> (Var, &Axes) {
        (weights(&self.0, x, y), &self.0)
    }
}

impl Examples for Min {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3, 2])], |a| a[0].min_axes(&[0, 2])),
            example(&[Real(&[4])], |a| a[0].min_all()),
        ]
    }
}

impl Primitive for ArgMax {
    fn derivative(&self) -> Fact<'_> {
        Fact::Constant
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(ArgMax(self.0 + 1))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (x, from, axis) = (of.value(0), of.shape(0), self.0 as usize);
        let largest = |p: Vec<usize>| {
            let mut best = (0, f64::NAN);
            for j in 0..from[axis] {
                let mut q = p.clone();
                q.insert(axis, j);
                let x = x[flat(from, &q)];
                if j == 0 || (!best.1.is_nan() && (x > best.1 || x.is_nan())) {
                    best = (j, x);
                }
            }
            best.0 as f64
        };
        Ok(positions(&of.node.shape).map(largest).collect())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Kernels for ArgMax {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let x = to.contiguous(0);
        let work = Along::new(Pass::ArgMax, self.0, &to.shape(0), to.dtype(0), x, out);
        to.push(work.into());
    }
}

impl Examples for ArgMax {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 5])], |a| a[0].argmax(1)),
            example(&[Integer(&[5, 2], 3)], |a| a[0].argmax(0)),
        ]
    }
}

impl Var {
    pub(super) fn reduce(self, op: impl Fn(Axes) -> Op, axes: &[usize], at: At) -> Var {
        let name = op(Axes::new()).name();
        record1(self, name, at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            let axes = sorted_axes(name, axes, &from, at)?;
            if dtype == DType::Bool {
                let problem = "the operand must be numeric; cast masks first".into();
                return Err(Error::DType { op: name, problem, operands: vec![dtype], at });
            }
            let empty = axes.iter().any(|&a| from[a as usize] == 0);
            if empty && !matches!(op(Axes::new()), Op::Sum(_)) {
                let problem = "there is no element to choose from".into();
                return Err(Error::Shape { op: name, problem, operands: vec![from], at });
            }
            if axes.is_empty() {
                return Ok(x);
            }
            let shape = from.without(&axes);
            Ok(tape.push(op(axes), &[x], shape, dtype, at))
        })
    }

    pub(super) fn all_axes(self) -> Vec<usize> {
        (0..self.rank()).collect()
    }

    /// The sum of all elements.
    #[track_caller]
    pub fn sum(self) -> Var {
        self.reduce(|axes| Sum(axes).into(), &self.all_axes(), At::caller())
    }

    /// The sum over the given axes.
    #[track_caller]
    pub fn sum_axes(self, axes: &[usize]) -> Var {
        self.reduce(|axes| Sum(axes).into(), axes, At::caller())
    }

    /// The largest of all elements; equal ones share the derivative.
    #[track_caller]
    pub fn max_all(self) -> Var {
        self.reduce(|axes| Max(axes).into(), &self.all_axes(), At::caller())
    }

    /// The largest element over the given axes; equal ones share the derivative.
    #[track_caller]
    pub fn max_axes(self, axes: &[usize]) -> Var {
        self.reduce(|axes| Max(axes).into(), axes, At::caller())
    }

    /// The smallest of all elements; equal ones share the derivative.
    #[track_caller]
    pub fn min_all(self) -> Var {
        self.reduce(|axes| Min(axes).into(), &self.all_axes(), At::caller())
    }

    /// The smallest element over the given axes; equal ones share the derivative.
    #[track_caller]
    pub fn min_axes(self, axes: &[usize]) -> Var {
        self.reduce(|axes| Min(axes).into(), axes, At::caller())
    }

    /// The index (`U32`) of the first largest element along an axis, which vanishes. A NaN
    /// counts as larger than every number.
    #[track_caller]
    pub fn argmax(self, axis: usize) -> Var {
        let at = At::caller();
        record1(self, "argmax", at, |tape, x| {
            let (from, dtype) = tape.aval(x);
            if axis >= from.len() || from[axis] == 0 || from[axis] > u32::MAX as usize {
                let problem =
                    format!("there is nothing to choose along axis {axis} of the shape {from}");
                return Err(Error::Parameter { op: "argmax", problem, at });
            }
            if dtype == DType::Bool {
                let problem = "the operand must be numeric; cast masks first".into();
                return Err(Error::DType { op: "argmax", problem, operands: vec![dtype], at });
            }
            let shape = from.without(&[axis as u8]);
            Ok(tape.push(ArgMax(axis as u8).into(), &[x], shape, DType::U32, at))
        })
    }

    /// Repeats a reduction's result to the shape it was reduced from.
    #[track_caller]
    pub fn keepdims(self, axes: &[usize], from: &Shape) -> Var {
        let kept: Vec<usize> = (0..from.len()).filter(|a| !axes.contains(a)).collect();
        self.broadcast_axes(from, &kept)
    }
}
