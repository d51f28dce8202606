//! The CPU backend: threads that share the phases of a run, blocked matrix products, fused
//! expressions evaluated block by block.
//!
//! This folder is the only place with `unsafe`: kernels work on raw pointers into buffers
//! that the planner laid out. What makes that sound, called *the plan's contract* below:
//!
//! - only the planner makes plans, of shapes that memory can hold: a plan's views lie within their
//!   buffers, and buffers that live at the same time do not overlap;
//! - inputs and outputs are checked against the plan before each run, and to be on the host;
//! - a run has an arena of its own, and what early phases leave is written by them alone;
//! - parts of one kernel write disjoint elements, the pipelines of a phase touch nothing of one
//!   another, and phases run one after another.
#![allow(unsafe_code)]

mod access;
mod along;
mod arenas;
mod costs;
mod draws;
mod gemm;
mod index;
mod instruction_set;
mod instructions;
mod kernel;
mod map;
mod math;
mod memory;
mod phases;
mod pool;
mod product;
mod random;
mod reduce;
mod registers;
mod simd;
mod team;
mod words;

use crate::array::{Array, Data, OutputClaim, OutputPool};
use crate::backend::{Backend, Executable};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::plan::{Costs, Place, Plan};
use crate::{DType, Shape};
use arenas::{Arena, Arenas, Claim};
use instruction_set::Kernels;
pub use instruction_set::{InstructionSet, ProductKernel};
use memory::{Base, Memory};
use phases::{Phases, Stage};
use pool::Pool;
use std::sync::Arc;
use std::time::Duration;
pub use words::philox4x32_blocks;

/// The CPU backend. Results have the same bits at every number of threads.
///
/// Programs of one `Cpu` and its clones share the memory of their intermediate values: as
/// many runs as there are at once take what the largest program needs each. They also share the
/// storage of outputs that nobody holds any more.
#[derive(Clone, Debug)]
pub struct Cpu {
    pool: Pool,
    kernels: Kernels,
    arenas: Arenas,
    outputs: OutputPool,
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
        Cpu::on(Pool::global())
    }

    /// A pool of its own with the given number of threads; with one, all work stays on the
    /// calling thread. More than 64 threads and more than the system has processors are no use:
    /// of so many, those beyond both are left out ([`threads`](Cpu::threads) tells how many there
    /// are), which changes no result.
    ///
    /// # Errors
    /// [`Error::Backend`] for 0 threads, or when the system does not grant them.
    pub fn with_threads(threads: usize) -> Result<Cpu> {
        Ok(Cpu::on(Pool::own(threads)?))
    }

    fn on(pool: Pool) -> Cpu {
        let (arenas, outputs) = (Arenas::default(), OutputPool::default());
        Cpu { pool, kernels: Kernels::best(), arenas, outputs }
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

    fn costs(&self) -> Costs {
        costs::costs()
    }

    fn allocate(&self, dtype: DType, shape: &Shape) -> Result<Array> {
        self.outputs.array(dtype, shape.clone())
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        check_plan(&plan)?;
        let phases = Phases::new(&plan, &self.pool, self.kernels);
        // Rounded up to whole cache lines; the first may be skipped for alignment.
        let words = (plan.arena / 8 + 8).saturating_add(phases.scratch());
        let kept = if plan.kept > 0 { arenas::words(plan.kept / 8 + 8)? } else { Vec::new() };
        Ok(Box::new(CpuProgram {
            places: plan.buffers.iter().map(|b| b.place).collect(),
            early_inputs: plan.early_inputs,
            bound: plan.early_inputs == 0,
            arena_bytes: plan.arena,
            outputs: self
                .outputs
                .claim(plan.outputs().map(|(shape, dtype)| (dtype, shape.count()))),
            graph: plan.graph,
            phases,
            claim: self.arenas.claim(words)?,
            kept,
        }))
    }
}

/// Checks that a plan was made for a processor: another backend that hands on its plans might make
/// them by costs of its own.
fn check_plan(plan: &Plan) -> Result<()> {
    let pipelines = plan.phases.iter().map(|phase| phase.pipelines.len()).max().unwrap_or(0);
    if pipelines <= costs::LARGEST_PHASE && plan.alignment.is_multiple_of(costs::ALIGNMENT) {
        return Ok(());
    }
    let problem = format!(
        "the plan has {pipelines} pipelines in a phase and values at multiples of {} bytes: it was not \
         made by the costs of this backend",
        plan.alignment
    );
    Err(Error::Backend { backend: "cpu", problem })
}

struct CpuProgram {
    phases: Phases,
    places: Vec<Place>,
    graph: Arc<Graph>,
    arena_bytes: usize,
    claim: Claim,
    /// Lets storage of outputs come back while the program is there.
    #[expect(dead_code, reason = "held, not read")]
    outputs: OutputClaim,
    /// What early phases leave for the others.
    kept: Vec<u64>,
    early_inputs: usize,
    /// Whether `kept` holds what it should.
    bound: bool,
}

/// The address of an array's elements, which are not written there; none for an array that is not
/// on the host, which no run gets to see.
fn read_pointer(array: &Array) -> Base {
    Base(match array.data() {
        Some(Data::F32(v)) => v.as_ptr().cast_mut().cast(),
        Some(Data::F64(v)) => v.as_ptr().cast_mut().cast(),
        Some(Data::U32(v)) => v.as_ptr().cast_mut().cast(),
        Some(Data::Bool(v)) => v.as_ptr().cast_mut().cast(),
        None => std::ptr::null_mut(),
    })
}

fn write_pointer(array: &mut Array) -> Base {
    Base(match array.data_mut() {
        Some(Data::F32(v)) => Arc::make_mut(v).as_mut_ptr().cast(),
        Some(Data::F64(v)) => Arc::make_mut(v).as_mut_ptr().cast(),
        Some(Data::U32(v)) => Arc::make_mut(v).as_mut_ptr().cast(),
        Some(Data::Bool(v)) => Arc::make_mut(v).as_mut_ptr().cast(),
        None => std::ptr::null_mut(),
    })
}

impl CpuProgram {
    /// Looks up where the buffers of a run lie, in what it holds of its own and in `kept`.
    fn locate<'a>(
        &self,
        arena: &'a mut Arena<'_>,
        kept: Base,
        inputs: &[&Array],
        outputs: &mut [Array],
    ) -> Memory<'a> {
        let (start, bases) = arena.parts();
        let (start, outside) = (Base(start), Base(std::ptr::null_mut()));
        bases.clear();
        bases.extend(self.places.iter().map(|place| match *place {
            Place::Input(i) => inputs.get(i).map_or(outside, |a| read_pointer(a)),
            Place::Literal(i) => read_pointer(&self.graph.literals[i]),
            Place::Output(i) => outputs.get_mut(i).map_or(outside, write_pointer),
            Place::Arena(offset) => start.shifted(offset),
            Place::Kept(offset) => kept.shifted(offset),
        }));
        // The arena is a whole number of cache lines.
        Memory { bases, scratch: start.shifted(self.arena_bytes) }
    }

    /// Checks inputs and outputs of what is not only the early part.
    fn check(&self, inputs: &[&Array], outputs: &[Array]) -> Result<()> {
        self.graph.check_inputs(0, inputs)?;
        self.graph.check_outputs(outputs)?;
        self.graph.check_places("the host", inputs, outputs, Array::is_on_host)?;
        if self.bound {
            return Ok(());
        }
        let problem = "the early inputs of this program are not bound".into();
        Err(Error::Backend { backend: "cpu", problem })
    }

    /// What early phases leave, for reading.
    fn kept(&self) -> Base {
        Base(arenas::first_line(self.kept.as_ptr().cast_mut()))
    }
}

impl Executable for CpuProgram {
    fn bind(&mut self, early: &[&Array]) -> Result<()> {
        if early.len() != self.early_inputs {
            let (expected, found) = (self.early_inputs, early.len());
            return Err(Error::Count { what: "bound inputs", expected, found });
        }
        self.graph.check_leading(early)?;
        self.graph.check_places("the host", early, &[], Array::is_on_host)?;
        self.bound = self.early_inputs == 0;
        let kept = Base(arenas::first_line(self.kept.as_mut_ptr()));
        let program = &*self;
        program.phases.enter(|team| {
            let mut arena = program.claim.take()?;
            let memory = program.locate(&mut arena, kept, early, &mut []);
            // SAFETY: the plan's contract; nobody else sees `kept` while this borrows the program.
            unsafe { program.phases.run(Stage::Early, &memory, team) }
        })?;
        self.bound = true;
        Ok(())
    }

    fn run(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.check(inputs, outputs)?;
        self.phases.enter(|team| {
            let mut arena = self.claim.take()?;
            let memory = self.locate(&mut arena, self.kept(), inputs, outputs);
            // SAFETY: the plan's contract; late phases only read what early ones left.
            unsafe { self.phases.run(Stage::Late, &memory, team) }
        })
    }

    fn times(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<Option<Vec<Duration>>> {
        self.check(inputs, outputs)?;
        let mut arena = self.claim.take()?;
        let memory = self.locate(&mut arena, self.kept(), inputs, outputs);
        // SAFETY: as above, for one kernel after the other.
        unsafe { self.phases.times(Stage::Late, &memory) }.map(Some)
    }
}
