//! Running sums; and products over axes and running products, in logarithmically many steps, each a
//! primitive, so that derivatives are right where elements are 0.

use super::batching::{Batched, Batching};
use super::binary::binary;
use super::example::{
    Example, Examples,
    Sample::{Integer, Real},
    example,
};
use super::plain::{Operands, flat, plus, positions};
use super::primitive::{Fact, Linear, Primitive};
use crate::DType;
use crate::error::{At, Error, Result};
use crate::graph::{Binary, CumSum, Running};
use crate::tape::{Var, enter, record1};
use crate::work::{Along, Emit, Kernels, Lowering, Pass, View};

impl Primitive for CumSum {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(CumSum(Running { axis: self.0.axis + 1, ..self.0 }))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (shape, axis) = (&of.node.shape, self.0.axis as usize);
        let mut result = of.value(0).to_vec();
        let mut all: Vec<Vec<usize>> = positions(shape).filter(|p| p[axis] > 0).collect();
        if self.0.reverse {
            all.iter_mut().for_each(|p| p[axis] = shape[axis] - 1 - p[axis]);
        }
        for p in all {
            let mut before = p.clone();
            before[axis] = if self.0.reverse { p[axis] + 1 } else { p[axis] - 1 };
            let (i, before) = (flat(shape, &p), flat(shape, &before));
            result[i] = plus(of.node.dtype, result[before], result[i]);
        }
        Ok(result)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Linear for CumSum {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        Some(ct.running_sum(Running { reverse: !self.0.reverse, ..self.0 }, At::caller()))
    }
}

impl Kernels for CumSum {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let (Running { axis, reverse }, x) = (self.0, to.contiguous(0));
        let pass = Pass::CumSum { reverse };
        to.push(Along::new(pass, axis, &to.shape(0), to.dtype(0), x, out).into());
    }
}

impl Examples for CumSum {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[5])], |a| a[0].cumsum(0)),
            example(&[Real(&[2, 3, 2])], |a| a[0].cumsum(1)),
            example(&[Integer(&[2, 3], 9)], |a| a[0].cumsum(1)),
            // From the other end, as the transpose.
            example(&[Real(&[2, 3]), Real(&[2, 3])], |a| a[0].cumsum(1).vjp(a[0], a[1])),
        ]
    }
}

impl Var {
    /// The product of all elements; 1 where there are none.
    #[track_caller]
    pub fn prod(self) -> Var {
        self.prod_axes(&(0..self.rank()).collect::<Vec<_>>())
    }

    /// The product over the given axes, which vanish; 1 where there is nothing to multiply.
    ///
    /// The derivatives are products of the other elements, right where elements are 0.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [3]);
    /// let p = x.prod_axes(&[0]);
    /// let program = tape.compile(&Cpu::new(), &[p, p.grad(x), p.hessian(x)])?;
    /// let out = program.run(&[&Array::vector([2.0, 0.0, 5.0])])?;
    /// assert_eq!(format!("{} {}", out[0], out[1]), "0 [0, 10, 0]");
    /// assert_eq!(out[2].to_string(), "[[0, 5, 0],\n [5, 0, 2],\n [0, 2, 0]]");
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// On the tape: [`Error::Parameter`] for axes that are not distinct axes of the shape,
    /// [`Error::DType`] for masks.
    #[track_caller]
    pub fn prod_axes(self, axes: &[usize]) -> Var {
        // The checks, and the errors, are those of the sum.
        let checked = self.sum_axes(axes);
        let shape = self.shape();
        let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
        if checked.rank() != kept.len() {
            return checked;
        }
        let order: Vec<usize> = axes.iter().chain(&kept).copied().collect();
        if order.len() != shape.len() {
            return checked;
        }
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        let rest: Vec<usize> = kept.iter().map(|&a| shape[a]).collect();
        if count == 0 {
            return checked.constant_like(1.0);
        }
        let mut x = self.transpose(&order).reshape([&[count], &rest[..]].concat());
        let mut left = count;
        while left > 1 {
            let half = left / 2;
            let product = x.slice_axis(0, 0, half) * x.slice_axis(0, half, 2 * half);
            x = match left % 2 {
                0 => product,
                _ => product.join(&[x.slice_axis(0, left - 1, left)], 0),
            };
            left = left.div_ceil(2);
        }
        x.reshape(rest)
    }

    /// Running sums along an axis: element i of the result is the sum of elements 0 to i, in this
    /// order.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [4]);
    /// let program = tape.compile(&Cpu::new(), &[x.cumsum(0), x.cumprod(0)])?;
    /// let out = program.run(&[&Array::vector([1.0, 2.0, 3.0, 4.0])])?;
    /// assert_eq!(format!("{} {}", out[0], out[1]), "[1, 3, 6, 10] [1, 2, 6, 24]");
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// On the tape: [`Error::Parameter`] for an axis beyond the shape, [`Error::DType`] for masks.
    #[track_caller]
    pub fn cumsum(self, axis: usize) -> Var {
        let (at, op) = (At::caller(), "cumsum");
        let checked = enter(&[self], op, at, |tape, x| {
            let (shape, dtype) = tape.aval(x[0]);
            if axis >= shape.len() {
                let problem = format!("there is no axis {axis} in the shape {shape}");
                return Err(Error::Parameter { op, problem, at });
            }
            if dtype == DType::Bool {
                let problem = "the operand must be numeric; cast masks first".into();
                return Err(Error::DType { op, problem, operands: vec![dtype], at });
            }
            Ok(Running { axis: axis as u8, reverse: false })
        });
        checked.map_or_else(|poisoned| poisoned, |running| self.running_sum(running, at))
    }

    fn running_sum(self, running: Running, at: At) -> Var {
        record1(self, "cumsum", at, |tape, x| {
            let (shape, dtype) = tape.aval(x);
            Ok(tape.push(CumSum(running).into(), &[x], shape, dtype, at))
        })
    }

    /// Running products along an axis: element i of the result is the product of elements 0 to
    /// i. The derivatives are right where elements are 0.
    ///
    /// # Errors
    /// On the tape: [`Error::Parameter`] for an axis beyond the shape.
    #[track_caller]
    pub fn cumprod(self, axis: usize) -> Var {
        let (at, op) = (At::caller(), "cumprod");
        let shape = self.shape();
        let Some(&n) = shape.get(axis) else {
            return record1(self, op, at, |_, _| {
                let problem = format!("there is no axis {axis} in the shape {shape}");
                Err(Error::Parameter { op, problem, at })
            });
        };
        // By doubling: after a step with distance d each element has combined the last 2d ones.
        self.record_at(at, || {
            let mut x = self;
            let mut distance = 1;
            while distance < n {
                let earlier = x.slice_axis(axis, 0, n - distance);
                // Elements that have nothing so far before them are combined with nothing.
                let first = x.slice_axis(axis, 0, distance).constant_like(1.0);
                x = binary(x.into(), first.join(&[earlier], axis).into(), Binary::Mul, at);
                distance *= 2;
            }
            x.own(at)
        })
    }
}
