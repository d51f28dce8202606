//! arctan x, by way of arctan x = c + arctan t with t = (x − tan c)/(1 + x·tan c).

use super::arith::{at_most, fma, ordered_sum, poly, quotient, sum};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

/// (arctan(t)/t − 1)/t² in t² for |t| ≤ √2 − 1; arctan is within 2⁻⁵⁸·⁵ of itself.
const NEAR: [f64; 11] = [
    -0.333333333333332,
    0.1999999999995407,
    -0.14285714280247339,
    0.11111110786072757,
    -0.09090897834395412,
    0.07692061597522874,
    -0.06663119901895921,
    0.058480052001795846,
    -0.05039827929917213,
    0.038077855412363595,
    -0.017921751173062966,
];

/// The same for |t| ≤ 1, within 2⁻²⁸·⁵.
const SHORT: [f64; 9] = [
    -0.3333329909262374,
    0.19998548384715614,
    -0.14264242505731878,
    0.10952189208942245,
    -0.08403458863702651,
    0.05795772608263513,
    -0.031177971666944294,
    0.010914672405289538,
    -0.0017936367610059786,
];

/// π/2 beyond the digits of f64.
const FRAC_PI_2_LOW: f64 = 6.123233995736766e-17;

#[inline(always)]
pub(super) fn atan<const FMA: bool>(x: f64) -> f64 {
    // At 2⁶⁰ it has reached π/2.
    let a = at_most(x.abs(), 1_152_921_504_606_846_976.0);
    // c is 0, π/4 or π/2; the borders are tan(π/8) and tan(3π/8).
    let middle = a > 0.41421356237309503;
    let far = a > 2.414213562373095;
    let (n, nl) = if middle { sum(a, -1.0) } else { (a, 0.0) };
    let (n, nl) = if far { (-1.0, 0.0) } else { (n, nl) };
    let (d, dl) = if middle { sum(a, 1.0) } else { (1.0, 0.0) };
    let (d, dl) = if far { (a, 0.0) } else { (d, dl) };
    let (c, cl) = if middle { (FRAC_PI_4, 0.5 * FRAC_PI_2_LOW) } else { (0.0, 0.0) };
    let (c, cl) = if far { (FRAC_PI_2, FRAC_PI_2_LOW) } else { (c, cl) };
    let (t, low) = quotient::<FMA>(n, nl, d, dl);
    let z = t * t;
    let (high, error) = ordered_sum(c, t);
    let rest = fma::<FMA>(t * z, poly::<FMA, 11>(z, &NEAR), low + cl);
    (high + (error + rest)).copysign(x)
}

#[inline(always)]
pub(super) fn atan_short<const FMA: bool>(x: f64) -> f64 {
    let a = x.abs();
    let far = a > 1.0;
    let t = if far { -1.0 } else { a } / if far { a } else { 1.0 };
    let z = t * t;
    let y = fma::<FMA>(t * z, poly::<FMA, 9>(z, &SHORT), t);
    (y + if far { FRAC_PI_2 } else { 0.0 }).copysign(x)
}
