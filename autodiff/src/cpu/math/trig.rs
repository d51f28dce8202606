//! sin x and cos x: x = n·π/2 + r with |r| ≤ π/4, and a polynomial in r for each.

use super::arith::{MAGIC, fma, poly, sum};
use std::f64::consts::FRAC_2_PI;

/// n stays below 2²⁰, so that its product with 33 bits is exact.
pub(super) const TURNS: f64 = 1.6e6;

/// π/2 in pieces of 33 bits, and the rest.
const PIECES: [f64; 4] =
    [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.478427660348229e-32];

/// π/2 less its first piece.
const REST: f64 = 6.077100506506192e-11;

/// (sin r / r − 1)/r² in r²; sin r is within 2⁻⁵⁷ of itself.
const SIN: [f64; 6] = [
    -0.16666666666666632,
    0.008333333333322378,
    -0.00019841269829777548,
    2.755731368049126e-06,
    -2.5050756189003258e-08,
    1.5896676718101725e-10,
];

/// (cos r − 1 + r²/2)/r⁴ in r²; cos r is within 2⁻⁵⁹·⁵ of itself.
const COS: [f64; 6] = [
    0.041666666666666595,
    -0.001388888888887299,
    2.480158728880742e-05,
    -2.7557314165731063e-07,
    2.0875698907887363e-09,
    -1.1358432297466179e-11,
];

/// As [`SIN`], within 2⁻²⁸.
const SIN_SHORT: [f64; 3] = [-0.16666654913173523, 0.008332176039976073, -0.0001951699644894588];

/// As [`COS`], within 2⁻³³·³.
const COS_SHORT: [f64; 3] = [0.041666646808129516, -0.0013887364513250752, 2.4438092955650036e-05];

/// sin r or cos r, with a sign, by the quarter of the turn.
#[inline(always)]
fn quarter(n: u64, sin: f64, cos: f64) -> f64 {
    let odd = 0u64.wrapping_sub(n & 1);
    let bits = (sin.to_bits() & !odd) | (cos.to_bits() & odd);
    f64::from_bits(bits ^ ((n & 2) << 62))
}

/// sin(x + ahead·π/2).
#[inline(always)]
fn turned<const FMA: bool>(x: f64, ahead: u64) -> f64 {
    let t = fma::<FMA>(x, FRAC_2_PI, MAGIC);
    let n = t - MAGIC;
    // Products and the first difference are exact; next to a multiple of π/2 the later
    // pieces decide, so errors of the sums are carried along.
    let (a, e1) = sum(fma::<FMA>(n, -PIECES[0], x), -(n * PIECES[1]));
    let (a, e2) = sum(a, -(n * PIECES[2]));
    let e = fma::<FMA>(n, -PIECES[3], e1 + e2);
    let r = a + e;
    let low = (a - r) + e;
    let z = r * r;
    let half = 0.5 * z;
    let w = 1.0 - half;
    let sin = r + fma::<FMA>(r * z, poly::<FMA, 6>(z, &SIN), low * w);
    let cos = fma::<FMA>(z * z, poly::<FMA, 6>(z, &COS), -(r * low));
    let cos = w + (((1.0 - w) - half) + cos);
    quarter(t.to_bits().wrapping_add(ahead), sin, cos)
}

#[inline(always)]
pub(super) fn sin<const FMA: bool>(x: f64) -> f64 {
    let y = turned::<FMA>(x, 0);
    // For the sign of 0.
    if x.abs() < f64::EPSILON { x } else { y }
}

#[inline(always)]
pub(super) fn cos<const FMA: bool>(x: f64) -> f64 {
    turned::<FMA>(x, 1)
}

#[inline(always)]
fn turned_short<const FMA: bool>(x: f64, ahead: u64) -> f64 {
    let t = fma::<FMA>(x, FRAC_2_PI, MAGIC);
    let n = t - MAGIC;
    let r = fma::<FMA>(n, -REST, fma::<FMA>(n, -PIECES[0], x));
    let z = r * r;
    let sin = r * fma::<FMA>(z, poly::<FMA, 3>(z, &SIN_SHORT), 1.0);
    let cos = fma::<FMA>(z * z, poly::<FMA, 3>(z, &COS_SHORT), fma::<FMA>(z, -0.5, 1.0));
    quarter(t.to_bits().wrapping_add(ahead), sin, cos)
}

#[inline(always)]
pub(super) fn sin_short<const FMA: bool>(x: f64) -> f64 {
    turned_short::<FMA>(x, 0)
}

#[inline(always)]
pub(super) fn cos_short<const FMA: bool>(x: f64) -> f64 {
    turned_short::<FMA>(x, 1)
}
