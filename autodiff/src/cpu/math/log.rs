//! log x and log(1 + x): x = 2ᵏ·(1 + f) with 1 + f between √½ and √2.

use super::arith::{TINY, fma, ordered_sum, poly, sum};
use super::exp::{LN_2_HIGH, LN_2_LOW};
use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

/// (2 artanh(s)/s − 2)/s² in s² for |s| ≤ 0.1716; artanh is within 2⁻⁵⁹·² of itself.
const ARTANH: [f64; 7] = [
    0.6666666666666734,
    0.3999999999941565,
    0.2857142874219099,
    0.22222198590948727,
    0.18183563531708374,
    0.15314067733064116,
    0.14795806755064314,
];

/// (log(1 + f) − f + f²/2)/f³; log(1 + f) is within 2⁻³⁰·³ of itself.
const CUBIC: [f64; 9] = [
    0.33333312642653806,
    -0.2500000983213154,
    0.20002117092567584,
    -0.16667985344972225,
    0.14219564319321898,
    -0.12405730108799168,
    0.11888246447477427,
    -0.11675073407415783,
    0.06745847351486048,
];

/// As [`ARTANH`] for 0 ≤ s ≤ 1/3; artanh is within 2⁻⁵⁸ of itself.
const ARTANH_OF_UNIT: [f64; 10] = [
    0.6666666666666631,
    0.40000000000157265,
    0.2857142854785172,
    0.22222223969838406,
    0.18181743921804555,
    0.15386559979673042,
    0.133009729377576,
    0.12106090817153342,
    0.0834008348065953,
    0.17018605939057202,
];

/// As [`CUBIC`] for 0 ≤ f ≤ 1; log(1 + f) is within 2⁻²⁹·⁷ of itself.
const CUBIC_OF_UNIT: [f64; 9] = [
    0.3333309358886479,
    -0.24993327798300924,
    0.19926463626529717,
    -0.16228898058781935,
    0.1268077900687873,
    -0.08593559472489068,
    0.044313118739984794,
    -0.014689256322899195,
    0.002277810001980031,
];

const MANTISSA: u64 = (1 << 52) - 1;

/// k, f and 2⁻ᵏ, for a positive normal x; where 2⁻ᵏ is subnormal it counts as 0.
#[inline(always)]
fn split(x: f64) -> (f64, f64, f64) {
    let root = FRAC_1_SQRT_2.to_bits();
    let bits = x.to_bits().wrapping_add(1.0f64.to_bits() - root);
    // The exponent as the low bits of a number at 2⁵².
    const BASE: f64 = 4_503_599_627_370_496.0;
    let k = f64::from_bits((bits >> 52) | BASE.to_bits()) - (BASE + 1023.0);
    let f = f64::from_bits((bits & MANTISSA).wrapping_add(root)) - 1.0;
    let power = f64::from_bits((2046u64 << 52).wrapping_sub(bits & !MANTISSA));
    (k, f, if k < 1023.0 { power } else { 0.0 })
}

/// k·log 2 + log(1 + f) + c.
#[inline(always)]
fn assemble<const FMA: bool>(k: f64, f: f64, c: f64) -> f64 {
    // log(1 + f) = 2 artanh s, and 2s = f − f²/2 + s·f²/2.
    let s = f / (2.0 + f);
    let z = s * s;
    let half = 0.5 * f * f;
    let (high, low) = ordered_sum(k * LN_2_HIGH, f);
    let rest = fma::<FMA>(z, poly::<FMA, 7>(z, &ARTANH), half);
    let rest = fma::<FMA>(s, rest, fma::<FMA>(k, LN_2_LOW, c)) - half;
    high + (low + rest)
}

/// The logarithm's value where its argument u is not positive and finite.
#[inline(always)]
fn at_ends(u: f64, y: f64) -> f64 {
    let below = if u == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    let y = if u > 0.0 { y } else { below };
    if u < f64::INFINITY { y } else { u }
}

#[inline(always)]
pub(super) fn log<const FMA: bool>(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let normal = if subnormal { x * 18_014_398_509_481_984.0 } else { x }; // 2⁵⁴
    let (k, f, _) = split(normal);
    let k = k - if subnormal { 54.0 } else { 0.0 };
    at_ends(x, assemble::<FMA>(k, f, 0.0))
}

#[inline(always)]
pub(super) fn log1p<const FMA: bool>(x: f64) -> f64 {
    let (u, c) = sum(1.0, x);
    let (k, f, power) = split(u);
    // c/u to first order; 1/(1 + f) ≈ 1 − f + f² is near enough for so small a term.
    let c = c * power * fma::<FMA>(f, f - 1.0, 1.0);
    let y = at_ends(u, assemble::<FMA>(k, f, c));
    if x.abs() < TINY { x } else { y }
}

/// log(1 + x) for x from 0 to 1.
#[inline(always)]
pub(super) fn log1p_of_unit<const FMA: bool>(x: f64) -> f64 {
    // As in `assemble`.
    let s = x / (2.0 + x);
    let z = s * s;
    let half = 0.5 * x * x;
    let rest = fma::<FMA>(z, poly::<FMA, 10>(z, &ARTANH_OF_UNIT), half);
    x + (s * rest - half)
}

#[inline(always)]
fn assemble_short<const FMA: bool>(k: f64, f: f64) -> f64 {
    let p = fma::<FMA>(f, poly::<FMA, 9>(f, &CUBIC), -0.5);
    fma::<FMA>(k, LN_2, fma::<FMA>(f * f, p, f))
}

#[inline(always)]
pub(super) fn log1p_short<const FMA: bool>(x: f64) -> f64 {
    let u = 1.0 + x;
    let (k, f, _) = split(u);
    // Near 0 the sum 1 + x has lost digits of x.
    let f = if k == 0.0 { x } else { f };
    at_ends(u, assemble_short::<FMA>(k, f)).copysign(x)
}

/// log(1 + x) for x from 0 to 1.
#[inline(always)]
pub(super) fn log1p_of_unit_short<const FMA: bool>(x: f64) -> f64 {
    let p = fma::<FMA>(x, poly::<FMA, 9>(x, &CUBIC_OF_UNIT), -0.5);
    fma::<FMA>(x * x, p, x)
}
