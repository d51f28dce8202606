//! The CPU backend: threads that share the steps of a run, blocked matrix products, fused
//! expressions evaluated block by block.
//!
//! This folder is the only place with `unsafe`: kernels work on raw pointers into buffers
//! that the planner laid out. What makes that sound: a plan's views lie within their
//! buffers, parts of one kernel write disjoint elements, the chains of a step touch nothing
//! of one another, and steps run one after another.
#![allow(unsafe_code)]

mod access;
mod arenas;
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
use arenas::{Arena, Arenas, Claim};
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
///
/// Programs of one `Cpu` and its clones share the memory of their intermediate values: as
/// many runs as there are at once take what the largest program needs each.
#[derive(Clone, Debug)]
pub struct Cpu {
    pool: Pool,
    kernels: Kernels,
    arenas: Arenas,
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
    fn of(pool: Pool) -> Cpu {
        Cpu { pool, kernels: Kernels::best(), arenas: Arenas::default() }
    }

    /// As many threads as rayon's global pool has: one for each processor, unless
    /// `RAYON_NUM_THREADS` says otherwise.
    pub fn new() -> Cpu {
        Cpu::of(Pool::global())
    }

    /// A pool of its own with the given number of threads; with one, all work stays on the
    /// calling thread.
    ///
    /// # Errors
    /// [`Error::Backend`] for 0 threads, or when the system does not grant them.
    pub fn with_threads(threads: usize) -> Result<Cpu> {
        Ok(Cpu::of(Pool::own(threads)?))
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
        // What an early part leaves for later ones stays where it is.
        let memory = match plan.early_steps {
            0 => Memories::Shared(self.arenas.claim(words)?),
            _ => Memories::Own(Arena::new(words)?),
        };
        // Arena and literal places are known now; the graph's nodes are not needed any more.
        Ok(Box::new(CpuProgram {
            bases: vec![Base(std::ptr::null_mut()); plan.buffers.len()],
            places: plan.buffers.iter().map(|b| b.place).collect(),
            literals: plan.graph.literals.clone(),
            arena_bytes: plan.arena,
            memory,
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

/// Where intermediate values lie: where the backend's other programs have theirs, too, or
/// apart from them.
enum Memories {
    Shared(Claim),
    Own(Arena),
}

struct CpuProgram {
    steps: Steps,
    places: Vec<Place>,
    literals: Vec<Array>,
    memory: Memories,
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
    /// Calls `run` with the places of all buffers.
    fn located<T>(
        &mut self,
        inputs: &[&Array],
        outputs: &mut [Array],
        run: impl FnOnce(&Steps, &Memory<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut shared = None;
        let arena = match &mut self.memory {
            Memories::Shared(claim) => shared.insert(claim.take()?),
            Memories::Own(arena) => arena,
        };
        let arena = arena.start();
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
        let scratch = Base(arena.wrapping_add(self.arena_bytes));
        run(&self.steps, &Memory { bases: &self.bases, scratch })
    }
}

impl Executable for CpuProgram {
    fn run(&mut self, part: Part, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.located(inputs, outputs, |steps, memory| steps.run(part, memory))
    }

    fn times(&mut self, inputs: &[&Array], outputs: &mut [Array]) -> Result<Option<Vec<Duration>>> {
        self.located(inputs, outputs, |steps, memory| steps.times(memory).map(Some))
    }
}
