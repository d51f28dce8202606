//! The arithmetic beneath: fused or not, exact sums and products, rounding, powers of two.

/// Adding it rounds to an integer and leaves that in the low bits: 1.5·2⁵².
pub(super) const MAGIC: f64 = 6_755_399_441_055_744.0;

/// 2⁻⁵⁴: an odd function with slope 1 at 0 is the identity below.
pub(super) const TINY: f64 = f64::EPSILON / 4.0;

/// a·b + c.
#[inline(always)]
pub(super) fn fma<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// c₀ + c₁x + c₂x² + …, even and odd terms apart: half the latency of one chain.
#[inline(always)]
pub(super) fn poly<const FMA: bool, const N: usize>(x: f64, c: &[f64; N]) -> f64 {
    let z = x * x;
    let chain = |top: usize| {
        let (mut i, mut sum) = (top, c[top]);
        while i >= 2 {
            i -= 2;
            sum = fma::<FMA>(sum, z, c[i]);
        }
        sum
    };
    fma::<FMA>(chain((N - 2) | 1), x, chain((N - 1) & !1))
}

/// a + b and its rounding error.
#[inline(always)]
pub(super) fn sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// As [`sum`], where a is 0 or |a| ≥ |b|.
#[inline(always)]
pub(super) fn ordered_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    (s, b - (s - a))
}

/// a·b and its rounding error, for factors below 2⁹⁹⁶.
#[inline(always)]
pub(super) fn product<const FMA: bool>(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    if FMA {
        (p, a.mul_add(b, -p))
    } else {
        let (ah, al) = halves(a);
        let (bh, bl) = halves(b);
        (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
    }
}

/// Two summands of 26 bits.
#[inline(always)]
fn halves(a: f64) -> (f64, f64) {
    let t = a * 134_217_729.0; // 2²⁷ + 1
    let high = t - (t - a);
    (high, a - high)
}

/// (n + nl) / (d + dl) as a quotient and its correction. Without fused operations the
/// remainder of the quotient is left out: it costs more than the half unit it saves.
#[inline(always)]
pub(super) fn quotient<const FMA: bool>(n: f64, nl: f64, d: f64, dl: f64) -> (f64, f64) {
    let inverse = 1.0 / d;
    if FMA {
        let q = n * inverse;
        (q, (q.mul_add(-d, n) + q.mul_add(-dl, nl)) * inverse)
    } else {
        let q = n / d;
        (q, (nl - q * dl) * inverse)
    }
}

/// 2ⁿ for an n in the low bits, −1023 < n < 1024.
#[inline(always)]
pub(super) fn power_of_two(n: u64) -> f64 {
    f64::from_bits((n << 52).wrapping_add(1.0f64.to_bits()))
}

/// The lesser of x and a bound; NaN for NaN.
#[inline(always)]
pub(super) fn at_most(x: f64, bound: f64) -> f64 {
    if x > bound { bound } else { x }
}

/// The greater of x and a bound; NaN for NaN.
#[inline(always)]
pub(super) fn at_least(x: f64, bound: f64) -> f64 {
    if x < bound { bound } else { x }
}

/// The largest integer not above x, where there is no instruction for it.
#[inline(always)]
pub(super) fn floor<const FMA: bool>(x: f64) -> f64 {
    const INTEGERS: f64 = 4_503_599_627_370_496.0; // 2⁵²: no fractions from here on
    let near = ((x.abs() + INTEGERS) - INTEGERS).copysign(x);
    let below = (near - if near > x { 1.0 } else { 0.0 }).copysign(x);
    if x.abs() < INTEGERS { below } else { x }
}
