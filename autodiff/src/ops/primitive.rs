//! What is true of a primitive: rules that no primitive can lack, since without one it does not compile.

use super::batching::{Batched, Batching};
use super::derivative::Partial;
use super::plain::Operands;
use crate::Shape;
use crate::error::Result;
use crate::shape::Axes;
use crate::tape::Var;
use crate::work::Lowering;

/// What is true of a primitive beside its name and its shape rule, which is in the method of `Var`
/// that records it.
pub(crate) trait Primitive {
    /// The one fact from which its derivatives of all orders follow.
    fn derivative(&self) -> Fact<'_>;

    /// How it is recorded with a leading axis, which some of its operands have.
    fn batched(&self, of: &Batching<'_>) -> Batched;

    /// The elements of the result by a plain loop: what others are tested against.
    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>>;

    /// How programs compute it.
    fn lowering(&self) -> Lowering<'_>;
}

/// The derivative of a primitive, by mathematical kind.
pub(crate) enum Fact<'a> {
    /// Each element depends on the same element of the operands: a factor for each.
    Elementwise(&'a dyn Factors),
    /// Jointly linear in its real-valued operands: a transpose, the tangent is the primitive itself.
    Linear(&'a dyn Linear),
    /// Linear in each of two operands: a transpose for each, the tangent by the product rule.
    Bilinear(&'a dyn Bilinear),
    /// Selects among elements: the weights with which it does.
    Selecting(&'a dyn Selecting),
    /// No derivative flows.
    Constant,
}

/// The fact of an elementwise primitive.
pub(crate) trait Factors {
    /// ∂y/∂operand `i`, from the operands and the result y.
    fn partial(&self, i: usize, args: &[Var], y: Var) -> Partial;
}

/// The fact of a linear primitive.
pub(crate) trait Linear {
    /// The transpose with respect to operand `i`, applied to a cotangent of the result:
    /// ⟨ct, op(…, t, …)⟩ = ⟨transpose(ct), t⟩. `None` where operand `i` is not linear.
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var>;

    /// The transposes with respect to the wanted operands, where they are better made together.
    fn transposes(&self, args: &[Var], wanted: &[bool], ct: Var, give: &mut dyn FnMut(usize, Var)) {
        for i in (0..args.len()).filter(|&i| wanted[i]) {
            if let Some(transposed) = self.transpose(i, args, ct) {
                give(i, transposed);
            }
        }
    }

    /// Whether the transpose with respect to an operand makes zeros of its own, which are strong:
    /// of elements that the result does not depend on.
    fn transpose_leaves_out(&self) -> bool {
        false
    }

    /// Whether the result has zeros that depend on no operand, which are strong.
    fn fills_in(&self) -> bool {
        false
    }

    /// The stretch of its one operand that the result is, `None` where it is none. Cotangents of
    /// stretches are kept apart, and laid side by side at last.
    fn stretch(&self, operand: &Shape, result: &Shape) -> Option<Stretch> {
        let _ = (operand, result);
        None
    }
}

/// What an operand gives to a result that has elements of it in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// All of it, in its shape.
    Whole,
    /// What begins at a place along an axis.
    Along {
        /// The axis.
        axis: usize,
        /// The place.
        start: usize,
    },
}

/// The fact of a bilinear primitive.
pub(crate) trait Bilinear {
    /// The transpose with respect to operand `i`, the other one fixed.
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Var;
}

/// The fact of a primitive that selects among elements.
pub(crate) trait Selecting {
    /// The axes over which it selects, and the weights: y = Σ weight · x over them.
    fn weights(&self, x: Var, y: Var) -> (Var, &Axes);
}
