//! Special functions of one double, and functions that keep their digits where the obvious formula
//! loses them. F32 takes them in double precision and rounds once.

use super::Real;
use crate::Element;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2};

/// 1/√2 beyond the digits of f64.
const FRAC_1_SQRT_2_LOW: f64 = -4.833646656726457e-17;

/// 1/√(2π).
const FRAC_1_SQRT_2PI: f64 = 0.3989422804014327;

/// A function of doubles, rounded to the type.
#[inline(always)]
pub(crate) fn double<T: Real>(x: T, f: impl Fn(f64) -> f64) -> T {
    T::from_f64(f(Element::to_f64(x)))
}

/// 1/√(1 + x²), by 1/x where x is beyond 1.
#[inline(always)]
pub(crate) fn cos_atan<T: Real>(x: T) -> T {
    let far = x.abs() > T::one();
    let r = if far { x.abs().recip() } else { x.abs() };
    let c = (T::one() + r * r).sqrt().recip();
    if far { r * c } else { c }
}

/// 1/√(1 − x²).
#[inline(always)]
pub(crate) fn sec_asin<T: Real>(x: T) -> T {
    ((T::one() - x) * (T::one() + x)).sqrt().recip()
}

/// log cosh x = ½ log(1 + sinh² x) = |x| + log(1 + e^(−2|x|)) − log 2.
pub(crate) fn log_cosh(x: f64) -> f64 {
    let a = x.abs();
    if a < 1.0 { 0.5 * a.sinh().powi(2).ln_1p() } else { a + ((-2.0 * a).exp().ln_1p() - LN_2) }
}

/// log(eᵃ + eᵇ) = max + log(1 + e^(−|a − b|)).
pub(crate) fn log_add_exp(a: f64, b: f64) -> f64 {
    // Equal infinities have no difference.
    if a == b { a + LN_2 } else { a.max(b) + (-(a - b).abs()).exp().ln_1p() }
}

/// e^(−s·x²), where x² is a sum of two numbers; from `zero` on it is 0.
fn decay(x: f64, s: f64, zero: f64) -> f64 {
    if x.abs() > zero {
        return 0.0;
    }
    let square = x * x;
    let low = x.mul_add(x, -square);
    let e = (-s * square).exp();
    e - e * (s * low)
}

/// e^(−x²).
pub(crate) fn gaussian(x: f64) -> f64 {
    decay(x, 1.0, 28.0)
}

/// e^(−x²/2)/√(2π).
pub(crate) fn normal_pdf(x: f64) -> f64 {
    FRAC_1_SQRT_2PI * decay(x, 0.5, 40.0)
}

/// Φ(x) = ½ erfc(−x/√2): where that is small, the rounding of −x/√2 counts x² times, so its
/// remainder enters by the derivative.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    if x.abs() > 40.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let z = -x * FRAC_1_SQRT_2;
    let low = (-x).mul_add(FRAC_1_SQRT_2, -z) - x * FRAC_1_SQRT_2_LOW;
    0.5 * (libm::erfc(z) - FRAC_2_SQRT_PI * low * gaussian(z))
}
