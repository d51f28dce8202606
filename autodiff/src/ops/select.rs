//! Choice by a mask, and conversion between element types.

use super::batching::{Batched, Batching};
use super::binary::{Operand, common_shape};
use super::example::{
    Example, Examples,
    Sample::{Integer, Mask, Real},
    example,
};
use super::plain::Operands;
use super::primitive::{Fact, Linear, Primitive};
use crate::DType;
use crate::error::{At, Error, Result};
use crate::graph::{Cast, Op, Select};
use crate::tape::{Var, record_many, record1};
use crate::work::{Lowering, Scalar};

impl Primitive for Select {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let chosen = |i: usize| of.value(if of.value(0)[i] != 0.0 { 1 } else { 2 })[i];
        Ok((0..of.node.shape.count()).map(chosen).collect())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Instruction(Scalar::Select)
    }
}

impl Linear for Select {
    /// Of a mask m: ⟨ct, select(m, a, b)⟩ is linear in a and b.
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let zero = ct.constant_like(0.0);
        match i {
            1 => Some(args[0].select(ct, zero)),
            2 => Some(args[0].select(zero, ct)),
            _ => None,
        }
    }

    fn transpose_leaves_out(&self) -> bool {
        true
    }
}

impl Examples for Select {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Mask(&[2, 3]), Real(&[2, 3]), Real(&[3])], |a| a[0].select(a[1], a[2])),
            example(&[Mask(&[]), Integer(&[2], 9), Integer(&[], 9)], |a| a[0].select(a[1], a[2])),
        ]
    }
}

impl Primitive for Cast {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        // Every value is rounded to its type.
        Ok(of.value(0).to_vec())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Instruction(Scalar::Cast)
    }
}

impl Linear for Cast {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let dtype = args[i].dtype();
        dtype.is_float().then(|| ct.cast(dtype))
    }
}

impl Examples for Cast {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3])], |a| (a[0] + 2.5).cast(DType::U32)),
            example(&[Real(&[2, 3])], |a| a[0].cast(DType::Bool)),
            example(&[Integer(&[4], 3)], |a| a[0].cast(DType::Bool)),
            example(&[Mask(&[])], |a| a[0].cast(DType::F32)),
        ]
    }
}

impl Var {
    /// Where this mask holds the elements of `a`, elsewhere those of `b`; NumPy's
    /// broadcasting applies to all three. Derivatives flow through the chosen one only.
    ///
    /// At least one of the two must be a variable.
    #[track_caller]
    pub fn select(self, a: impl Into<Operand>, b: impl Into<Operand>) -> Var {
        let at = At::caller();
        let (a, b) = match (a.into(), b.into()) {
            (Operand::Var(a), Operand::Var(b)) => (a, b),
            (Operand::Var(a), Operand::Literal(b)) => (a, a.constant_like(b)),
            (Operand::Literal(a), Operand::Var(b)) => (b.constant_like(a), b),
            (Operand::Literal(a), Operand::Literal(b)) => {
                let float = self.cast(DType::F64);
                (float.constant_like(a), float.constant_like(b))
            }
        };
        record_many(&[self, a, b], "select", at, |tape, nodes| {
            let [(sm, tm), (sa, ta), (sb, tb)] =
                [tape.aval(nodes[0]), tape.aval(nodes[1]), tape.aval(nodes[2])];
            if tm != DType::Bool || ta != tb {
                let problem = "expected a bool mask and two values of one type".into();
                return Err(Error::DType { op: "select", problem, operands: vec![tm, ta, tb], at });
            }
            let shape = common_shape("select", &[&sm, &sa, &sb], at)?;
            let args = [0, 1, 2].map(|i| tape.broadcast_to(nodes[i], &shape, at));
            Ok(tape.push(Op::Select, &args, shape, ta, at))
        })
    }

    /// Converts to another element type: floats to `U32` truncate and saturate, to `Bool`
    /// they tell x ≠ 0. Between floats the derivative is converted back.
    #[track_caller]
    pub fn cast(self, dtype: DType) -> Var {
        let at = At::caller();
        record1(self, "cast", at, |tape, x| {
            let shape = tape.aval(x).0;
            Ok(tape.push(Op::Cast, &[x], shape, dtype, at))
        })
    }
}
