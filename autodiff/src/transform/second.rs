//! Second and third order along directions, by nesting: reverse over forward.

use super::forward::{check_pair, tangents, values_and_tangents};
use super::hold;
use super::reverse::{check_scalar, cotangents};
use crate::error::At;
use crate::tape::Var;

/// A value with its first two derivatives applied to a direction, as
/// [`Var::value_grad_hvp`] gives them.
#[derive(Clone, Copy, Debug)]
pub struct ValueGradHvp {
    /// f(x), a scalar.
    pub value: Var,
    /// ∇f(x), of the shape of x.
    pub grad: Var,
    /// ∇²f(x) v, of the shape of x.
    pub hvp: Var,
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
        let zero = x.constant_like(0.0);
        let direction = hold(self, v, at);
        let (value, slope) = values_and_tangents(&[self], &[(x, direction)], &[])[0];
        let Some(slope) = slope else {
            return ValueGradHvp { value, grad: zero, hvp: zero };
        };
        let one = slope.constant_like(1.0);
        let found = cotangents(&[(slope, one)], &[x, direction]);
        let or_zero = |v: Option<Var>| v.unwrap_or(zero);
        ValueGradHvp { value, grad: or_zero(found[1]), hvp: or_zero(found[0]) }
    }

    /// The second directional derivative vᵀ∇²f(x)v of this scalar, `v` held fixed, by
    /// forward over forward. Half of it is the argument of ψ in the sharpness measures.
    #[track_caller]
    pub fn second_directional(self, x: Var, v: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) = check("second_directional", self, x, v, at) {
            return poisoned;
        }
        let direction = hold(self, v, at);
        self.twice_along(x, direction).unwrap_or_else(|| self.constant_like(0.0))
    }

    /// The second directional derivative vᵀ∇²f(x)v and its gradient ∇ₓ(vᵀ∇²f(x)v), `v` held
    /// fixed: one more nesting, third order.
    #[track_caller]
    pub fn second_directional_grad(self, x: Var, v: Var) -> (Var, Var) {
        let at = At::caller();
        if let Some(poisoned) = check("second_directional_grad", self, x, v, at) {
            return (poisoned, poisoned);
        }
        let zero = x.constant_like(0.0);
        let direction = hold(self, v, at);
        let Some(q) = self.twice_along(x, direction) else {
            return (self.constant_like(0.0), zero);
        };
        let one = q.constant_like(1.0);
        let found = cotangents(&[(q, one)], &[x, direction]);
        (q, found[0].unwrap_or(zero))
    }

    fn twice_along(self, x: Var, direction: Var) -> Option<Var> {
        let slope = tangents(&[self], &[(x, direction)], &[])[0]?;
        tangents(&[slope], &[(x, direction)], &[direction])[0]
    }
}
