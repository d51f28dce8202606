//! The arithmetic beneath: fused or not, exact sums and products, rounding, powers of two.

/// Adding it rounds to an integer and leaves that in the low bits: 1.5·2⁵².
pub(super) const MAGIC: f64 = 6_755_399_441_055_744.0;

/// 2⁻⁵⁴: an odd function with slope 1 at 0 is the identity below.
pub(super) const TINY: f64 = f64::EPSILON / 4.0;

macro_rules! arithmetic {
    ($t:ident, $bits:ident) => {
        /// a·b + c.
        #[inline(always)]
        pub(in crate::cpu::math) fn fma<const FMA: bool>(a: $t, b: $t, c: $t) -> $t {
            if FMA { a.mul_add(b, c) } else { a * b + c }
        }

        /// c₀ + c₁x + c₂x² + …, by pairs, pairs of pairs and so on: one long chain would wait.
        #[inline(always)]
        pub(in crate::cpu::math) fn poly<const FMA: bool, const N: usize>(
            x: $t,
            c: &[$t; N],
        ) -> $t {
            let (mut t, mut n, mut x) = (*c, N, x);
            while n > 1 {
                let half = n / 2;
                let mut i = 0;
                while i < half {
                    t[i] = fma::<FMA>(t[2 * i + 1], x, t[2 * i]);
                    i += 1;
                }
                if n % 2 == 1 {
                    t[half] = t[n - 1];
                }
                n = half + n % 2;
                x = x * x;
            }
            t[0]
        }

        /// a + b and its rounding error.
        #[inline(always)]
        pub(in crate::cpu::math) fn sum(a: $t, b: $t) -> ($t, $t) {
            let s = a + b;
            let t = s - a;
            (s, (a - (s - t)) + (b - t))
        }

        /// a + b and its rounding error, where a is 0 or |a| ≥ |b|.
        #[inline(always)]
        pub(in crate::cpu::math) fn ordered_sum(a: $t, b: $t) -> ($t, $t) {
            let s = a + b;
            (s, b - (s - a))
        }

        /// (n + nl) / (d + dl) as a quotient and its correction. Without fused operations the
        /// remainder of the quotient is left out: it costs more than the half unit it saves.
        #[inline(always)]
        pub(in crate::cpu::math) fn quotient<const FMA: bool>(
            n: $t,
            nl: $t,
            d: $t,
            dl: $t,
        ) -> ($t, $t) {
            let inverse = 1.0 / d;
            if FMA {
                let q = n * inverse;
                (q, (q.mul_add(-d, n) + q.mul_add(-dl, nl)) * inverse)
            } else {
                let q = n / d;
                (q, (nl - q * dl) * inverse)
            }
        }

        /// 1 − v·(a + b), which is near 0.
        #[inline(always)]
        pub(in crate::cpu::math) fn residue<const FMA: bool>(v: $t, a: $t, b: $t) -> $t {
            if FMA {
                v.mul_add(-a, v.mul_add(-b, 1.0))
            } else {
                let (d, e) = sum(a, b);
                let (high, low) = product::<false>(v, d);
                ((1.0 - high) - low) - v * e
            }
        }

        /// The lesser of x and a bound; NaN for NaN.
        #[inline(always)]
        pub(in crate::cpu::math) fn at_most(x: $t, bound: $t) -> $t {
            if x > bound { bound } else { x }
        }

        /// The greater of x and a bound; NaN for NaN.
        #[inline(always)]
        pub(in crate::cpu::math) fn at_least(x: $t, bound: $t) -> $t {
            if x < bound { bound } else { x }
        }

        /// 2ⁿ for an n in the low bits, where that is a normal number.
        #[inline(always)]
        pub(in crate::cpu::math) fn power_of_two(n: $bits) -> $t {
            const ONE: $t = 1.0;
            $t::from_bits((n << ($t::MANTISSA_DIGITS - 1)).wrapping_add(ONE.to_bits()))
        }
    };
}

arithmetic!(f64, u64);

/// The same for f32.
pub(super) mod single {
    /// 1.5·2²³.
    pub(in crate::cpu::math) const MAGIC: f32 = 12_582_912.0;

    arithmetic!(f32, u32);

    /// a·b and its rounding error.
    #[inline(always)]
    pub(in crate::cpu::math) fn product<const FMA: bool>(a: f32, b: f32) -> (f32, f32) {
        let p = a * b;
        let error = if FMA {
            a.mul_add(b, -p)
        } else {
            (f64::from(a) * f64::from(b) - f64::from(p)) as f32
        };
        (p, error)
    }
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

/// The largest integer not above x, where there is no instruction for it.
#[inline(always)]
pub(super) fn floor<const FMA: bool>(x: f64) -> f64 {
    const INTEGERS: f64 = 4_503_599_627_370_496.0; // 2⁵²: no fractions from here on
    let near = ((x.abs() + INTEGERS) - INTEGERS).copysign(x);
    let below = (near - if near > x { 1.0 } else { 0.0 }).copysign(x);
    if x.abs() < INTEGERS { below } else { x }
}
