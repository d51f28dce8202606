//! Choice by a mask, and conversion between element types.

use super::binary::{Operand, common_shape};
use crate::DType;
use crate::error::{At, Error};
use crate::graph::Op;
use crate::tape::{Var, record_many, record1};

/// ⟨ct, select(m, a, b)⟩ is linear in a and b.
pub(super) fn transpose(i: usize, args: &[Var], ct: Var) -> Option<Var> {
    let zero = ct.constant_like(0.0);
    match i {
        1 => Some(args[0].select(ct, zero)),
        2 => Some(args[0].select(zero, ct)),
        _ => None,
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
