//! The CPU backend: threads that share the steps of a run, blocked matrix products, fused
//! expressions evaluated block by block.
//!
//! This folder is the only place with `unsafe`: kernels work on raw pointers into buffers
//! that the planner laid out. What makes that sound: a plan's views lie within their
//! buffers, parts of one kernel write disjoint elements, the chains of a step touch nothing
//! of one another, and steps run one after another.
#![allow(unsafe_code)]

mod access;
mod gemm;
mod index;
mod instruction_set;
mod instructions;
mod kernel;
mod map;
mod math;
mod pool;
mod product;
mod random;
mod reduce;
mod registers;
mod simd;
mod steps;
mod team;
mod words;

use crate::Array;
use crate::array::Data;
use crate::backend::{Backend, Executable, Part};
use crate::error::{Error, Result};
use crate::program::Plan;
use crate::program::plan::Place;
pub use instruction_set::InstructionSet;
use pool::Pool;
use std::time::Duration;
use steps::Steps;
pub use words::philox4x32_blocks;

/// Who computes matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProductKernel {
    /// burlap's own kernels for AVX-512, AVX2, SSE2 and NEON.
    #[default]
    Burlap,
    /// The crate matrixmultiply.
    MatrixMultiply,
}

/// The CPU backend. Results have the same bits at every number of threads.
#[derive(Clone, Debug)]
pub struct Cpu {
    pool: Pool,
    kernels: Kernels,
}

/// Which kernels run.
#[derive(Clone, Copy, Debug)]
struct Kernels {
    products: ProductKernel,
    set: InstructionSet,
}

impl Kernels {
    fn best() -> Kernels {
        Kernels { products: ProductKernel::default(), set: InstructionSet::best() }
    }
}

impl Default for Cpu {
    fn default() -> Cpu {
        Cpu::new()
    }
}

impl Cpu {
    /// As many threads as rayon's global pool has: one for each processor, unless
    /// `RAYON_NUM_THREADS` says otherwise.
    pub fn new() -> Cpu {
        Cpu { pool: Pool::global(), kernels: Kernels::best() }
    }

    /// A pool of its own with the given number of threads; with one, all work stays on the
    /// calling thread.
    ///
    /// # Errors
    /// [`Error::Backend`] for 0 threads, or when the system does not grant them.
    pub fn with_threads(threads: usize) -> Result<Cpu> {
        Ok(Cpu { pool: Pool::own(threads)?, kernels: Kernels::best() })
    }

    /// Lets other kernels compute the matrix products.
    ///
    /// ```
    /// use burlap_autodiff::{Cpu, ProductKernel};
    /// let cpu = Cpu::with_threads(2)?.with_products(ProductKernel::MatrixMultiply);
    /// assert_eq!(cpu.threads(), 2);
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[must_use]
    pub fn with_products(mut self, products: ProductKernel) -> Cpu {
        self.kernels.products = products;
        self
    }

    /// Lets kernels use another instruction set than the best one: results then have the bits
    /// that other processors give.
    ///
    /// # Errors
    /// [`Error::Backend`] where the processor does not have it.
    pub fn with_instructions(mut self, set: InstructionSet) -> Result<Cpu> {
        if !InstructionSet::available().contains(&set) {
            let problem = format!("this processor does not have the instructions {set:?}");
            return Err(Error::Backend { backend: "cpu", problem });
        }
        self.kernels.set = set;
        Ok(self)
    }

    /// The number of threads that work is divided among.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn boxed(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        let steps = Steps::new(&plan, &self.pool, self.kernels);
        // Rounded up to whole cache lines; the first may be skipped for alignment.
        let words = plan.arena / 8 + 8 + steps.scratch();
        let mut arena: Vec<u64> = Vec::new();
        arena.try_reserve_exact(words).map_err(|_| Error::Backend {
            backend: "cpu",
            problem: format!("there is no memory for {} bytes of intermediates", plan.arena),
        })?;
        arena.resize(words, 0);
        // Arena and literal places are known now; the graph's nodes are not needed any more.
        Ok(Box::new(CpuProgram {
            bases: vec![Base(std::ptr::null_mut()); plan.buffers.len()],
            places: plan.buffers.iter().map(|b| b.place).collect(),
            literals: plan.graph.literals.clone(),
            arena_bytes: plan.arena,
            arena,
            steps,
        }))
    }
}

/// The address of a buffer's first element.
#[derive(Clone, Copy)]
struct Base(*mut u8);

impl Base {
    /// The address some bytes further on.
    fn shifted(&self, bytes: usize) -> Base {
        Base(self.0.wrapping_add(bytes))
    }
}

// SAFETY: kernels that share a base across threads write disjoint elements.
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

/// Where the buffers of a run lie.
#[derive(Clone, Copy)]
struct Memory<'a> {
    bases: &'a [Base],
    /// Partial results of reductions.
    scratch: Base,
}

struct CpuProgram {
    steps: Steps,
    places: Vec<Place>,
    literals: Vec<Array>,
    arena: Vec<u64>,
    arena_bytes: usize,
    bases: Vec<Base>,
}

fn read_pointer(array: &Array) -> Base {
    Base(match array.data() {
        Data::F32(v) => v.as_ptr().cast_mut().cast(),
        Data::F64(v) => v.as_ptr().cast_mut().cast(),
        Data::U32(v) => v.as_ptr().cast_mut().cast(),
        Data::Bool(v) => v.as_ptr().cast_mut().cast(),
    })
}

fn write_pointer(array: &mut Array) -> Base {
    use std::sync::Arc;
    Base(match array.data_mut() {
        Data::F32(v) => Arc::make_mut(v).as_mut_ptr().cast(),
        Data::F64(v) => Arc::make_mut(v).as_mut_ptr().cast(),
        Data::U32(v) => Arc::make_mut(v).as_mut_ptr().cast(),
        Data::Bool(v) => Arc::make_mut(v).as_mut_ptr().cast(),
    })
}

impl CpuProgram {
    /// Looks up where the buffers of this run lie.
    fn locate(&mut self, inputs: &[&Array], outputs: &mut [Array]) -> Base {
        let start = self.arena.as_mut_ptr().cast::<u8>();
        let arena = start.wrapping_add(start.align_offset(64));
        let outside = Base(std::ptr::null_mut());
        for (base, place) in self.bases.iter_mut().zip(&self.places) {
            *base = match *place {
                Place::Input(i) => inputs.get(i).map_or(outside, |a| read_pointer(a)),
                Place::Literal(i) => read_pointer(&self.literals[i]),
                Place::Output(i) => outputs.get_mut(i).map_or(outside, write_pointer),
                Place::Arena(offset) => Base(arena.wrapping_add(offset)),
            };
        }
        // The arena is a whole number of cache lines.
        Base(arena.wrapping_add(self.arena_bytes))
    }
}

impl Executable for CpuProgram {
    fn run(&mut self, part: Part, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        let scratch = self.locate(inputs, outputs);
        self.steps.run(part, &Memory { bases: &self.bases, scratch })
    }

    fn times(&mut self, inputs: &[&Array], outputs: &mut [Array]) -> Result<Option<Vec<Duration>>> {
        let scratch = self.locate(inputs, outputs);
        self.steps.times(&Memory { bases: &self.bases, scratch }).map(Some)
    }
}
