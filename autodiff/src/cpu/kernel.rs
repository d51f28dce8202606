//! Kernels made ready for this machine, and what they cost.

use super::instruction_set::{InstructionSet, Kernels};
use super::map::MapKernel;
use super::memory::Memory;
use crate::DType;
use crate::error::Result;
use crate::graph::{Binary, Unary};
use crate::work::{Buffer, Instruction, Kernel, Map, Product, Scalar, Work, kinds};

/// A kind of work as this machine does it.
pub(super) trait Compute {
    /// About how long one thread takes, in nanoseconds: measured on a 3.5 GHz processor with
    /// AVX2. Only used to decide what is worth dividing.
    fn nanoseconds(&self) -> usize;

    /// What does it.
    fn ready(&self, kernel: &Kernel, making: &mut Making<'_>) -> Box<dyn Run>;

    /// Points that are computed block by block.
    fn points(&self) -> usize {
        0
    }

    /// The product that it is.
    fn product(&self) -> Option<&Product> {
        None
    }
}

/// What kernels are made with.
pub(super) struct Making<'a> {
    pub(super) buffers: &'a [Buffer],
    pub(super) set: InstructionSet,
    /// Words of memory for partial results that were given away.
    pub(super) scratch: &'a mut usize,
}

/// A kernel that is ready to run.
pub(super) trait Run: Send + Sync {
    /// Into how many parts it can be divided at most.
    fn most_parts(&self) -> usize {
        1
    }

    /// One of some parts.
    ///
    /// # Safety
    /// The memory is that of a run of this kernel's plan; nobody else writes what this part reads
    /// or touches what it writes.
    unsafe fn part(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        parts: usize,
    ) -> Result<()>;

    /// Rows `first..last` of `all`, if it goes by rows.
    ///
    /// # Safety
    /// As [`Run::part`].
    unsafe fn rows(
        &self,
        memory: &Memory,
        kernels: Kernels,
        rows: (usize, usize),
        all: usize,
    ) -> Result<()>;

    /// What is left when all parts are done.
    ///
    /// # Safety
    /// As [`Run::part`], for the whole kernel.
    unsafe fn finish(&self, memory: &Memory) {
        let _ = memory;
    }
}

macro_rules! dispatch {
    ($($(#[$doc:meta])+ $variant:ident($type:ty);)*) => {
        /// How this machine does it.
        pub(super) fn compute(work: &Work) -> &dyn Compute {
            match work { $(Work::$variant(work) => work,)* }
        }
    };
}
kinds!(dispatch);

/// How much longer a type takes than F32, of which twice as many fit a register.
pub(super) fn wide(dtype: DType) -> usize {
    match dtype {
        DType::F32 => 1,
        DType::F64 | DType::U32 | DType::Bool => 2,
    }
}

impl Compute for Map {
    fn nanoseconds(&self) -> usize {
        let tenths: usize = self.code.iter().map(|i| tenths(i) * wide(i.dtype)).sum();
        let each = tenths + self.reductions.len() + self.stores.len();
        self.domain.count().saturating_mul(each) / 10 + 50
    }

    fn ready(&self, _: &Kernel, making: &mut Making<'_>) -> Box<dyn Run> {
        Box::new(MapKernel::new(self, making.buffers, making.set, making.scratch))
    }

    fn points(&self) -> usize {
        self.domain.count()
    }
}

impl Run for MapKernel {
    fn most_parts(&self) -> usize {
        self.most_parts()
    }

    unsafe fn part(&self, memory: &Memory, _: Kernels, part: usize, parts: usize) -> Result<()> {
        // SAFETY: the caller's.
        unsafe { self.part(memory, part, parts) };
        Ok(())
    }

    unsafe fn rows(
        &self,
        memory: &Memory,
        _: Kernels,
        (first, last): (usize, usize),
        all: usize,
    ) -> Result<()> {
        // SAFETY: the caller's.
        unsafe { self.rows(memory, first, last, all) };
        Ok(())
    }

    unsafe fn finish(&self, memory: &Memory) {
        // SAFETY: the caller's.
        unsafe { self.finish(memory) };
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
