//! Elementwise primitives of one operand: their methods and derivatives, from the rows of
//! `graph/unary.rs`.

use super::batching::{Batched, Batching};
use super::derivative::Partial;
use super::example::{Example, Rows, Sample, WIDE};
use super::plain::Operands;
use super::primitive::{Fact, Factors, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::{Op, Unary, unary_rows};
use crate::tape::{Var, record1};
use crate::work::{Lowering, Scalar};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};

/// Where logarithms, roots and reciprocals are tame.
const POSITIVE: (f64, f64) = (0.3, 3.0);

/// Within (−1, 1).
const INSIDE: (f64, f64) = (-0.8, 0.8);

const ABOVE_ONE: (f64, f64) = (1.3, 4.0);

macro_rules! methods {
    ($a:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $method:ident
        |$x:ident| $value:expr, d = $partial:expr, on $domain:expr;)*) => {
        impl Unary {
            /// The derivative factor, from operand and result.
            #[allow(unused_variables)]
            fn factor(self, $a: Var, $y: Var) -> Partial {
                match self { $(Unary::$variant => $partial),* }
            }

            /// An interval on which it is defined and smooth.
            #[cfg(feature = "proptest")]
            pub(crate) fn domain(self) -> (f64, f64) {
                match self { $(Unary::$variant => $domain),* }
            }
        }

        impl Rows for Unary {
            fn examples() -> Vec<(&'static str, Vec<Example>)> {
                vec![$(($name, [&[2, 3][..], &[]].map(|shape| Example {
                    operands: vec![Sample::Real(shape)],
                    between: $domain,
                    record: |a| a[0].$method(),
                }).to_vec())),*]
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
