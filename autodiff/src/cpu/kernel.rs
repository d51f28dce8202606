//! Kernels made ready for this machine, and what they cost.

use super::instruction_set::InstructionSet;
use super::map::MapKernel;
use super::{Kernels, Memory, index, product, random};
use crate::DType;
use crate::error::Result;
use crate::graph::{Binary, Distribution, Unary};
use crate::plan::{Instruction, Kernel, Plan, Scalar, Work};

pub(super) enum Ready {
    Map(Box<MapKernel>),
    Work(Box<Kernel>),
}

impl Ready {
    /// `scratch` counts the words of memory for partial results that were given away.
    pub(super) fn new(
        kernel: &Kernel,
        plan: &Plan,
        set: InstructionSet,
        scratch: &mut usize,
    ) -> Ready {
        match &kernel.work {
            Work::Map(map) => {
                Ready::Map(Box::new(MapKernel::new(map, &plan.buffers, set, scratch)))
            }
            _ => Ready::Work(Box::new(kernel.clone())),
        }
    }

    /// Into how many parts it can be divided at most.
    pub(super) fn most_parts(&self) -> usize {
        match self {
            Ready::Map(map) => map.most_parts(),
            Ready::Work(kernel) => match &kernel.work {
                Work::Product(p) => product::most_parts(p),
                Work::Random { count, .. } => count.div_ceil(random::GRAIN),
                _ => 1,
            },
        }
    }

    /// One of some parts.
    ///
    /// # Safety
    /// The memory is that of a run of this kernel's plan; nobody else writes what this part reads
    /// or touches what it writes.
    pub(super) unsafe fn part(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        parts: usize,
    ) -> Result<()> {
        // SAFETY: the caller's, for all of these.
        unsafe {
            match self {
                Ready::Map(map) => map.part(memory, part, parts),
                Ready::Work(kernel) => match &kernel.work {
                    Work::Product(p) => product::part(p, kernels, memory.bases, part, parts),
                    Work::Random { .. } => {
                        random::part(&kernel.work, kernels, memory.bases, part, parts)
                    }
                    _ => return index::run(kernel, memory.bases, None),
                },
            }
        }
        Ok(())
    }

    /// Rows `first..last` of `rows`.
    ///
    /// # Safety
    /// As [`Ready::part`].
    pub(super) unsafe fn rows(
        &self,
        memory: &Memory,
        kernels: Kernels,
        (first, last): (usize, usize),
        rows: usize,
    ) -> Result<()> {
        // SAFETY: the caller's, for all of these.
        unsafe {
            match self {
                Ready::Map(map) => map.rows(memory, first, last, rows),
                Ready::Work(kernel) => match &kernel.work {
                    Work::Product(p) => product::rows(p, kernels, memory.bases, first, last),
                    // Not by rows; never part of a chain of more.
                    Work::Random { .. } => random::part(&kernel.work, kernels, memory.bases, 0, 1),
                    _ => return index::run(kernel, memory.bases, Some((first, last))),
                },
            }
        }
        Ok(())
    }

    /// What is left when all parts are done.
    ///
    /// # Safety
    /// As [`Ready::part`], for the whole kernel.
    pub(super) unsafe fn finish(&self, memory: &Memory) {
        if let Ready::Map(map) = self {
            // SAFETY: the caller's.
            unsafe { map.finish(memory) };
        }
    }
}

/// About how long one thread takes, in nanoseconds: measured on a 3.5 GHz processor with
/// AVX2. Only used to decide what is worth dividing.
pub(super) fn nanoseconds(kernel: &Kernel) -> usize {
    let wide = |dtype: DType| if dtype == DType::F32 { 1 } else { 2 };
    match &kernel.work {
        Work::Map(map) => {
            let tenths: usize = map.code.iter().map(|i| tenths(i) * wide(i.dtype)).sum();
            let each = tenths + map.reductions.len() + map.stores.len();
            map.domain.count().saturating_mul(each) / 10 + 50
        }
        Work::Product(p) => kernel.flops().saturating_mul(wide(p.dtype)) / 80 + 100,
        Work::Gather(i) => i.outer * i.positions * i.inner / 2,
        Work::Scatter(i) => i.outer * (i.positions + i.size) * i.inner,
        Work::ArgMax(i) => i.outer * i.size * i.inner,
        Work::Random { count, distribution, dtype, .. } => {
            count * wide(*dtype) * if *distribution == Distribution::Normal { 2 } else { 1 }
        }
    }
}

/// Tenths of a nanosecond for a point of an f32 block.
fn tenths(i: &Instruction) -> usize {
    match i.scalar {
        Scalar::Constant(_) => 0,
        Scalar::Binary(Binary::Pow | Binary::LogAddExp | Binary::Atan2) => 150,
        Scalar::Binary(Binary::Div) => 3,
        Scalar::Unary(Unary::Neg | Unary::Abs | Unary::Sign | Unary::Floor) => 1,
        Scalar::Unary(Unary::Recip | Unary::Sqrt | Unary::Root | Unary::Rsqrt) => 4,
        // Calls of scalar functions.
        Scalar::Unary(Unary::Exp2 | Unary::Log2 | Unary::Log10 | Unary::Erfc) => 100,
        Scalar::Unary(Unary::Asin | Unary::Acos | Unary::Sinh | Unary::Cosh) => 100,
        Scalar::Unary(Unary::Asinh | Unary::Acosh | Unary::Atanh | Unary::LogCosh) => 100,
        Scalar::Unary(_) => 10,
        _ => 1,
    }
}
