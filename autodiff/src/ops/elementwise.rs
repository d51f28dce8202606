//! Elementwise primitives of one operand: their methods and derivatives, from the rows of
//! `graph/unary.rs`.

use super::Partial;
use crate::error::{At, Error};
use crate::graph::{Op, Unary, unary_rows};
use crate::tape::{Var, record1};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};

macro_rules! methods {
    ($a:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $method:ident
        |$x:ident| $value:expr, d = $partial:expr;)*) => {
        impl Unary {
            /// The derivative factor, from operand and result.
            #[allow(unused_variables)]
            pub(super) fn partial(self, $a: Var, $y: Var) -> Partial {
                match self { $(Unary::$variant => $partial),* }
            }
        }

        impl Var {
            $($(#[$doc])+
            #[track_caller]
            pub fn $method(self) -> Var {
                self.unary(Unary::$variant, At::caller())
            })*
        }
    };
}
unary_rows!(methods);

/// 1/(2y), and 0 at 0.
fn half_reciprocal(y: Var) -> Var {
    y.equal(0.0).select(0.0, 0.5 * y.recip())
}

/// x where e^(−x²/2) is not 0, and 0 where x might be so large that a product with that is none.
fn near(x: Var) -> Var {
    x.abs().le(100.0).select(x, 0.0)
}

impl Var {
    pub(crate) fn unary(self, f: Unary, at: At) -> Var {
        record1(self, f.name(), at, |tape, x| {
            let (shape, dtype) = tape.aval(x);
            if !dtype.is_float() {
                let problem = "the operand must be f32 or f64".into();
                return Err(Error::DType { op: f.name(), problem, operands: vec![dtype], at });
            }
            Ok(tape.push(Op::Unary(f), &[x], shape, dtype, at))
        })
    }
}
