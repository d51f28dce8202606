//! Dense second and first derivatives, one direction at a time with shared primal nodes.

use super::forward::{check_pair, tangents};
use super::reverse::{check_scalar, check_variable, cotangents};
use crate::Array;
use crate::error::At;
use crate::ops::record_concat;
use crate::tape::{Var, record1};

/// The rows of the identity, each in the shape of `x`.
fn unit_vectors(x: Var, at: At) -> Vec<Var> {
    let shape = x.shape();
    let n = shape.count();
    let eye = record1(x, "eye", at, |tape, x| {
        let eye = Array::eye(tape.node(x).dtype, n);
        Ok(tape.literal(eye, at))
    });
    (0..n).map(|i| eye.at(i).reshape(&shape)).collect()
}

/// Rows laid one below the other; `empty` has the shape of a row when there are none.
fn stack(rows: &[Var], empty: Var, at: At) -> Var {
    if rows.is_empty() {
        return empty;
    }
    let rows: Vec<Var> = rows.iter().map(|r| r.flatten().expand_dims(0)).collect();
    record_concat(&rows, 0, at)
}

impl Var {
    /// The dense Hessian ∇²f(x) of this scalar: shape `[n, n]` for the n elements of `x` in
    /// row-major order. It records n Hessian-vector products, so it is meant for small n.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [2]);
    /// let h = (x.at(0).square() * x.at(1)).hessian(x);
    /// let out = tape.compile(&Cpu::new(), &[h])?.run(&[&Array::vector([1.0, 3.0])])?;
    /// assert_eq!(out[0].to_string(), "[[6, 2],\n [2, 0]]");
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[track_caller]
    pub fn hessian(self, x: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) =
            check_scalar("hessian", self, at).or_else(|| check_variable("hessian", self, x, at))
        {
            return poisoned;
        }
        let n = x.shape().count();
        if n == 0 {
            return x.reshape([0, 0]);
        }
        let columns: Vec<Var> = unit_vectors(x, at).into_iter().map(|e| self.hvp(x, e)).collect();
        stack(&columns, x, at)
    }

    /// The dense Jacobian ∂self/∂x: shape `[m, n]` for the m elements of this value and the n
    /// of `x`, in row-major order. It records min(m, n) products.
    #[track_caller]
    pub fn jacobian(self, x: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) = check_pair("jacobian", self, self, self, at)
            .or_else(|| check_variable("jacobian", self, x, at))
        {
            return poisoned;
        }
        let (m, n) = (self.shape().count(), x.shape().count());
        if m == 0 || n == 0 {
            return x.flatten().slice_axis(0, 0, 0).reshape([m, n]);
        }
        if m <= n {
            let rows: Vec<Var> = unit_vectors(self, at)
                .into_iter()
                .map(|e| cotangents(&[(self, e)], &[x])[0].unwrap_or_else(|| x.constant_like(0.0)))
                .collect();
            stack(&rows, x, at)
        } else {
            let columns: Vec<Var> = unit_vectors(x, at)
                .into_iter()
                .map(|e| {
                    tangents(&[self], &[(x, e)], &[])[0].unwrap_or_else(|| self.constant_like(0.0))
                })
                .collect();
            stack(&columns, x, at).t()
        }
    }
}
