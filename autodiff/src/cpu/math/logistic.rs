//! The functions of e^(−|x|): tanh, sech², the logistic function and softplus.

use super::arith::{at_least, at_most, ordered_sum, power_of_two, product, quotient, sum};
use super::exp::{exp_short, expm1_short, reduce};
use super::log::{log1p_of, log1p_short_of};

#[inline(always)]
pub(super) fn tanh<const FMA: bool>(x: f64) -> f64 {
    // With t = e^(2|x|) − 1 it is t/(t + 2); at 20 it has reached 1.
    let e = reduce::<FMA>(2.0 * at_most(x.abs(), 20.0));
    let scale = power_of_two(e.bits);
    let (r, rl) = ordered_sum(e.r, e.tail);
    let (t, low) = ordered_sum(scale - 1.0, scale * r);
    let low = low + scale * rl;
    let (d, error) = sum(2.0, t);
    let (q, correction) = quotient::<FMA>(t, low, d, error + low);
    (q + correction).copysign(x)
}

/// e^(−a) for 0 ≤ a, up to its power of two and with it.
struct Decay {
    scales: (f64, f64),
    mantissa: (f64, f64),
    value: (f64, f64),
}

#[inline(always)]
fn decay<const FMA: bool>(a: f64) -> Decay {
    // Four times e^(−750) is 0 too.
    let e = reduce::<FMA>(-at_most(a, 750.0));
    let scales = e.scales();
    let mantissa = ordered_sum(1.0, e.r + e.tail);
    let value = (mantissa.0 * scales.0 * scales.1, mantissa.1 * scales.0 * scales.1);
    Decay { scales, mantissa, value }
}

#[inline(always)]
pub(super) fn sech2<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(2.0 * x.abs());
    let (d, low) = ordered_sum(1.0, e.value.0);
    let low = low + e.value.1;
    let (square, error) = product::<FMA>(d, d);
    let (n, nl) = e.mantissa;
    let (q, correction) = quotient::<FMA>(n, nl, square, error + 2.0 * d * low);
    4.0 * (q + correction) * e.scales.0 * e.scales.1
}

#[inline(always)]
pub(super) fn sigmoid<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(x.abs());
    let (d, low) = ordered_sum(1.0, e.value.0);
    // 1/(1 + e) to the right, e/(1 + e) to the left, scaled last: it may be subnormal.
    let left = x < 0.0;
    let (n, nl) = if left { e.mantissa } else { (1.0, 0.0) };
    let (a, b) = if left { e.scales } else { (1.0, 1.0) };
    let (q, correction) = quotient::<FMA>(n, nl, d, low + e.value.1);
    (q + correction) * a * b
}

#[inline(always)]
pub(super) fn softplus<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(x.abs());
    let tail = log1p_of::<FMA>(e.value.0, e.value.1);
    // A subnormal e rounds once only if its two words are added first.
    let (a, b) = e.scales;
    let far = (e.mantissa.0 + e.mantissa.1) * a * b;
    at_least(x, 0.0) + if x < -40.0 { far } else { tail }
}

#[inline(always)]
pub(super) fn tanh_short<const FMA: bool>(x: f64) -> f64 {
    let t = expm1_short::<FMA>(2.0 * at_most(x.abs(), 10.0));
    (t / (t + 2.0)).copysign(x)
}

#[inline(always)]
pub(super) fn sech2_short<const FMA: bool>(x: f64) -> f64 {
    let e = exp_short::<FMA>(-2.0 * x.abs());
    let d = 1.0 + e;
    4.0 * e / (d * d)
}

#[inline(always)]
pub(super) fn sigmoid_short<const FMA: bool>(x: f64) -> f64 {
    1.0 / (1.0 + exp_short::<FMA>(-x))
}

#[inline(always)]
pub(super) fn softplus_short<const FMA: bool>(x: f64) -> f64 {
    at_least(x, 0.0) + log1p_short_of::<FMA>(exp_short::<FMA>(-x.abs()))
}
