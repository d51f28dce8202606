//! The CPU backend: rayon over fixed tiles, matrixmultiply for products, fused expressions
//! evaluated block by block.
//!
//! This folder is the only place with `unsafe`: kernels work on raw pointers into buffers
//! that the planner laid out. What makes that sound: a plan's views lie within their
//! buffers, tiles of one kernel write disjoint elements, and kernels run one after another.
#![allow(unsafe_code)]

mod access;
mod index;
mod instructions;
mod map;
#[allow(dead_code)] // until `instructions` asks for it
mod math;
mod pool;
mod product;
mod random;
mod reduce;

use crate::backend::{Backend, Executable, Part};
use crate::error::{Error, Result};
use crate::program::Plan;
use crate::program::plan::{Kernel, Place, Work};
use crate::{Array, array::Data};
use pool::Pool;

/// The CPU backend. Results have the same bits at every number of threads.
#[derive(Clone, Debug)]
pub struct Cpu {
    pool: Pool,
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
        Cpu { pool: Pool::global() }
    }

    /// A pool of its own with the given number of threads; with one, all work stays on the
    /// calling thread.
    ///
    /// # Errors
    /// [`Error::Backend`] for 0 threads, or when the system does not grant them.
    pub fn with_threads(threads: usize) -> Result<Cpu> {
        Ok(Cpu { pool: Pool::own(threads)? })
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
        let kernels = plan.kernels.iter().map(|k| lower(k, &plan)).collect();
        // Rounded up to whole cache lines; the first may be skipped for alignment.
        let words = plan.arena / 8 + 8;
        let mut arena: Vec<u64> = Vec::new();
        arena.try_reserve_exact(words).map_err(|_| Error::Backend {
            backend: "cpu",
            problem: format!("there is no memory for {} bytes of intermediates", plan.arena),
        })?;
        arena.resize(words, 0);
        let pool = if plan.kernels.iter().any(pool::is_worth_dividing) {
            self.pool.clone()
        } else {
            Pool::inline()
        };
        let bases = vec![Base(std::ptr::null_mut()); plan.buffers.len()];
        // Arena and literal places are known now; the graph's nodes are not needed any more.
        Ok(Box::new(CpuProgram {
            early: plan.early,
            places: plan.buffers.iter().map(|b| b.place).collect(),
            literals: plan.graph.literals.clone(),
            kernels,
            arena,
            pool,
            bases,
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

/// A kernel made ready for this machine.
enum Ready {
    Map(Box<map::MapKernel>),
    Work(Box<Kernel>),
}

fn lower(kernel: &Kernel, plan: &Plan) -> Ready {
    match &kernel.work {
        Work::Map(map) => Ready::Map(Box::new(map::MapKernel::new(map, &plan.buffers))),
        _ => Ready::Work(Box::new(kernel.clone())),
    }
}

struct CpuProgram {
    kernels: Vec<Ready>,
    early: usize,
    places: Vec<Place>,
    literals: Vec<Array>,
    arena: Vec<u64>,
    pool: Pool,
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

impl Executable for CpuProgram {
    fn run(&mut self, part: Part, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
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
        let kernels = match part {
            Part::All => &self.kernels[..],
            Part::Early => &self.kernels[..self.early],
            Part::Late => &self.kernels[self.early..],
        };
        let bases = &self.bases[..];
        self.pool.enter(|divide| kernels.iter().try_for_each(|kernel| run(kernel, bases, divide)))
    }
}

fn run(kernel: &Ready, bases: &[Base], divide: bool) -> Result<()> {
    match kernel {
        Ready::Map(map) => {
            map.run(bases, divide);
            Ok(())
        }
        Ready::Work(kernel) => match &kernel.work {
            Work::Product(p) => {
                product::run(p, bases, divide);
                Ok(())
            }
            Work::Gather(i) => index::gather(i, bases, kernel),
            Work::Scatter(i) => index::scatter(i, bases, kernel),
            Work::ArgMax(i) => {
                index::argmax(i, bases);
                Ok(())
            }
            Work::Random { key, out, distribution, stream, count, dtype } => {
                random::run(key, out, *distribution, *stream, *count, *dtype, bases);
                Ok(())
            }
            Work::Map(_) => {
                Err(Error::Backend { backend: "cpu", problem: "a map was not made ready".into() })
            }
        },
    }
}
