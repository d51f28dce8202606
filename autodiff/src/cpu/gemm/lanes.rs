//! Vectors of lanes: the few instructions that the inner kernels are made of.

/// A vector register of some instruction set.
///
/// # Safety
/// All methods need a processor with that instruction set.
pub(super) trait Lanes: Copy {
    /// The element type.
    type T: num_traits::Float + std::ops::AddAssign + Send + Sync + 'static;
    /// The number of lanes.
    const N: usize;
    unsafe fn splat(x: Self::T) -> Self;
    /// `N` elements from `at` on, of any alignment.
    unsafe fn load(at: *const Self::T) -> Self;
    unsafe fn store(self, at: *mut Self::T);
    /// a · b + self, rounded once where the instruction set can.
    unsafe fn plus_product(self, a: Self, b: Self) -> Self;
    unsafe fn plus(self, b: Self) -> Self;
    /// Asks for the line at an address, which need not be valid.
    #[inline(always)]
    unsafe fn fetch(at: *const Self::T) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint; it touches nothing.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
    /// The side of the squares that `transpose` takes.
    const SIDE: usize = 8;
    /// Writes the transpose of a square: rows of the source, `from_rows` apart, become
    /// columns; the result's rows are `to_rows` apart.
    ///
    /// # Safety
    /// `from` has `SIDE` rows and columns, `to` room for them.
    #[inline(always)]
    unsafe fn transpose(from: *const Self::T, from_rows: isize, to: *mut Self::T, to_rows: usize) {
        for i in 0..Self::SIDE {
            for j in 0..Self::SIDE {
                // SAFETY: the caller's.
                unsafe {
                    *to.add(j * to_rows + i) = *from.offset(i as isize * from_rows + j as isize);
                }
            }
        }
    }
}

macro_rules! lanes {
    ($arch:ident, $V:ty, $T:ty, $n:literal, $splat:ident, $load:ident, $store:ident, $add:ident,
        |$s:ident, $a:ident, $b:ident| $fma:expr $(, $side:literal $transpose:ident)?) => {
        impl Lanes for $V {
            type T = $T;
            const N: usize = $n;
            #[inline(always)]
            unsafe fn splat(x: $T) -> Self {
                // SAFETY: the caller's.
                unsafe { $arch::$splat(x) }
            }
            #[inline(always)]
            unsafe fn load(at: *const $T) -> Self {
                // SAFETY: the caller's.
                unsafe { $arch::$load(at) }
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut $T) {
                // SAFETY: the caller's.
                unsafe { $arch::$store(at, self) }
            }
            #[inline(always)]
            unsafe fn plus_product(self, $a: Self, $b: Self) -> Self {
                let $s = self;
                // SAFETY: the caller's.
                unsafe { $fma }
            }
            #[inline(always)]
            unsafe fn plus(self, b: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $arch::$add(self, b) }
            }
            $(
            const SIDE: usize = $side;
            #[inline(always)]
            unsafe fn transpose(from: *const $T, from_rows: isize, to: *mut $T, to_rows: usize) {
                // SAFETY: the caller's.
                unsafe { $transpose(from, from_rows, to, to_rows) }
            }
            )?
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::{self, *};

    lanes!(
        x86_64,
        __m128,
        f32,
        4,
        _mm_set1_ps,
        _mm_loadu_ps,
        _mm_storeu_ps,
        _mm_add_ps,
        |s, a, b| _mm_add_ps(s, _mm_mul_ps(a, b))
    );
    lanes!(
        x86_64,
        __m128d,
        f64,
        2,
        _mm_set1_pd,
        _mm_loadu_pd,
        _mm_storeu_pd,
        _mm_add_pd,
        |s, a, b| _mm_add_pd(s, _mm_mul_pd(a, b))
    );
    lanes!(x86_64, __m256, f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps,
        |s, a, b| _mm256_fmadd_ps(a, b, s), 8 transpose_ps);
    lanes!(x86_64, __m256d, f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd,
        |s, a, b| _mm256_fmadd_pd(a, b, s), 4 transpose_pd);
    lanes!(x86_64, __m512, f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps,
        |s, a, b| _mm512_fmadd_ps(a, b, s), 8 transpose_ps);
    lanes!(x86_64, __m512d, f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd,
        |s, a, b| _mm512_fmadd_pd(a, b, s), 4 transpose_pd);

    /// # Safety
    /// As [`Lanes::transpose`].
    #[inline(always)]
    unsafe fn transpose_ps(from: *const f32, from_rows: isize, to: *mut f32, to_rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            let row = |i: isize| _mm256_loadu_ps(from.offset(i * from_rows));
            // Pairs of rows interleaved, then pairs of pairs, then halves exchanged.
            let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
            let (r4, r5, r6, r7) = (row(4), row(5), row(6), row(7));
            let (a0, a1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
            let (a2, a3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
            let (a4, a5) = (_mm256_unpacklo_ps(r4, r5), _mm256_unpackhi_ps(r4, r5));
            let (a6, a7) = (_mm256_unpacklo_ps(r6, r7), _mm256_unpackhi_ps(r6, r7));
            let (b0, b1) = (_mm256_shuffle_ps(a0, a2, 0x44), _mm256_shuffle_ps(a0, a2, 0xEE));
            let (b2, b3) = (_mm256_shuffle_ps(a1, a3, 0x44), _mm256_shuffle_ps(a1, a3, 0xEE));
            let (b4, b5) = (_mm256_shuffle_ps(a4, a6, 0x44), _mm256_shuffle_ps(a4, a6, 0xEE));
            let (b6, b7) = (_mm256_shuffle_ps(a5, a7, 0x44), _mm256_shuffle_ps(a5, a7, 0xEE));
            let low = [(b0, b4), (b1, b5), (b2, b6), (b3, b7)];
            for (j, (a, b)) in low.into_iter().enumerate() {
                _mm256_storeu_ps(to.add(j * to_rows), _mm256_permute2f128_ps(a, b, 0x20));
                _mm256_storeu_ps(to.add((j + 4) * to_rows), _mm256_permute2f128_ps(a, b, 0x31));
            }
        }
    }

    /// # Safety
    /// As [`Lanes::transpose`].
    #[inline(always)]
    unsafe fn transpose_pd(from: *const f64, from_rows: isize, to: *mut f64, to_rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            let row = |i: isize| _mm256_loadu_pd(from.offset(i * from_rows));
            let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
            let (a0, a1) = (_mm256_unpacklo_pd(r0, r1), _mm256_unpackhi_pd(r0, r1));
            let (a2, a3) = (_mm256_unpacklo_pd(r2, r3), _mm256_unpackhi_pd(r2, r3));
            for (j, (a, b)) in [(a0, a2), (a1, a3)].into_iter().enumerate() {
                _mm256_storeu_pd(to.add(j * to_rows), _mm256_permute2f128_pd(a, b, 0x20));
                _mm256_storeu_pd(to.add((j + 2) * to_rows), _mm256_permute2f128_pd(a, b, 0x31));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Lanes;
    use std::arch::aarch64::{self, *};

    lanes!(
        aarch64,
        float32x4_t,
        f32,
        4,
        vdupq_n_f32,
        vld1q_f32,
        vst1q_f32,
        vaddq_f32,
        |s, a, b| vfmaq_f32(s, a, b)
    );
    lanes!(
        aarch64,
        float64x2_t,
        f64,
        2,
        vdupq_n_f64,
        vld1q_f64,
        vst1q_f64,
        vaddq_f64,
        |s, a, b| vfmaq_f64(s, a, b)
    );
}

/// Lanes for processors without vectors that we know.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod plain {
    use super::Lanes;

    macro_rules! plain {
        ($T:ty) => {
            impl Lanes for [$T; 4] {
                type T = $T;
                const N: usize = 4;
                #[inline(always)]
                unsafe fn splat(x: $T) -> Self {
                    [x; 4]
                }
                #[inline(always)]
                unsafe fn load(at: *const $T) -> Self {
                    // SAFETY: the caller's.
                    unsafe { at.cast::<Self>().read_unaligned() }
                }
                #[inline(always)]
                unsafe fn store(self, at: *mut $T) {
                    // SAFETY: the caller's.
                    unsafe { at.cast::<Self>().write_unaligned(self) }
                }
                #[inline(always)]
                unsafe fn plus_product(self, a: Self, b: Self) -> Self {
                    std::array::from_fn(|i| self[i] + a[i] * b[i])
                }
                #[inline(always)]
                unsafe fn plus(self, b: Self) -> Self {
                    std::array::from_fn(|i| self[i] + b[i])
                }
            }
        };
    }
    plain!(f32);
    plain!(f64);
}
