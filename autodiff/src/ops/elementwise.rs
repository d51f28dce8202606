//! Elementwise primitives of one operand: their methods and derivatives, from the rows of
//! `graph/unary.rs`.

use super::batching::{Batched, Batching};
use super::derivative::Partial;
use super::plain::Operands;
use super::primitive::{Fact, Factors, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::{Op, Unary, unary_rows};
use crate::tape::{Var, record1};
use crate::work::{Lowering, Scalar};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};

macro_rules! methods {
    ($a:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $method:ident
        |$x:ident| $value:expr, d = $partial:expr;)*) => {
        impl Unary {
            /// The derivative factor, from operand and result.
            #[allow(unused_variables)]
            fn factor(self, $a: Var, $y: Var) -> Partial {
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

impl Primitive for Unary {
    fn derivative(&self) -> Fact<'_> {
        Fact::Elementwise(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(*self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(of.value(0).iter().map(|&x| self.eval(x)).collect())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Instruction(Scalar::Unary(*self))
    }
}

impl Factors for Unary {
    fn partial(&self, _: usize, args: &[Var], y: Var) -> Partial {
        self.factor(args[0], y)
    }
}

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
