//! Planning: from a graph to what a backend gets, kernels in order with views into buffers.
//!
//! Planning happens after all differentiation: values are laid out (`layout`), fused
//! (`fuse`), cheap ones computed again where they are read (`again`), lowered to kernels over
//! views (`lower`, `expressions`, `products`), arranged in steps that threads share (`schedule`)
//! and given memory by liveness (`memory`).

mod again;
mod costs;
mod explain;
mod expressions;
mod fuse;
pub(crate) mod layout;
mod lower;
mod memory;
mod products;
mod schedule;

pub use costs::Costs;
pub(crate) use costs::is_arithmetic;
pub(crate) use explain::explain;
pub(crate) use lower::plan as make_plan;

use crate::error::At;
use crate::graph::{Binary, Compare, Distribution, Graph, InputSpec, Unary};
use crate::shape::{Axes, Strides};
use crate::{Array, DType, Shape};
use std::sync::Arc;

/// A buffer, by its number in [`Plan::buffers`].
pub type BufferId = usize;

/// Where a buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An input array.
    Input(usize),
    /// A literal of the graph.
    Literal(usize),
    /// An output array.
    Output(usize),
    /// The memory of a run, at a byte offset.
    Arena(usize),
    /// What early steps leave for the others, at a byte offset.
    Kept(usize),
}

/// A stretch of memory for elements of one type.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The element type.
    pub dtype: DType,
    /// The number of elements.
    pub count: usize,
    /// Where it lives.
    pub place: Place,
}

/// Strided access to a buffer: element `i` lies at `offset + Σ i·strides`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The buffer.
    pub buffer: BufferId,
    /// Distance of the first element from the buffer's start, in elements.
    pub offset: isize,
    /// Distances between neighbours along each axis, in elements.
    pub strides: Strides,
}

/// A register of a [`Map`]: a block of elements of one type.
pub type Register = u16;

/// What an instruction of a [`Map`] computes, element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Element of load number `.0`.
    Load(u16),
    /// A literal.
    Constant(f64),
    /// A function of one register.
    Unary(Unary),
    /// A function of two registers.
    Binary(Binary),
    /// A comparison of two registers; the result is `Bool`.
    Compare(Compare),
    /// Mask, then the two choices.
    Select,
    /// From the given type to the instruction's.
    Cast(DType),
}

/// One step of a [`Map`], writing the register of its own position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instruction {
    /// What is computed.
    pub scalar: Scalar,
    /// The type of the operands (of the choices, for `Select`).
    pub operand: DType,
    /// The type of the result.
    pub dtype: DType,
    /// The operand registers, each of an earlier instruction.
    pub args: [Register; 3],
}

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Addition.
    Sum,
    /// The larger, or NaN.
    Max,
    /// The smaller, or NaN.
    Min,
}

/// A reduction at the end of a [`Map`].
#[derive(Clone, Debug)]
pub struct Reduction {
    /// The register reduced.
    pub register: Register,
    /// How.
    pub combine: Combine,
    /// The contiguous result, over the kept axes.
    pub store: View,
}

/// An expression evaluated at every point of a domain, stored, reduced, or both.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// The domain.
    pub domain: Shape,
    /// What is read, with strides along the domain's axes.
    pub loads: Vec<View>,
    /// Element types of the loads.
    pub load_types: Vec<DType>,
    /// The expression, in order.
    pub code: Vec<Instruction>,
    /// What is written, with strides along the domain's axes.
    pub stores: Vec<(Register, View)>,
    /// What is reduced over `reduced`.
    pub reductions: Vec<Reduction>,
    /// The axes reduced by all reductions.
    pub reduced: Axes,
    /// Whether reductions are divided within what makes one value:
    /// [long rows](Costs::long_row).
    pub has_long_rows: bool,
}

/// A batch of matrix products: out[b, m, n] = Σₖ left[b, m, k] right[b, k, n], or added to
/// what is there.
#[derive(Clone, Debug)]
pub struct Product {
    /// Sizes of the batch axes.
    pub batch: Shape,
    /// Rows.
    pub m: usize,
    /// Columns.
    pub n: usize,
    /// Summed size.
    pub k: usize,
    /// Left operand: strides along the batch axes, then m, then k.
    pub left: View,
    /// Right operand: strides along the batch axes, then k, then n.
    pub right: View,
    /// Result: strides along the batch axes, then m, then n.
    pub out: View,
    /// Whether the products are added to what is there.
    pub add: bool,
    /// The element type.
    pub dtype: DType,
}

/// What a kernel does.
#[derive(Clone, Debug)]
pub enum Work {
    /// A fused elementwise expression, with reductions at its end.
    Map(Map),
    /// Matrix products.
    Product(Product),
    /// `out[o, j, i] = x[o, indices[j], i]` with all contiguous; `along`: indices are
    /// `[o, j, i]` themselves.
    Gather(Indexed),
    /// `out[o, indices[j], i] += x[o, j, i]`, on zeros.
    Scatter(Indexed),
    /// `out[o, i]`: the index of the first largest `x[o, j, i]`.
    ArgMax(Indexed),
    /// Random elements from the key in `key`.
    Random {
        /// The key, two words.
        key: View,
        /// The contiguous result.
        out: View,
        /// From what is drawn.
        distribution: Distribution,
        /// Which stream of the key.
        stream: u32,
        /// How many.
        count: usize,
        /// The element type.
        dtype: DType,
    },
}

/// Operands of indexing kernels; all views are contiguous.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The values read.
    pub x: View,
    /// The indices; unused by `ArgMax`.
    pub indices: Option<View>,
    /// The result.
    pub out: View,
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// Size of the axis that is indexed.
    pub size: usize,
    /// Number of positions along the axis in the indices.
    pub positions: usize,
    /// Product of the sizes after the axis.
    pub inner: usize,
    /// Whether there is an index for every element.
    pub along: bool,
    /// The loss whose labels the indices are.
    pub labels: Option<&'static str>,
    /// The element type of the values.
    pub dtype: DType,
}

/// One step of a program.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What it does.
    pub work: Work,
    /// The name of the primitive that stands for it.
    pub name: &'static str,
    /// The place in the user's code of that primitive.
    pub at: At,
}

/// Kernels that go row by row: row `r` of a later one touches nothing of what earlier ones
/// wrote but row `r`.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Their numbers, in order.
    pub kernels: Vec<usize>,
    /// The number of rows; `None` for a single kernel that does not go by rows.
    pub rows: Option<usize>,
}

/// Chains that do not depend on one another. Each step depends on the ones before it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The chains.
    pub chains: Vec<Chain>,
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
///         assert_eq!((plan.kernels().len(), plan.steps().len()), (1, 1));
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
    pub(crate) steps: Vec<Step>,
    pub(crate) early_inputs: usize,
    pub(crate) early_steps: usize,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) arena: usize,
    pub(crate) kept: usize,
    pub(crate) alignment: usize,
}

impl Map {
    /// The points as `[a, r, b]`: kept axes, reduced ones, trailing kept ones.
    pub(crate) fn split(&self) -> [usize; 3] {
        let reduced = |axis: usize| self.reduced.contains(&(axis as u8));
        let sizes = || self.domain.iter().copied().enumerate();
        let trailing = sizes().rev().take_while(|&(axis, _)| !reduced(axis)).count();
        let inner = self.domain.len() - trailing;
        let count = |wanted: bool| -> usize {
            sizes()
                .take(inner)
                .filter(|&(axis, _)| reduced(axis) == wanted)
                .map(|(_, n)| n)
                .product()
        };
        [count(false), count(true), self.domain[inner..].iter().product()]
    }
}

impl Kernel {
    /// Buffers read and written.
    pub(crate) fn touched(&self) -> (Vec<BufferId>, Vec<BufferId>) {
        match &self.work {
            Work::Map(map) => {
                let reads = map.loads.iter().map(|v| v.buffer).collect();
                let stores = map.stores.iter().map(|(_, v)| v.buffer);
                (reads, stores.chain(map.reductions.iter().map(|r| r.store.buffer)).collect())
            }
            Work::Product(p) => (vec![p.left.buffer, p.right.buffer], vec![p.out.buffer]),
            Work::Gather(i) | Work::Scatter(i) | Work::ArgMax(i) => {
                let mut reads = vec![i.x.buffer];
                reads.extend(i.indices.as_ref().map(|v| v.buffer));
                (reads, vec![i.out.buffer])
            }
            Work::Random { key, out, .. } => (vec![key.buffer], vec![out.buffer]),
        }
    }

    /// The rows by which it can go, each independent of the others: the first axis of a
    /// map's domain, of a product's result (or batch), of what is indexed.
    pub fn rows(&self) -> Option<usize> {
        match &self.work {
            Work::Map(map) => {
                let rows = *map.domain.first()?;
                // Long rows are reduced in parts of their own.
                let short = map.reductions.is_empty() || !map.has_long_rows;
                (!map.reduced.contains(&0) && short).then_some(rows)
            }
            Work::Product(p) => Some(p.batch.first().copied().unwrap_or(p.m)),
            Work::Gather(i) | Work::Scatter(i) | Work::ArgMax(i) => Some(i.outer),
            Work::Random { .. } => None,
        }
    }

    /// Floating-point operations, a function call counted as one.
    pub fn flops(&self) -> usize {
        match &self.work {
            Work::Map(map) => {
                let arithmetic =
                    |i: &&Instruction| !matches!(i.scalar, Scalar::Load(_) | Scalar::Constant(_));
                let each = map.code.iter().filter(arithmetic).count() + map.reductions.len();
                map.domain.count().saturating_mul(each)
            }
            // More than a number holds, where repeated operands are multiplied.
            Work::Product(p) => {
                let sizes = [p.batch.count(), p.m, p.n, p.k];
                sizes.into_iter().fold(2, usize::saturating_mul)
            }
            Work::Scatter(i) => i.outer * i.positions * i.inner,
            Work::ArgMax(i) => i.outer * i.size * i.inner,
            Work::Gather(_) => 0,
            Work::Random { count, .. } => *count,
        }
    }
}

impl Buffer {
    /// Bytes of all elements, which a shape's limit keeps below what a number holds.
    pub(crate) fn bytes(&self) -> usize {
        self.count.saturating_mul(self.dtype.size())
    }
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
    pub fn steps(&self) -> &[Step] {
        &self.steps
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

    /// How many of the first steps depend on the early inputs only.
    pub fn early_steps(&self) -> usize {
        self.early_steps
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

    /// Bytes that early steps leave for the others.
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
