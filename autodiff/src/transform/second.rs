//! Second and third order along directions, by nesting: reverse over forward.

use super::forward::{check_pair, tangents, values_and_tangents};
use super::hold;
use super::reverse::{check_scalar, check_variable, cotangents};
use super::vmap::vmap_at;
use crate::error::At;
use crate::tape::{Hidden, Var};

/// A value with its first two derivatives applied to a direction, as
/// [`Var::value_grad_hvp`] gives them, or to several, as [`Var::value_grad_hvp_many`] does.
#[derive(Clone, Copy, Debug)]
pub struct ValueGradHvp {
    /// f(x), a scalar.
    pub value: Var,
    /// ∇f(x), of the shape of x.
    pub grad: Var,
    /// ∇²f(x) v, of the shape of v.
    pub hvp: Var,
}

impl ValueGradHvp {
    /// Variables of their own with these values.
    fn own(self, at: At) -> ValueGradHvp {
        ValueGradHvp { value: self.value.own(at), grad: self.grad.own(at), hvp: self.hvp.own(at) }
    }
}

/// Checks a scalar, a variable and a direction.
fn check(op: &'static str, f: Var, x: Var, v: Var, at: At) -> Option<Var> {
    check_scalar(op, f, at).or_else(|| check_pair(op, f, x, v, at))
}

impl Var {
    /// The Hessian-vector product ∇²f(x) v of this scalar, exact: the gradient of the
    /// directional derivative, `v` held fixed. It has the shape of `x`.
    ///
    /// The result itself depends on `x` and `v` and can be differentiated further.
    #[track_caller]
    pub fn hvp(self, x: Var, v: Var) -> Var {
        self.second_order("hvp", x, v, At::caller()).hvp
    }

    /// Value, gradient and Hessian-vector product from one sweep: the gradient is the
    /// cotangent of the direction, so it costs nothing beyond the product.
    #[track_caller]
    pub fn value_grad_hvp(self, x: Var, v: Var) -> ValueGradHvp {
        self.second_order("value_grad_hvp", x, v, At::caller())
    }

    fn second_order(self, op: &'static str, x: Var, v: Var, at: At) -> ValueGradHvp {
        if let Some(poisoned) = check(op, self, x, v, at) {
            return ValueGradHvp { value: poisoned, grad: poisoned, hvp: poisoned };
        }
        let hidden = Hidden::begin(self.tape());
        let all = self.value_grad_hvp_along(x, hold(self, v, at));
        drop(hidden);
        all.own(at)
    }

    /// Value, gradient and product along a direction that is a leaf of its own.
    fn value_grad_hvp_along(self, x: Var, direction: Var) -> ValueGradHvp {
        let zero = x.constant_like(0.0);
        let (value, slope) = values_and_tangents(&[self], &[(x, direction)], &[])[0];
        let Some(slope) = slope else {
            return ValueGradHvp { value, grad: zero, hvp: zero };
        };
        let one = slope.constant_like(1.0);
        let found = cotangents(&[(slope, one)], &[x, direction]);
        let or_zero = |v: Option<Var>| v.unwrap_or(zero);
        ValueGradHvp { value, grad: or_zero(found[1]), hvp: or_zero(found[0]) }
    }

    /// The Hessian times k directions, of shape `[k, ..x.shape]`: row i of the result, of the
    /// same shape, is ∇²f(x) vᵢ. All directions share what depends on `x` alone, and their
    /// products with one matrix are one product.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [2]);
    /// let vs = tape.input("vs", DType::F64, [3, 2]);
    /// let hvs = (x.at(0).square() * x.at(1)).hvp_many(x, vs);
    /// let vs = Array::from_vec([3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, -1.0])?;
    /// let out = tape.compile(&Cpu::new(), &[hvs])?.run(&[&Array::vector([1.0, 3.0]), &vs])?;
    /// assert_eq!(out[0].to_string(), "[[6, 2],\n [2, 0],\n [4, 2]]");
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// On the tape: [`Error::Shape`](crate::Error::Shape) where this value is no scalar or the
    /// directions do not have the shape of `x` behind their first axis,
    /// [`Error::DType`](crate::Error::DType) for other types.
    #[track_caller]
    pub fn hvp_many(self, x: Var, directions: Var) -> Var {
        self.second_order_many("hvp_many", x, directions, At::caller()).hvp
    }

    /// Value, gradient, and the Hessian times k directions of shape `[k, ..x.shape]`, from one
    /// sweep: as [`Var::value_grad_hvp`] and [`Var::hvp_many`].
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [2]);
    /// let unit = tape.literal(&Array::eye(DType::F64, 2));
    /// let all = (x.at(0).square() * x.at(1)).value_grad_hvp_many(x, unit);
    /// let program = tape.compile(&Cpu::new(), &[all.value, all.grad, all.hvp])?;
    /// let out = program.run(&[&Array::vector([1.0, 3.0])])?;
    /// assert_eq!(format!("{} {}", out[0], out[1]), "3 [6, 1]");
    /// assert_eq!(out[2].to_string(), "[[6, 2],\n [2, 0]]");
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[track_caller]
    pub fn value_grad_hvp_many(self, x: Var, directions: Var) -> ValueGradHvp {
        self.second_order_many("value_grad_hvp_many", x, directions, At::caller())
    }

    fn second_order_many(self, op: &'static str, x: Var, directions: Var, at: At) -> ValueGradHvp {
        if let Some(poisoned) =
            check_scalar(op, self, at).or_else(|| check_variable(op, self, x, at))
        {
            return ValueGradHvp { value: poisoned, grad: poisoned, hvp: poisoned };
        }
        let hidden = Hidden::begin(self.tape());
        // One direction, a leaf that neither x nor f can depend on, stands for all.
        let any = hold(self, x.constant_like(0.0), at);
        let along = self.value_grad_hvp_along(x, any);
        let hvp = vmap_at(&[along.hvp], &[(any, directions)], op, at)[0];
        drop(hidden);
        ValueGradHvp { hvp, ..along }.own(at)
    }

    /// The second directional derivative vᵀ∇²f(x)v of this scalar, `v` held fixed, by
    /// forward over forward. Half of it is the argument of ψ in the sharpness measures.
    #[track_caller]
    pub fn second_directional(self, x: Var, v: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) = check("second_directional", self, x, v, at) {
            return poisoned;
        }
        let hidden = Hidden::begin(self.tape());
        let direction = hold(self, v, at);
        let q = self.twice_along(x, direction).unwrap_or_else(|| self.constant_like(0.0));
        drop(hidden);
        q.own(at)
    }

    /// The second directional derivative vᵀ∇²f(x)v and its gradient ∇ₓ(vᵀ∇²f(x)v), `v` held
    /// fixed: one more nesting, third order.
    #[track_caller]
    pub fn second_directional_grad(self, x: Var, v: Var) -> (Var, Var) {
        let at = At::caller();
        if let Some(poisoned) = check("second_directional_grad", self, x, v, at) {
            return (poisoned, poisoned);
        }
        let hidden = Hidden::begin(self.tape());
        let direction = hold(self, v, at);
        let q = self.twice_along(x, direction).unwrap_or_else(|| self.constant_like(0.0));
        let one = q.constant_like(1.0);
        let found = cotangents(&[(q, one)], &[x, direction]);
        let gradient = found[0].unwrap_or_else(|| x.constant_like(0.0));
        drop(hidden);
        (q.own(at), gradient.own(at))
    }

    fn twice_along(self, x: Var, direction: Var) -> Option<Var> {
        let slope = tangents(&[self], &[(x, direction)], &[])[0]?;
        tangents(&[slope], &[(x, direction)], &[direction])[0]
    }
}
