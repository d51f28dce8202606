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
use crate::graph::{ArgMax, Binary, Compare, Max, Min, Op, Sum};
use crate::scalar::Scalar;
use crate::shape::Axes;
use crate::tape::{Var, enter, record1};
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

/// The largest absolute value, as what others are divided by: a norm is the same whatever the
/// scale, so none of its derivative is lost.
fn scale_of(largest: Var) -> Var {
    let largest = largest.stop_gradient();
    largest.is_finite().min(largest.gt(0.0)).select(largest, 1.0)
}

impl Var {
    fn reduce(self, op: impl Fn(Axes) -> Op, axes: &[usize], at: At) -> Var {
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

    fn all_axes(self) -> Vec<usize> {
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

    /// The mean of all elements.
    #[track_caller]
    pub fn mean(self) -> Var {
        self.mean_axes_at(&self.all_axes(), At::caller())
    }

    /// The mean over the given axes.
    #[track_caller]
    pub fn mean_axes(self, axes: &[usize]) -> Var {
        self.mean_axes_at(axes, At::caller())
    }

    /// How many elements lie along some axes, or a poisoned variable: axes that are not distinct
    /// ones of the shape, or too few elements.
    fn count_along(
        self,
        op: &'static str,
        axes: &[usize],
        fits: impl FnOnce(usize) -> std::result::Result<(), String>,
        at: At,
    ) -> std::result::Result<usize, Var> {
        enter(&[self], op, at, |tape, nodes| {
            let (shape, dtype) = tape.aval(nodes[0]);
            if !dtype.is_float() {
                let problem = "whole numbers and masks have none; cast them first".into();
                return Err(Error::DType { op, problem, operands: vec![dtype], at });
            }
            let axes = sorted_axes(op, axes, &shape, at)?;
            let n = axes.iter().map(|&a| shape[a as usize]).product();
            fits(n).map_err(|problem| Error::Shape { op, problem, operands: vec![shape], at })?;
            Ok(n)
        })
    }

    fn mean_axes_at(self, axes: &[usize], at: At) -> Var {
        let some =
            |n: usize| if n > 0 { Ok(()) } else { Err("the mean of no elements".to_owned()) };
        let n = match self.count_along("mean", axes, some, at) {
            Ok(n) => n,
            Err(poisoned) => return poisoned,
        };
        let sum = self.reduce(|axes| Sum(axes).into(), axes, at);
        super::binary::binary(sum.into(), (1.0 / n as f64).into(), Binary::Mul, at)
    }

    /// The variance over the given axes, Σ(x − mean)²/(n − `correction`): `correction` is 0
    /// for the plug-in and 1 for the unbiased estimate.
    #[track_caller]
    pub fn variance(self, axes: &[usize], correction: usize) -> Var {
        let at = At::caller();
        let shape = self.shape();
        let enough = |n: usize| match n > correction {
            true => Ok(()),
            false => Err(format!("{n} elements leave nothing after the correction {correction}")),
        };
        let n = match self.count_along("variance", axes, enough, at) {
            Ok(n) => n,
            Err(poisoned) => return poisoned,
        };
        let mean = self.mean_axes_at(axes, at).keep_axes(axes, &shape);
        (self - mean).square().sum_axes(axes) * (1.0 / (n - correction) as f64)
    }

    /// log Σ eˣ over the given axes, without overflow; −∞, with derivatives 0, where all
    /// elements are −∞.
    #[track_caller]
    pub fn logsumexp(self, axes: &[usize]) -> Var {
        let shape = self.shape();
        let largest = self.max_axes(axes).stop_gradient();
        // An infinite maximum would give ∞ − ∞.
        let finite = largest.abs().lt(f64::INFINITY);
        let shift = finite.select(largest, 0.0);
        (self - shift.keep_axes(axes, &shape)).exp_strong().sum_axes(axes).log() + shift
    }

    /// The Euclidean norm of all elements, as [`Var::norm_axes`].
    #[track_caller]
    pub fn norm(self) -> Var {
        self.norm_axes(&self.all_axes())
    }

    /// The Euclidean norm √Σx² over the given axes, without over- or underflow of the squares.
    ///
    /// Its derivatives at 0, where it has none, are taken as 0. Its square has the right ones
    /// there where it is recorded as a square: `x.norm_axes(&[1]).square()`, `n * n` and
    /// `n.powi(2)` have the Hessian 2I at 0.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [2, 2]);
    /// let n = x.norm_axes(&[1]);
    /// let program = tape.compile(&Cpu::new(), &[n, n.sum().grad(x), n.square().sum().hessian(x)])?;
    /// let out = program.run(&[&Array::from_vec([2, 2], vec![3.0, 4.0, 0.0, 0.0])?])?;
    /// assert_eq!(out[0].to_string(), "[5, 0]");
    /// assert_eq!(out[1].to_string(), "[[0.6000000000000001, 0.8],\n [0, 0]]");
    /// assert_eq!(out[2].get(&[3, 3]), Some(2.0));
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[track_caller]
    pub fn norm_axes(self, axes: &[usize]) -> Var {
        let shape = self.shape();
        if axes.iter().any(|&a| shape.get(a) == Some(&0)) {
            return self.sum_axes(axes);
        }
        let scale = scale_of(self.abs().max_axes(axes));
        let scaled = self / scale.keep_axes(axes, &shape);
        scale * scaled.square().sum_axes(axes).root()
    }

    /// √(x² + y²), elementwise, without over- or underflow of the squares; its derivatives at 0
    /// are those of [`Var::norm_axes`], and so are those of its square.
    ///
    /// ```
    /// use burlap_autodiff::testing::assert_hessian;
    /// assert_hessian(|x| x.at(0).hypot(x.at(1)), [3e200, 4e200]);
    /// ```
    #[track_caller]
    pub fn hypot(self, y: Var) -> Var {
        let scale = scale_of(self.abs().max(y.abs()));
        scale * ((self / scale).square() + (y / scale).square()).root()
    }

    /// Repeats a reduction's result to the shape it was reduced from.
    #[track_caller]
    pub fn keep_axes(self, axes: &[usize], from: &Shape) -> Var {
        let kept: Vec<usize> = (0..from.len()).filter(|a| !axes.contains(a)).collect();
        self.broadcast_axes(from, &kept)
    }

    /// The mask of elements that are neither infinite nor NaN.
    #[track_caller]
    pub fn is_finite(self) -> Var {
        let at = At::caller();
        let size = self.abs();
        let limit = size.constant_like(f64::INFINITY);
        super::binary::combine(
            size.into(),
            limit.into(),
            "is_finite",
            at,
            |tape, a, b, shape, _| {
                tape.push(Op::Compare(Compare::Lt), &[a, b], shape, DType::Bool, at)
            },
        )
    }
}
