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
}

macro_rules! lanes {
    ($arch:ident, $V:ty, $T:ty, $n:literal, $splat:ident, $load:ident, $store:ident, $add:ident,
        |$s:ident, $a:ident, $b:ident| $fma:expr) => {
        impl Lanes for $V {
            type T = $T;
            const N: usize = $n;
            #[inline(always)]
            unsafe fn splat(x: $T) -> Self {
                // SAFETY: the caller's, here and below.
                unsafe { $arch::$splat(x) }
            }
            #[inline(always)]
            unsafe fn load(at: *const $T) -> Self {
                unsafe { $arch::$load(at) }
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut $T) {
                unsafe { $arch::$store(at, self) }
            }
            #[inline(always)]
            unsafe fn plus_product(self, $a: Self, $b: Self) -> Self {
                let $s = self;
                unsafe { $fma }
            }
            #[inline(always)]
            unsafe fn plus(self, b: Self) -> Self {
                unsafe { $arch::$add(self, b) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::{self, *};

    lanes!(x86_64, __m128, f32, 4, _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, _mm_add_ps,
        |s, a, b| _mm_add_ps(s, _mm_mul_ps(a, b)));
    lanes!(x86_64, __m128d, f64, 2, _mm_set1_pd, _mm_loadu_pd, _mm_storeu_pd, _mm_add_pd,
        |s, a, b| _mm_add_pd(s, _mm_mul_pd(a, b)));
    lanes!(x86_64, __m256, f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps,
        |s, a, b| _mm256_fmadd_ps(a, b, s));
    lanes!(x86_64, __m256d, f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd,
        |s, a, b| _mm256_fmadd_pd(a, b, s));
    lanes!(x86_64, __m512, f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps,
        |s, a, b| _mm512_fmadd_ps(a, b, s));
    lanes!(x86_64, __m512d, f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd,
        |s, a, b| _mm512_fmadd_pd(a, b, s));
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Lanes;
    use std::arch::aarch64::{self, *};

    lanes!(aarch64, float32x4_t, f32, 4, vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32,
        |s, a, b| vfmaq_f32(s, a, b));
    lanes!(aarch64, float64x2_t, f64, 2, vdupq_n_f64, vld1q_f64, vst1q_f64, vaddq_f64,
        |s, a, b| vfmaq_f64(s, a, b));
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
                    // SAFETY: the caller's, here and below.
                    unsafe { at.cast::<Self>().read_unaligned() }
                }
                #[inline(always)]
                unsafe fn store(self, at: *mut $T) {
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
