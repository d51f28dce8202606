//! `+ − × ÷` and negation for every combination of variables and `f64` literals.

use super::binary::{Operand, binary};
use super::{Binary, Unary};
use crate::error::At;
use crate::tape::Var;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Not, Sub, SubAssign};

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
