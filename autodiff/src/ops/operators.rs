//! `+ − × ÷` and negation for every combination of variables and literals; `& | ^ !` of masks.

use super::binary::{Operand, binary, combine};
use crate::DType;
use crate::error::{At, Error};
use crate::graph::{Binary, Compare, Op, Unary};
use crate::tape::{Var, enter};
use std::ops::{
    Add, AddAssign, BitAnd, BitOr, BitXor, Div, DivAssign, Mul, MulAssign, Neg, Not, Sub, SubAssign,
};

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $variant:ident) => {
        impl<T: Into<Operand>> $trait<T> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: T) -> Var {
                binary(self.into(), other.into(), Binary::$variant, At::caller())
            }
        }
        impl $trait<Var> for f64 {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: Var) -> Var {
                binary(self.into(), other.into(), Binary::$variant, At::caller())
            }
        }
        impl $trait<Var> for i32 {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: Var) -> Var {
                binary(self.into(), other.into(), Binary::$variant, At::caller())
            }
        }
        impl<T: Into<Operand>> $assign<T> for Var {
            #[track_caller]
            fn $assign_method(&mut self, other: T) {
                *self = binary((*self).into(), other.into(), Binary::$variant, At::caller());
            }
        }
    };
}

operator!(Add, add, AddAssign, add_assign, Add);
operator!(Sub, sub, SubAssign, sub_assign, Sub);
operator!(Mul, mul, MulAssign, mul_assign, Mul);
operator!(Div, div, DivAssign, div_assign, Div);

impl Neg for Var {
    type Output = Var;
    #[track_caller]
    fn neg(self) -> Var {
        self.unary(Unary::Neg, At::caller())
    }
}

impl Not for Var {
    type Output = Var;
    /// The complement of a mask.
    #[track_caller]
    fn not(self) -> Var {
        self.equal(0.0)
    }
}

/// Records an operation on two masks.
fn of_masks(a: Var, b: Var, name: &'static str, op: Op, at: At) -> Var {
    let types = enter(&[a, b], name, at, |tape, nodes| {
        let types = [tape.node(nodes[0]).dtype, tape.node(nodes[1]).dtype];
        if types != [DType::Bool; 2] {
            let problem = "both operands must be masks, as comparisons give them".into();
            return Err(Error::DType { op: name, problem, operands: types.to_vec(), at });
        }
        Ok(())
    });
    if let Err(poisoned) = types {
        return poisoned;
    }
    combine(a.into(), b.into(), name, at, |tape, a, b, shape, dtype| {
        tape.push(op, &[a, b], shape, dtype, at)
    })
}

macro_rules! mask_operator {
    ($(#[$doc:meta] $trait:ident $method:ident $name:literal $op:expr;)*) => {
        $(impl $trait for Var {
            type Output = Var;
            #[$doc]
            #[track_caller]
            fn $method(self, other: Var) -> Var {
                of_masks(self, other, $name, $op, At::caller())
            }
        })*
    };
}

mask_operator! {
    /// Where both masks hold.
    BitAnd bitand "and" Op::Binary(Binary::Mul);
    /// Where one of the masks holds, or both.
    BitOr bitor "or" Op::Binary(Binary::Add);
    /// Where one of the masks holds, and not the other.
    BitXor bitxor "xor" Op::Compare(Compare::Ne);
}
