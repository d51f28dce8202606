//! Means, variances, norms and log Σ eˣ, as compositions.

use super::reshape::sorted_axes;
use crate::DType;
use crate::error::{At, Error};
use crate::graph::{Binary, Compare, Op, Sum};
use crate::tape::{Var, enter};

/// The largest absolute value, as what others are divided by: a norm is the same whatever the
/// scale, so none of its derivative is lost.
fn scale_of(largest: Var) -> Var {
    let largest = largest.stop_gradient();
    largest.is_finite().min(largest.gt(0.0)).select(largest, 1.0)
}

impl Var {
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
        let mean = self.mean_axes_at(axes, at).keepdims(axes, &shape);
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
        (self - shift.keepdims(axes, &shape)).exp_strong().sum_axes(axes).log() + shift
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
        let scaled = self / scale.keepdims(axes, &shape);
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
