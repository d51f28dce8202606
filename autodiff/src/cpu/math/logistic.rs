//! The functions of e^(−|x|): tanh, sech², the logistic function and softplus.

use super::arith::{at_least, at_most, fma, ordered_sum, power_of_two, product, quotient};
use super::exp::{exp_short, reduce};
use super::log::{log1p_of_unit, log1p_of_unit_short};

#[inline(always)]
pub(super) fn tanh<const FMA: bool>(x: f64) -> f64 {
    // With t = e^(2|x|) − 1 it is t/(t + 2); at 20 it has reached 1.
    let e = reduce::<FMA>(2.0 * at_most(x.abs(), 20.0));
    let scale = power_of_two(e.bits);
    let r = e.r + e.tail;
    let t = fma::<FMA>(scale, r, scale - 1.0);
    let low = fma::<FMA>(scale, r, (scale - 1.0) - t);
    let d = 2.0 + t;
    // Exact while t < 2, and of little weight beyond.
    let error = (2.0 - d) + t;
    let (q, correction) = quotient::<FMA>(t, low, d, error + low);
    (q + correction).copysign(x)
}

/// e^(−a) for 0 ≤ a: its power of two in two factors, and the rest.
struct Decay {
    scales: (f64, f64),
    high: f64,
    /// About low/high.
    relative: f64,
}

impl Decay {
    #[inline(always)]
    fn times(&self, word: f64) -> f64 {
        word * self.scales.0 * self.scales.1
    }
}

#[inline(always)]
fn decay<const FMA: bool>(a: f64) -> Decay {
    // Four times e^(−750) is 0 too.
    let e = reduce::<FMA>(-at_most(a, 750.0));
    let (high, low) = ordered_sum(1.0, e.r + e.tail);
    Decay { scales: e.scales(), high, relative: low * (1.0 - e.r) }
}

#[inline(always)]
pub(super) fn sech2<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(2.0 * x.abs());
    // Where four e is subnormal and has lost digits, the divisor is 1.
    let four = e.times(4.0 * e.high);
    let value = 0.25 * four;
    let (d, low) = ordered_sum(1.0, value);
    let (square, error) = product::<FMA>(d, d);
    let low = fma::<FMA>(2.0 * d, fma::<FMA>(value, e.relative, low), error);
    // 1/(1 + e)² to a few percent will do for a correction.
    let inverse = fma::<FMA>(value, fma::<FMA>(value, 0.85, -1.6), 1.0);
    let y = four / square;
    at_most(fma::<FMA>(y, fma::<FMA>(-low, inverse, e.relative), y), 1.0)
}

#[inline(always)]
pub(super) fn sigmoid<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(x.abs());
    // 1/(1 + e) to the right, e/(1 + e) to the left; where e is subnormal, the divisor is 1.
    let value = e.times(e.high);
    let (d, low) = ordered_sum(1.0, value);
    let y = if x < 0.0 { value } else { 1.0 } / d;
    // 1 − e/2 is about 1/(1 + e).
    fma::<FMA>(y, -low * fma::<FMA>(value, -0.5, 1.0), y)
}

#[inline(always)]
pub(super) fn softplus<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(x.abs());
    at_least(x, 0.0) + log1p_of_unit::<FMA>(e.times(e.high))
}

#[inline(always)]
pub(super) fn softplus_short<const FMA: bool>(x: f64) -> f64 {
    at_least(x, 0.0) + log1p_of_unit_short::<FMA>(exp_short::<FMA>(-x.abs()))
}
