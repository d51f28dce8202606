//! What the processor can do, found out once.

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// What every processor of the target has: SSE2, or NEON.
    Base,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// AVX-512 (F, DQ, VL, BW).
    Avx512,
}

impl Level {
    /// All that this processor has, the best last.
    pub(super) fn available() -> &'static [Level] {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw");
            if avx512 {
                return &[Level::Base, Level::Avx2, Level::Avx512];
            }
            if avx2 {
                return &[Level::Base, Level::Avx2];
            }
        }
        &[Level::Base]
    }

    /// The best that this processor has.
    pub(super) fn best() -> Level {
        Level::available().last().copied().unwrap_or(Level::Base)
    }
}
