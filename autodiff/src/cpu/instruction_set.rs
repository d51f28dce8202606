//! What the processor can do, found out once, and which kernels run.

/// Instruction sets that kernels are compiled for.
///
/// ```
/// use burlap_autodiff::{Cpu, InstructionSet};
/// let best = InstructionSet::best();
/// assert!(InstructionSet::available().contains(&best));
/// // What every processor of this kind computes, to the bit.
/// let cpu = Cpu::new().with_instructions(InstructionSet::Base)?;
/// assert!(cpu.threads() >= 1);
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// What every processor of the target has: SSE2, or NEON.
    Base,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// AVX-512 (F, DQ, VL, BW).
    Avx512,
}

impl InstructionSet {
    /// All that this processor has, the best last.
    pub fn available() -> &'static [InstructionSet] {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw");
            if avx512 {
                return &[InstructionSet::Base, InstructionSet::Avx2, InstructionSet::Avx512];
            }
            if avx2 {
                return &[InstructionSet::Base, InstructionSet::Avx2];
            }
        }
        &[InstructionSet::Base]
    }

    /// The best that this processor has.
    pub fn best() -> InstructionSet {
        InstructionSet::available().last().copied().unwrap_or(InstructionSet::Base)
    }
}

/// Who computes matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProductKernel {
    /// burlap's own kernels for AVX-512, AVX2, SSE2 and NEON.
    #[default]
    Burlap,
    /// The crate matrixmultiply.
    MatrixMultiply,
}

/// Which kernels run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernels {
    pub(super) products: ProductKernel,
    pub(super) set: InstructionSet,
}

impl Kernels {
    pub(super) fn best() -> Kernels {
        Kernels { products: ProductKernel::default(), set: InstructionSet::best() }
    }
}
