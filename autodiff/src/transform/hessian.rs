//! Dense second and first derivatives: many directions at a time, with shared primal nodes.

use super::forward::{check_pair, tangents};
use super::hold;
use super::reverse::{check_scalar, check_variable, cotangents};
use super::vmap::vmap_at;
use crate::Shape;
use crate::error::At;
use crate::ops::record_concat;
use crate::tape::{Hidden, Var, enter};

/// Directions that share one recording: the program shrinks by this factor, and the memory of
/// intermediate values grows by it.
const BLOCK: usize = 16;

/// The matrix whose row i is `row` for the i-th unit vector in place of the leaf `any`.
fn for_unit_vectors(row: Var, any: Var, op: &'static str, at: At) -> Var {
    let shape = any.shape();
    let n = shape.count();
    let eye = enter(&[any], op, at, |tape, nodes| {
        let dtype = tape.node(nodes[0]).dtype;
        Ok(Var::new(any.tape(), tape.eye(n, dtype, op, at)?))
    });
    let eye = match eye {
        Ok(eye) => eye,
        Err(poisoned) => return poisoned,
    };
    let block = |first: usize| {
        let end = (first + BLOCK).min(n);
        let sizes: Shape = [end - first].iter().chain(shape.iter()).copied().collect();
        let vectors = eye.slice_axis(0, first, end).reshape(sizes);
        vmap_at(&[row], &[(any, vectors)], op, at)[0].reshape([end - first, row.shape().count()])
    };
    let blocks: Vec<Var> = (0..n).step_by(BLOCK).map(block).collect();
    record_concat(&blocks, 0, at)
}

impl Var {
    /// The dense Hessian ∇²f(x) of this scalar: shape `[n, n]` for the n elements of `x` in
    /// row-major order. It takes n Hessian-vector products, so it is meant for small n.
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
        let hidden = Hidden::begin(self.tape());
        let any = hold(self, x.constant_like(0.0), at);
        let hessian = for_unit_vectors(self.hvp(x, any), any, "hessian", at);
        drop(hidden);
        hessian.own(at)
    }

    /// The dense Jacobian ∂self/∂x: shape `[m, n]` for the m elements of this value and the n
    /// of `x`, in row-major order. It takes min(m, n) products.
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
        let hidden = Hidden::begin(self.tape());
        let jacobian = if m <= n {
            let any = hold(self, self.constant_like(0.0), at);
            let row = cotangents(&[(self, any)], &[x])[0].unwrap_or_else(|| x.constant_like(0.0));
            for_unit_vectors(row, any, "jacobian", at)
        } else {
            let any = hold(self, x.constant_like(0.0), at);
            let column =
                tangents(&[self], &[(x, any)], &[])[0].unwrap_or_else(|| self.constant_like(0.0));
            for_unit_vectors(column, any, "jacobian", at).t()
        };
        drop(hidden);
        jacobian.own(at)
    }
}
