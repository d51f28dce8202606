//! Planning: from a graph to what a backend gets, kernels in order with views into buffers.
//!
//! Planning happens after all differentiation: values are laid out (`layout`), fused
//! (`fuse`), cheap ones computed again where they are read (`rematerialize`), lowered to kernels over
//! views (`lower`, `expressions`), arranged in phases that threads share (`schedule`)
//! and given memory by liveness (`memory`).

mod costs;
mod explain;
mod expressions;
mod fuse;
mod layout;
mod lower;
mod memory;
mod rematerialize;
mod schedule;

pub use costs::Costs;
pub(crate) use costs::is_arithmetic;
pub(crate) use explain::explain;
pub(crate) use lower::plan as make_plan;

pub use crate::work::{
    Along, Buffer, BufferId, Combine, Draw, Gather, Indexed, Instruction, Kernel, Map, Pass, Place,
    Product, Reduction, Register, Scalar, Scatter, View, Work,
};

use crate::graph::{Graph, InputSpec};
use crate::{Array, DType, Shape};
use std::sync::Arc;

/// Kernels that go row by row: row `r` of a later one touches nothing of what earlier ones
/// wrote but row `r`.
#[derive(Clone, Debug)]
pub struct RowPipeline {
    /// Their numbers, in order.
    pub kernels: Vec<usize>,
    /// The number of rows; `None` for a single kernel that does not go by rows.
    pub rows: Option<usize>,
}

/// Pipelines that do not depend on one another. Each phase depends on the ones before it.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The pipelines.
    pub pipelines: Vec<RowPipeline>,
}

/// A program for a backend. Only the planner makes one, and nobody changes it: kernels rely on
/// views that lie within their buffers and on buffers that do not share memory while they live.
///
/// ```
/// use burlap_autodiff::{Array, Backend, Costs, Cpu, DType, Executable, Plan, Result, Tape};
///
/// /// The CPU, with a look at what it is given.
/// struct Counted(Cpu);
///
/// impl Backend for Counted {
///     fn name(&self) -> &'static str {
///         "counted"
///     }
///     fn boxed(&self) -> Box<dyn Backend> {
///         Box::new(Counted(self.0.clone()))
///     }
///     fn costs(&self) -> Costs {
///         self.0.costs()
///     }
///     fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
///         assert_eq!((plan.kernels().len(), plan.phases().len()), (1, 1));
///         self.0.compile(plan)
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [3]);
/// let program = tape.compile(&Counted(Cpu::new()), &[(x * x).sum()])?;
/// assert_eq!(program.run(&[&Array::vector([1.0, 2.0, 3.0])])?[0].item()?, 14.0);
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) kernels: Vec<Kernel>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) early_inputs: usize,
    pub(crate) early_phases: usize,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) arena: usize,
    pub(crate) kept: usize,
    pub(crate) alignment: usize,
}

impl Plan {
    /// What is computed, primitive by primitive.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The kernels in order.
    pub fn kernels(&self) -> &[Kernel] {
        &self.kernels
    }

    /// The kernels by what may run at the same time.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Shape and element type of each input.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.graph.inputs
    }

    /// The literals that [`Place::Literal`] numbers, on the host.
    pub fn literals(&self) -> &[Array] {
        &self.graph.literals
    }

    /// Shape and element type of each output.
    pub fn outputs(&self) -> impl Iterator<Item = (&Shape, DType)> {
        self.graph.output_specs()
    }

    /// How many of the leading inputs are bound before the others.
    pub fn early_inputs(&self) -> usize {
        self.early_inputs
    }

    /// How many of the first phases depend on the early inputs only.
    pub fn early_phases(&self) -> usize {
        self.early_phases
    }

    /// The buffers.
    pub fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    /// Bytes that a run needs for what it does not leave behind.
    pub fn arena(&self) -> usize {
        self.arena
    }

    /// Bytes of which the offsets of buffers are multiples: [`Costs::alignment`](Costs::alignment).
    pub fn alignment(&self) -> usize {
        self.alignment
    }

    /// Bytes that early phases leave for the others.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Bytes that a kernel moves: each touched buffer once.
    pub fn bytes(&self, kernel: &Kernel) -> usize {
        let (reads, writes) = kernel.touched();
        let mut all: Vec<BufferId> = reads.into_iter().chain(writes).collect();
        all.sort_unstable();
        all.dedup();
        let sizes = all.iter().filter_map(|&b| self.buffers.get(b)).map(Buffer::bytes);
        sizes.fold(0, usize::saturating_add)
    }
}
