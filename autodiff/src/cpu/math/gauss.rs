//! e^(−x²) and the density and distribution function of a standard normal number: with the square
//! in two words, since its rounding counts x² times in the exponential.
//!
//! Φ(−z) = e^(−z²/2) · q/(z + 1.25) for z ≥ 0, where q is a polynomial in s = 0.8 − 12/(z + 6), or in
//! 0.8 − 8/(z + 4) for f32, between 0.39 and 0.63: after Shepherd and Laframboise, Mathematics of
//! Computation 36 (1981), page 249.

use super::arith::{at_most, fma, ordered_sum, poly, product, residue};
use super::exp::reduce;

/// q at s = 0, and (q − that)/s, for 0 ≤ z ≤ 39: q is within 2⁻⁵⁵·⁷ of itself.
const TAIL_AT_0: f64 = 0.4489375859263846;
const TAIL: [f64; 22] = [
    -0.09227459824418775,
    0.05170480369852191,
    -0.02275009284337414,
    0.0053738682468191835,
    0.0027731731237377426,
    -0.004974966507093554,
    0.004248750600930924,
    -0.002681867743930448,
    0.0013363669590099611,
    -0.0005168159949733811,
    0.00013844297494583745,
    -1.2615507046236588e-05,
    -9.550576565558892e-06,
    5.274389553675493e-06,
    -7.879708674660994e-07,
    -3.9960894417187876e-07,
    2.310275154572169e-07,
    -1.696985116579853e-08,
    -3.6178926250164695e-08,
    1.209798093835509e-08,
    9.789084104995449e-09,
    1.5319904465334312e-09,
];

/// 1/√(2π).
const FRAC_1_SQRT_2PI: f64 = 0.3989422804014327;

macro_rules! gauss {
    ($t:ty; zero at $gaussian:literal, $density:literal, $distribution:literal;
        $n:literal terms in 0.8 - $twice:literal / (z + $shift:literal);
        |$d:ident, $e:ident| $reciprocals:expr) => {
        #[inline(always)]
        pub(in crate::cpu::math) fn gaussian<const FMA: bool>(x: $t) -> $t {
            let z = at_most(x.abs(), $gaussian);
            let (square, low) = product::<FMA>(z, z);
            let ((a, b), excess) = decay::<FMA>(square, low);
            (1.0 + excess) * a * b
        }

        #[inline(always)]
        pub(in crate::cpu::math) fn normal_pdf<const FMA: bool>(x: $t) -> $t {
            let z = at_most(x.abs(), $density);
            let (square, low) = product::<FMA>(z, z);
            let ((a, b), excess) = decay::<FMA>(0.5 * square, 0.5 * low);
            fma::<FMA>(FRAC_1_SQRT_2PI, excess, FRAC_1_SQRT_2PI) * a * b
        }

        #[inline(always)]
        pub(in crate::cpu::math) fn normal_cdf<const FMA: bool>(x: $t) -> $t {
            let z = at_most(x.abs(), $distribution);
            let (square, low) = product::<FMA>(z, z);
            let ((a, b), excess) = decay::<FMA>(0.5 * square, 0.5 * low);
            let ($d, $e) = (z + 1.25, z + $shift);
            let (v, u) = $reciprocals;
            let s = fma::<FMA>(-$twice, u, 0.8);
            let slope = poly::<FMA, $n>(s, &TAIL);
            let (q, rest) = ordered_sum(TAIL_AT_0, s * slope);
            // Fused operations have digits to spare.
            let rest = if FMA { rest } else { rest + product::<FMA>(s, slope).1 };
            // q·v, with what the roundings of q, of v and of the product have left of q/(z + 1.25).
            let (y, error) = product::<FMA>(q, v);
            let rest = fma::<FMA>(y, residue::<FMA>(v, z, 1.25), fma::<FMA>(rest, v, error));
            let below = (y + fma::<FMA>(y, excess, fma::<FMA>(rest, excess, rest))) * a * b;
            if x > 0.0 { 1.0 - below } else { below }
        }
    };
}

/// e^(−a − b) = 2ⁿ (1 + excess) for 0 ≤ a < 1000 and b far below 1: 2ⁿ in two factors, and the excess.
#[inline(always)]
fn decay<const FMA: bool>(a: f64, b: f64) -> ((f64, f64), f64) {
    let e = reduce::<FMA>(-a);
    let excess = e.r + e.tail;
    (e.scales(), excess + fma::<FMA>(-b, excess, -b))
}

gauss!(f64; zero at 28.0, 40.0, 39.0; 22 terms in 0.8 - 12.0 / (z + 6.0);
    |d, e| {
        let inverse = 1.0 / (d * e);
        (inverse * e, inverse * d)
    }
);

/// The same in f32 lanes.
pub(super) mod single {
    use crate::cpu::math::arith::single::{at_most, fma, ordered_sum, poly, product, residue};
    use crate::cpu::math::single::{SQUARE_EXP, reduce, scales};

    /// q at s = 0, and (q − that)/s, for 0 ≤ z ≤ 14.5: q is within 2⁻²⁸·³ of itself.
    const TAIL_AT_0: f32 = 0.46965003;
    const TAIL: [f32; 10] = [
        -0.120650575,
        0.046771258,
        -0.0033624913,
        -0.011561807,
        0.010116374,
        -0.0044222823,
        0.00071394735,
        0.00037422578,
        -0.00022411296,
        -7.215856e-05,
    ];

    /// 1/√(2π).
    const FRAC_1_SQRT_2PI: f32 = 0.3989423;

    /// As for f64, for 0 ≤ a < 120.
    #[inline(always)]
    fn decay<const FMA: bool>(a: f32, b: f32) -> ((f32, f32), f32) {
        let (n, r, c) = reduce::<FMA>(-a);
        let excess = r + fma::<FMA>(r * r, poly::<FMA, 5>(r, &SQUARE_EXP), c);
        (scales(n), excess + fma::<FMA>(-b, excess, -b))
    }

    // Two divisions: here they are as quick as three products, and nearer.
    gauss!(f32; zero at 10.5, 15.0, 14.5; 10 terms in 0.8 - 8.0 / (z + 4.0);
        |d, e| (1.0 / d, 1.0 / e)
    );
}
