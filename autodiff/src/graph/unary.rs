//! Elementwise primitives of one operand: one row each.
//!
//! A row is the variant, its name and method, the scalar function, and the derivative as *factors*,
//! formulas of operand `a` and result `y`; the engine multiplies the tangent by one after another; last
//! comes the interval on which tests take it. The formulas are recorded, so they are compiled in `ops`,
//! which is given the same rows.

use crate::scalar::Real;
use crate::scalar::special::{self, double};

/// Hands all rows to a macro.
macro_rules! unary_rows {
    ($to:ident) => { $to! { a, y;
        /// −x.
        Neg "neg" negated |x| -x, d = Partial::MinusOne, on WIDE;
        /// The absolute value; its derivative at 0 is taken as 0.
        Abs "abs" abs |x| x.abs(), d = Partial::factor(a.sign()), on WIDE;
        /// −1, 0 or 1 by the sign of x.
        Sign "sign" sign |x| Real::sign(x), d = Partial::Zero, on WIDE;
        /// eˣ.
        Exp "exp" exp |x| x.exp(), d = Partial::factor(y), on WIDE;
        /// eˣ whose zeros are strong: at −∞ all derivatives are 0, even where that of what follows is
        /// infinite. The exponential of softmax and log Σ eˣ.
        ExpStrong "exp_strong" exp_strong |x| x.exp(), d = Partial::Mask(y), on WIDE;
        /// eˣ − 1, accurate near 0.
        Expm1 "expm1" expm1 |x| x.exp_m1(), d = Partial::factor(a.exp()), on WIDE;
        /// The natural logarithm.
        Log "log" log |x| x.ln(), d = Partial::factor(a.recip()), on POSITIVE;
        /// 2ˣ.
        Exp2 "exp2" exp2 |x| double(x, f64::exp2), d = Partial::factor(LN_2 * y), on WIDE;
        /// The logarithm to base 2.
        Log2 "log2" log2 |x| double(x, f64::log2), d = Partial::factor(LOG2_E * a.recip()), on POSITIVE;
        /// The logarithm to base 10.
        Log10 "log10" log10 |x| double(x, f64::log10), d = Partial::factor(LOG10_E * a.recip()), on POSITIVE;
        /// log(1 + x), accurate near 0.
        Log1p "log1p" log1p |x| x.ln_1p(), d = Partial::factor((1.0 + a).recip()), on POSITIVE;
        /// √x.
        Sqrt "sqrt" sqrt |x| x.sqrt(), d = Partial::factor(0.5 * a.rsqrt()), on POSITIVE;
        /// √x whose derivatives at 0 are taken as 0: the last step of a norm.
        Root "root" root |x| x.sqrt(), d = Partial::factor(half_reciprocal(y)), on POSITIVE;
        /// ∛x; its derivatives at 0 are infinite.
        Cbrt "cbrt" cbrt |x| double(x, f64::cbrt), d = Partial::factors([y.recip(), (3.0 * y).recip()]), on POSITIVE;
        /// 1/√x.
        Rsqrt "rsqrt" rsqrt |x| x.sqrt().recip(), d = Partial::factors([-0.5 * y, y, y]), on POSITIVE;
        /// 1/x.
        Recip "recip" recip |x| x.recip(), d = Partial::factors([-y, y]), on POSITIVE;
        /// sin x.
        Sin "sin" sin |x| x.sin(), d = Partial::factor(a.cos()), on WIDE;
        /// cos x.
        Cos "cos" cos |x| x.cos(), d = Partial::factor(-a.sin()), on WIDE;
        /// arctan x, in (−π/2, π/2).
        Atan "atan" atan |x| x.atan(), d = Partial::factors([a.cos_atan(), a.cos_atan()]), on WIDE;
        /// arcsin x, in [−π/2, π/2]; its derivative is infinite at ±1.
        Asin "asin" asin |x| double(x, f64::asin), d = Partial::factor(a.sec_asin()), on INSIDE;
        /// arccos x, in [0, π]; its derivative is −∞ at ±1.
        Acos "acos" acos |x| double(x, f64::acos), d = Partial::factor(-a.sec_asin()), on INSIDE;
        /// cos(arctan x) = 1/√(1 + x²), without overflow: the derivative of arsinh, and the root of that
        /// of arctan.
        CosAtan "cos_atan" cos_atan |x| special::cos_atan(x), d = Partial::factors([y, -a, y, y]), on WIDE;
        /// sec(arcsin x) = 1/√(1 − x²), accurate next to ±1: the derivative of arcsin, and the root of
        /// that of artanh. At ±1 it is infinite.
        SecAsin "sec_asin" sec_asin |x| special::sec_asin(x), d = Partial::factors([y, a, y, y]), on INSIDE;
        /// The hyperbolic sine.
        Sinh "sinh" sinh |x| double(x, f64::sinh), d = Partial::factor(a.cosh()), on WIDE;
        /// The hyperbolic cosine.
        Cosh "cosh" cosh |x| double(x, f64::cosh), d = Partial::factor(a.sinh()), on WIDE;
        /// log cosh x, accurate near 0 and without overflow; its derivative is tanh x.
        LogCosh "log_cosh" log_cosh |x| double(x, special::log_cosh), d = Partial::factor(a.tanh()), on WIDE;
        /// The inverse hyperbolic sine.
        Asinh "asinh" asinh |x| double(x, libm::asinh), d = Partial::factor(a.cos_atan()), on WIDE;
        /// The inverse hyperbolic cosine of x ≥ 1; at 1 its derivative is infinite.
        Acosh "acosh" acosh |x| double(x, libm::acosh), d = Partial::factors([(a - 1.0).rsqrt(), (a + 1.0).rsqrt()]), on ABOVE_ONE;
        /// The inverse hyperbolic tangent of −1 ≤ x ≤ 1; at ±1 it and its derivatives are infinite.
        Atanh "atanh" atanh |x| double(x, libm::atanh), d = Partial::factors([a.sec_asin(), a.sec_asin()]), on INSIDE;
        /// The hyperbolic tangent.
        Tanh "tanh" tanh |x| x.tanh(), d = Partial::factor(a.sech2()), on WIDE;
        /// sech² x = tanh′ x, accurate in the tails.
        Sech2 "sech2" sech2 |x| Real::sech2(x), d = Partial::factor(-2.0 * (a.tanh() * y)), on WIDE;
        /// The logistic function 1/(1 + e^(−x)); σ′(x) = sech²(x/2)/4 keeps its digits at 0 and in the tails.
        Sigmoid "sigmoid" sigmoid |x| Real::sigmoid(x), d = Partial::factor(0.25 * (0.5 * a).sech2()), on WIDE;
        /// log(1 + eˣ), without overflow.
        Softplus "softplus" softplus |x| Real::softplus(x), d = Partial::factor(a.sigmoid()), on WIDE;
        /// The error function 2/√π ∫₀ˣ e^(−t²) dt.
        Erf "erf" erf |x| Real::erf(x), d = Partial::factor(FRAC_2_SQRT_PI * a.gaussian()), on WIDE;
        /// 1 − erf x, with all its digits where x is large.
        Erfc "erfc" erfc |x| double(x, libm::erfc), d = Partial::factor(-FRAC_2_SQRT_PI * a.gaussian()), on WIDE;
        /// e^(−x²), with the square to more digits than an element has; all derivatives at ±∞ are 0.
        Gaussian "gaussian" gaussian |x| double(x, special::gaussian), d = Partial::factors([-2.0 * y, near(a)]), on WIDE;
        /// The distribution function Φ of a standard normal number, with all its digits in the lower tail.
        NormalCdf "normal_cdf" normal_cdf |x| double(x, special::normal_cdf), d = Partial::factor(a.normal_pdf()), on WIDE;
        /// The density φ(x) = e^(−x²/2)/√(2π) of a standard normal number, as exact as `gaussian`.
        NormalPdf "normal_pdf" normal_pdf |x| double(x, special::normal_pdf), d = Partial::factors([-y, near(a)]), on WIDE;
        /// The largest integer not above x; its derivative is 0.
        Floor "floor" floor |x| x.floor(), d = Partial::Zero, on WIDE;
    } };
}
pub(crate) use unary_rows;

macro_rules! functions {
    ($a:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $method:ident
        |$x:ident| $value:expr, d = $partial:expr, on $domain:expr;)*) => {
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
        }
    };
}
unary_rows!(functions);
