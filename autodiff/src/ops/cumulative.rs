//! Products over axes, and running sums and products: in logarithmically many steps, each a
//! primitive, so that derivatives are right where elements are 0.

use super::binary::{Operand, binary};
use crate::error::{At, Error};
use crate::graph::{Binary, Padding};
use crate::tape::{Var, record1};

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

    /// Running sums along an axis: element i of the result is the sum of elements 0 to i.
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
    /// On the tape: [`Error::Parameter`] for an axis beyond the shape.
    #[track_caller]
    pub fn cumsum(self, axis: usize) -> Var {
        self.running(axis, "cumsum", Binary::Add, At::caller())
    }

    /// Running products along an axis: element i of the result is the product of elements 0 to
    /// i. The derivatives are right where elements are 0.
    ///
    /// # Errors
    /// On the tape: [`Error::Parameter`] for an axis beyond the shape.
    #[track_caller]
    pub fn cumprod(self, axis: usize) -> Var {
        self.running(axis, "cumprod", Binary::Mul, At::caller())
    }

    /// By doubling: after a step with distance d each element has combined the last 2d ones.
    fn running(self, axis: usize, op: &'static str, f: Binary, at: At) -> Var {
        let shape = self.shape();
        let Some(&n) = shape.get(axis) else {
            return record1(self, op, at, |_, _| {
                let problem = format!("there is no axis {axis} in the shape {shape}");
                Err(Error::Parameter { op, problem, at })
            });
        };
        self.record_at(at, || {
            let mut x = self;
            let mut distance = 1;
            while distance < n {
                let earlier = x.slice_axis(axis, 0, n - distance);
                // Elements that have nothing so far before them are combined with nothing.
                let earlier = if f == Binary::Add {
                    let mut padding = vec![Padding::default(); shape.len()];
                    padding[axis].before = distance;
                    earlier.pad(&padding)
                } else {
                    let first = x.slice_axis(axis, 0, distance).constant_like(1.0);
                    first.join(&[earlier], axis)
                };
                x = binary(x.into(), Operand::Var(earlier), f, at);
                distance *= 2;
            }
            x.own(at)
        })
    }
}
