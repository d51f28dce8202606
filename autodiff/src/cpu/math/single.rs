//! f32 functions in f32 lanes: twice the speed of f64 lanes, and half a unit less exact.

use super::arith::single::{
    MAGIC, at_least, at_most, fma, ordered_sum, poly, power_of_two, quotient,
};
use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// ln 2 to 15 bits, so that its product with an exponent is exact, and the rest.
const LN_2_HIGH: f32 = 0.69314575;
const LN_2_LOW: f32 = 1.4286068e-6;

/// (eʳ − 1 − r)/r² on ±0.35; eʳ is within 2⁻²⁸ of itself.
pub(super) const SQUARE_EXP: [f32; 5] =
    [0.49999994, 0.16666515, 0.041668456, 0.00836942, 0.0013813206];

/// (eʳ − 1 − r)/r² on ±0.35; eʳ − 1 is within 2⁻²⁸ of itself.
const SQUARE_EXPM1: [f32; 6] =
    [0.5, 0.16666667, 0.041666314, 0.0083332155, 0.0013944318, 0.00019964697];

/// (log(1 + f) − f + f²/2)/f³; log(1 + f) is within 2⁻²⁷ of itself.
const CUBIC_LOG: [f32; 8] = [
    0.3333333,
    -0.2500082,
    0.20001225,
    -0.16623352,
    0.14201792,
    -0.13160263,
    0.12761442,
    -0.076341525,
];

/// n in low bits, and r in two words: x = n·ln 2 + r.
#[inline(always)]
pub(super) fn reduce<const FMA: bool>(x: f32) -> (u32, f32, f32) {
    let t = fma::<FMA>(x, LOG2_E, MAGIC);
    let n = t - MAGIC;
    let a = fma::<FMA>(n, -LN_2_HIGH, x);
    let b = n * LN_2_LOW;
    let r = a - b;
    (t.to_bits(), r, (a - r) - b)
}

#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Beyond, the result is infinite or 0.
    let (n, r, _) = reduce::<FMA>(at_least(at_most(x, 89.0), -104.0));
    let p = fma::<FMA>(r * r, poly::<FMA, 5>(r, &SQUARE_EXP), r);
    let (a, b) = scales(n);
    (1.0 + p) * a * b
}

/// 2ⁿ in two factors: alone it may overflow or be subnormal. `MAGIC` is even, and half of it
/// vanishes from the power.
#[inline(always)]
pub(super) fn scales(n: u32) -> (f32, f32) {
    let half = (n >> 1).wrapping_sub(MAGIC.to_bits() >> 1);
    let n = n.wrapping_sub(MAGIC.to_bits());
    (power_of_two(half), power_of_two(n.wrapping_sub(half)))
}

#[inline(always)]
pub(super) fn log<const FMA: bool>(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let normal = if subnormal { x * 8_388_608.0 } else { x }; // 2²³
    let root = FRAC_1_SQRT_2.to_bits();
    let bits = normal.to_bits().wrapping_add(1.0f32.to_bits() - root);
    let k = (bits >> 23) as i32 as f32 - if subnormal { 150.0 } else { 127.0 };
    let f = f32::from_bits((bits & 0x7f_ffff).wrapping_add(root)) - 1.0;
    let (high, low) = ordered_sum(k * LN_2_HIGH, f);
    let p = fma::<FMA>(f, poly::<FMA, 8>(f, &CUBIC_LOG), -0.5);
    let y = high + (low + fma::<FMA>(f * f, p, k * LN_2_LOW));
    let below = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    let y = if x > 0.0 { y } else { below };
    if x < f32::INFINITY { y } else { x }
}

#[inline(always)]
pub(super) fn tanh<const FMA: bool>(x: f32) -> f32 {
    // With t = e^(2|x|) − 1 it is t/(t + 2); at 10 it has reached 1.
    let (n, r, c) = reduce::<FMA>(2.0 * at_most(x.abs(), 10.0));
    let tail = fma::<FMA>(r * r, poly::<FMA, 6>(r, &SQUARE_EXPM1), c);
    let (r, rest) = ordered_sum(r, tail);
    let scale = power_of_two(n);
    let t = fma::<FMA>(scale, r, scale - 1.0);
    let low = fma::<FMA>(scale, r, (scale - 1.0) - t);
    // Without fused operations 2 units are near; with them this would be for nothing.
    let low = if FMA { low } else { low + scale * rest };
    let d = 2.0 + t;
    // Exact while t < 2, and of little weight beyond.
    let error = (2.0 - d) + t;
    let (q, correction) = quotient::<FMA>(t, low, d, error + low);
    (q + correction).copysign(x)
}

/// As `logistic::sech2`.
#[inline(always)]
pub(super) fn sech2<const FMA: bool>(x: f32) -> f32 {
    // Four times e^(−106) is 0.
    let (n, r, c) = reduce::<FMA>(-at_most(2.0 * x.abs(), 106.0));
    let tail = fma::<FMA>(r * r, poly::<FMA, 5>(r, &SQUARE_EXP), c);
    let (high, low) = ordered_sum(1.0, r + tail);
    let relative = low * (1.0 - r);
    let (a, b) = scales(n);
    let four = 4.0 * high * a * b;
    let value = 0.25 * four;
    let (d, low) = ordered_sum(1.0, value);
    let square = d * d;
    let error = if FMA { d.mul_add(d, -square) } else { 0.0 };
    let low = fma::<FMA>(2.0 * d, fma::<FMA>(value, relative, low), error);
    let inverse = fma::<FMA>(value, fma::<FMA>(value, 0.85, -1.6), 1.0);
    let y = four / square;
    at_most(fma::<FMA>(y, fma::<FMA>(-low, inverse, relative), y), 1.0)
}

#[inline(always)]
pub(super) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    // 1/(1 + e) to the right, e/(1 + e) to the left; where e is subnormal, the divisor is 1.
    let e = exp::<FMA>(-x.abs());
    let (d, low) = ordered_sum(1.0, e);
    let y = if x < 0.0 { e } else { 1.0 } / d;
    // 1 − e/2 is about 1/(1 + e).
    fma::<FMA>(y, -low * fma::<FMA>(e, -0.5, 1.0), y)
}

/// (sin r / r − 1)/r² in r² for |r| ≤ π/4, rounded from `trig`'s.
const SIN: [f32; 3] = [-0.16666655, 0.008332176, -0.00019516997];

/// (cos r − 1 + r²/2)/r⁴ in r², rounded from `trig`'s.
const COS: [f32; 3] = [0.041666647, -0.0013887364, 2.4438093e-5];

/// sin r and cos r for |r| ≤ π/4.
#[inline(always)]
pub(super) fn sin_cos<const FMA: bool>(r: f32) -> (f32, f32) {
    let z = r * r;
    let sin = fma::<FMA>(r * z, poly::<FMA, 3>(z, &SIN), r);
    let cos = fma::<FMA>(z * z, poly::<FMA, 3>(z, &COS), fma::<FMA>(z, -0.5, 1.0));
    (sin, cos)
}

/// The sine after so many quarters of a turn, from sine and cosine before them.
#[inline(always)]
pub(super) fn quarter(n: u32, sin: f32, cos: f32) -> f32 {
    let odd = 0u32.wrapping_sub(n & 1);
    let bits = (sin.to_bits() & !odd) | (cos.to_bits() & odd);
    f32::from_bits(bits ^ ((n & 2) << 30))
}
