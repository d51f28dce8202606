//! Leaves, and identities that transforms tell apart.

use super::batching::{Batched, Batching};
use super::example::{Example, Examples, Sample::Real, example};
use super::plain::Operands;
use super::primitive::{Fact, Linear, Primitive, Stretch};
use crate::Shape;
use crate::error::Result;
use crate::graph::{Alias, Hold, Op, Recompute, StopGradient};
use crate::tape::Var;
use crate::work::{Lowering, Movement, Strided};

/// A leaf: it depends on nothing.
pub(super) struct Leaf;

impl Primitive for Leaf {
    fn derivative(&self) -> Fact<'_> {
        Fact::Constant
    }

    fn batched(&self, _: &Batching<'_>) -> Batched {
        // It has no operand with a leading axis.
        Err(Var::dead())
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(match of.node.op {
            Op::Constant(bits) => vec![f64::from_bits(bits)],
            // The others are given.
            _ => Vec::new(),
        })
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Given
    }
}

impl Primitive for Alias {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.value(0).to_vec())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Given
    }
}

impl Linear for Alias {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        Some(ct)
    }

    fn stretch(&self, _: &Shape, _: &Shape) -> Option<Stretch> {
        Some(Stretch::Whole)
    }
}

impl Primitive for Hold {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        // What it held fixed has been differentiated by now.
        of.lifted(0)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.value(0).to_vec())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Given
    }
}

impl Linear for Hold {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        Some(ct)
    }
}

impl Primitive for StopGradient {
    fn derivative(&self) -> Fact<'_> {
        Fact::Constant
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.value(0).to_vec())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Given
    }
}

impl Examples for StopGradient {
    fn examples() -> Vec<Example> {
        vec![example(&[Real(&[2, 3])], |a| a[0].stop_gradient())]
    }
}

impl Primitive for Recompute {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        // Keeps its number, so that what is computed again stays apart from what was kept.
        of.all(self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.value(0).to_vec())
    }

    fn lowering(&self) -> Lowering<'_> {
        // So that what is computed again cannot join the operand's expression and run early.
        Lowering::View(self)
    }
}

impl Linear for Recompute {
    fn transpose(&self, _: usize, _: &[Var], ct: Var) -> Option<Var> {
        Some(ct)
    }
}

impl Movement for Recompute {
    fn view(&self, _: &Shape, _: &Shape, operand: Strided) -> Option<Strided> {
        Some(operand)
    }
}

impl Examples for Recompute {
    fn examples() -> Vec<Example> {
        // Recorded by reverse sweeps that pass a checkpoint.
        vec![example(&[Real(&[2, 3])], |a| a[0].checkpoint(|x| x.sin().exp()).sum().grad(a[0]))]
    }
}
