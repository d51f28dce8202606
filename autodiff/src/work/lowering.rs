//! How a primitive becomes work: what it tells the planner.

use super::{Combine, Map, Scalar, View, Work};
use crate::shape::{Axes, Strides};
use crate::{DType, Shape};

/// How programs compute a primitive.
pub(crate) enum Lowering<'a> {
    /// Not at all: it is given, or an identity that programs do not contain.
    Given,
    /// By one instruction of a fused expression, whose operands have the result's shape.
    Instruction(Scalar),
    /// By a reduction at the end of a fused expression, over these axes.
    Reduction(Combine, &'a Axes),
    /// By reading the operand's elements with other strides.
    View(&'a dyn Movement),
    /// By computing the operands side by side along this axis.
    SideBySide(usize),
    /// By kernels that can add to what is there: sums of such primitives are computed in place.
    Added(&'a dyn Added),
    /// By kernels of its own.
    Kernels(&'a dyn Kernels),
}

/// Elements of a buffer: that at position `p` lies at `offset + Σ p·strides`.
#[derive(Clone, Debug)]
pub(crate) struct Strided {
    pub(crate) offset: isize,
    pub(crate) strides: Strides,
}

/// A primitive whose result has elements of its operand.
pub(crate) trait Movement {
    /// Where the elements of the result, of shape `to`, lie, given where those of the operand, of
    /// shape `from`, do. `None` where no strides say it: then they are copied, in their order.
    fn view(&self, from: &Shape, to: &Shape, operand: Strided) -> Option<Strided>;

    /// The strides with which the operand must be computed to lie where the result should, whose
    /// strides are given; `None` where that cannot be.
    fn place(&self, from: &Shape, to: &Shape, result: &Strides) -> Option<Strides> {
        let _ = (from, to, result);
        None
    }
}

/// A primitive with kernels of its own.
pub(crate) trait Kernels {
    /// Makes them; the result lies at `out`, which is contiguous.
    fn emit(&self, out: View, to: &mut dyn Emit);
}

/// A primitive whose kernels can add the result to what is there.
pub(crate) trait Added {
    /// Makes them; the result lies at `out`, of any strides, or is added to what does.
    fn emit(&self, out: View, add: bool, to: &mut dyn Emit);
}

/// What the planner offers to a primitive that becomes kernels.
pub(crate) trait Emit {
    /// The shape of an operand.
    fn shape(&self, operand: usize) -> Shape;

    /// The element type of an operand.
    fn dtype(&self, operand: usize) -> DType;

    /// Shape and element type of the result.
    fn result(&self) -> (Shape, DType);

    /// The elements of an operand, where they lie.
    fn view(&mut self, operand: usize) -> View;

    /// The same, one after the other: copied if need be.
    fn contiguous(&mut self, operand: usize) -> View;

    /// Contiguous memory for so many elements.
    fn fresh(&mut self, shape: &Shape, dtype: DType) -> View;

    /// A kernel.
    fn push(&mut self, work: Work);

    /// A kernel that copies elements of an operand from view to view over a domain.
    fn copy_operand(&mut self, operand: usize, from: View, to: View, domain: Shape);

    /// A kernel that copies elements of the result's type.
    fn copy(&mut self, from: View, to: View, domain: Shape) {
        if from != to && domain.count() > 0 {
            let (_, dtype) = self.result();
            self.push(Map::copy(domain, from, to, dtype).into());
        }
    }
}
