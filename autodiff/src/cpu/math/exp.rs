//! eˣ and eˣ − 1: x = n·ln 2 + r with |r| ≤ ½ ln 2, a polynomial in r, and 2ⁿ.

use super::arith::{MAGIC, TINY, at_least, at_most, fma, ordered_sum, poly, power_of_two};
use std::f64::consts::{LN_2, LOG2_E};

/// ln 2 to 41 bits, so that its product with an exponent is exact, and the rest.
pub(super) const LN_2_HIGH: f64 = 0.693147180559663;
pub(super) const LN_2_LOW: f64 = 2.8235290563031577e-13;

/// (eʳ − 1 − r − r²/2)/r³ on ±0.35; eʳ − 1 is within 2⁻⁵⁸·⁹ of itself.
const CUBIC: [f64; 10] = [
    0.16666666666666674,
    0.04166666666666667,
    0.008333333333321358,
    0.0013888888888880337,
    0.0001984126988918061,
    2.480158733580231e-05,
    2.7557239418789793e-06,
    2.75572622306966e-07,
    2.5111144354576633e-08,
    2.091891971123852e-09,
];

/// (eʳ − 1 − r)/r² on ±0.35; eʳ is within 2⁻²⁸·² of itself.
const SQUARE_EXP: [f64; 5] = [
    0.49999993048108726,
    0.1666651477846491,
    0.04166845627445388,
    0.008369420078141789,
    0.001381320607530452,
];

/// (eʳ − 1 − r)/r² on ±0.35; eʳ − 1 is within 2⁻³¹·⁷ of itself.
const SQUARE_EXPM1: [f64; 6] = [
    0.500000005637791,
    0.1666666691700772,
    0.04166631296481697,
    0.008333215295167494,
    0.0013944318588948563,
    0.00019964695928758558,
];

/// eˣ = 2ⁿ·(1 + r + tail).
pub(super) struct Reduced {
    /// n, and a number with n in its low bits.
    pub(super) n: f64,
    pub(super) bits: u64,
    pub(super) r: f64,
    pub(super) tail: f64,
}

/// For |x| < 1000.
#[inline(always)]
pub(super) fn reduce<const FMA: bool>(x: f64) -> Reduced {
    let t = fma::<FMA>(x, LOG2_E, MAGIC);
    let n = t - MAGIC;
    let a = fma::<FMA>(n, -LN_2_HIGH, x);
    let b = n * LN_2_LOW;
    let r = a - b;
    let c = (a - r) - b;
    let square = fma::<FMA>(r, poly::<FMA, 10>(r, &CUBIC), 0.5);
    let tail = fma::<FMA>(r * r, square, fma::<FMA>(c, r, c));
    Reduced { n, bits: t.to_bits(), r, tail }
}

impl Reduced {
    /// 2ⁿ in two factors: alone it may overflow or be subnormal.
    #[inline(always)]
    pub(super) fn scales(&self) -> (f64, f64) {
        let half = (self.n * 0.5 + MAGIC).to_bits();
        (power_of_two(half), power_of_two(self.bits.wrapping_sub(half)))
    }
}

#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f64) -> f64 {
    // Beyond, the result is infinite or 0.
    let e = reduce::<FMA>(at_least(at_most(x, 710.0), -746.0));
    let (a, b) = e.scales();
    (1.0 + (e.r + e.tail)) * a * b
}

#[inline(always)]
pub(super) fn expm1<const FMA: bool>(x: f64) -> f64 {
    let e = reduce::<FMA>(at_least(at_most(x, 710.0), -40.0));
    // Half of everything, for 2¹⁰²⁴ is not a number.
    let scale = power_of_two(e.bits.wrapping_sub(1));
    let (high, low) = ordered_sum(scale - 0.5, scale * e.r);
    let y = 2.0 * (high + fma::<FMA>(scale, e.tail, low));
    if x.abs() < TINY { x } else { y }
}

/// r and 2ⁿ for f32.
#[inline(always)]
fn reduce_short<const FMA: bool>(x: f64) -> (f64, f64) {
    let t = fma::<FMA>(x, LOG2_E, MAGIC);
    (fma::<FMA>(t - MAGIC, -LN_2, x), power_of_two(t.to_bits()))
}

#[inline(always)]
pub(super) fn exp_short<const FMA: bool>(x: f64) -> f64 {
    let (r, scale) = reduce_short::<FMA>(at_least(at_most(x, 106.0), -106.0));
    let p = fma::<FMA>(r * r, poly::<FMA, 5>(r, &SQUARE_EXP), r);
    fma::<FMA>(scale, p, scale)
}

#[inline(always)]
pub(super) fn expm1_short<const FMA: bool>(x: f64) -> f64 {
    let (r, scale) = reduce_short::<FMA>(at_least(at_most(x, 106.0), -20.0));
    let p = fma::<FMA>(r * r, poly::<FMA, 6>(r, &SQUARE_EXPM1), r);
    fma::<FMA>(scale, p, scale - 1.0).copysign(x)
}
