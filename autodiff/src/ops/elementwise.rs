//! Elementwise primitives of one operand: one row each.
//!
//! A row is the variant, its name and method, the scalar function, and the derivative
//! *factor* as a formula of operand `a` and result `y`; the engine multiplies by the tangent.

use super::{Op, Partial, Real};
use crate::error::{At, Error};
use crate::tape::{Var, record1};

macro_rules! unary_table {
    ($a:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $method:ident
        |$x:ident| $value:expr, d = $partial:expr;)*) => {
        /// The elementwise functions of one real operand.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Unary {
            $($(#[$doc])+ $variant,)*
        }

        impl Unary {
            /// All of them.
            pub const ALL: &'static [Unary] = &[$(Unary::$variant),*];

            /// The name, as in listings.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$variant => $name),* }
            }

            /// The function itself.
            pub fn eval<T: Real>(self, x: T) -> T {
                match self { $(Unary::$variant => { let $x = x; $value })* }
            }

            /// The function on a block; operand and result have the same length.
            #[inline(always)]
            pub(crate) fn map<T: Real>(self, x: &[T], y: &mut [T]) {
                match self {
                    $(Unary::$variant => for (y, &$x) in y.iter_mut().zip(x) { *y = $value; },)*
                }
            }

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

unary_table! { a, y;
    /// −x.
    Neg "neg" negated |x| -x, d = Partial::MinusOne;
    /// The absolute value; its derivative at 0 is taken as 0.
    Abs "abs" abs |x| x.abs(), d = Partial::factor(a.sign());
    /// −1, 0 or 1 by the sign of x.
    Sign "sign" sign |x| Real::sign(x), d = Partial::Zero;
    /// eˣ.
    Exp "exp" exp |x| x.exp(), d = Partial::factor(y);
    /// eˣ whose zeros are strong: at −∞ all derivatives are 0, even where that of what follows is
    /// infinite. The exponential of softmax and log Σ eˣ.
    ExpStrong "exp_strong" exp_strong |x| x.exp(), d = Partial::Mask(y);
    /// eˣ − 1, accurate near 0.
    Expm1 "expm1" expm1 |x| x.exp_m1(), d = Partial::factor(a.exp());
    /// The natural logarithm.
    Log "log" log |x| x.ln(), d = Partial::factor(a.recip());
    /// log(1 + x), accurate near 0.
    Log1p "log1p" log1p |x| x.ln_1p(), d = Partial::factor((1.0 + a).recip());
    /// √x.
    Sqrt "sqrt" sqrt |x| x.sqrt(), d = Partial::factor(0.5 * a.rsqrt());
    /// √x whose derivatives at 0 are taken as 0: the last step of a norm.
    Root "root" root |x| x.sqrt(), d = Partial::factor(half_reciprocal(y));
    /// 1/√x.
    Rsqrt "rsqrt" rsqrt |x| x.sqrt().recip(), d = Partial::factor(-0.5 * (y * a.recip()));
    /// 1/x.
    Recip "recip" recip |x| x.recip(), d = Partial::factor(-(y * y));
    /// sin x.
    Sin "sin" sin |x| x.sin(), d = Partial::factor(a.cos());
    /// cos x.
    Cos "cos" cos |x| x.cos(), d = Partial::factor(-a.sin());
    /// arctan x, in (−π/2, π/2).
    Atan "atan" atan |x| x.atan(), d = Partial::factor((1.0 + a * a).recip());
    /// The hyperbolic tangent.
    Tanh "tanh" tanh |x| x.tanh(), d = Partial::factor(a.sech2());
    /// sech² x = tanh′ x, accurate in the tails.
    Sech2 "sech2" sech2 |x| Real::sech2(x), d = Partial::factor(-2.0 * (a.tanh() * y));
    /// The logistic function 1/(1 + e^(−x)); σ′(x) = sech²(x/2)/4 keeps its digits at 0 and in the tails.
    Sigmoid "sigmoid" sigmoid |x| Real::sigmoid(x), d = Partial::factor(0.25 * (0.5 * a).sech2());
    /// log(1 + eˣ), without overflow.
    Softplus "softplus" softplus |x| Real::softplus(x), d = Partial::factor(a.sigmoid());
    /// The error function 2/√π ∫₀ˣ e^(−t²) dt.
    Erf "erf" erf |x| Real::erf(x), d = Partial::factor(std::f64::consts::FRAC_2_SQRT_PI * (-(a * a)).exp());
    /// The largest integer not above x; its derivative is 0.
    Floor "floor" floor |x| x.floor(), d = Partial::Zero;
}

/// 1/(2y), and 0 at 0.
fn half_reciprocal(y: Var) -> Var {
    y.equal(0.0).select(0.0, 0.5 * y.recip())
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
