//! Kinds of work: what a kernel reads, writes and costs, whoever plans it and whatever computes it.

mod access;
mod along;
mod indexed;
mod lowering;
mod map;
mod product;
mod random;
mod strides;

pub(crate) use access::{Access, Accesses};
pub use along::{Along, Pass};
pub use indexed::{Gather, Indexed, Scatter};
pub(crate) use lowering::{Added, Emit, Kernels, Lowering, Movement, Strided};
pub use map::{Combine, Instruction, Map, Reduction, Register, Scalar};
pub use product::Product;
pub use random::Draw;
pub(crate) use strides::{is_contiguous, reshaped_strides};

use crate::DType;
use crate::error::At;
use crate::shape::Strides;

/// A buffer, by its number in [`Plan::buffers`](crate::Plan::buffers).
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
    /// What early phases leave for the others, at a byte offset.
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

impl Buffer {
    /// Bytes of all elements, which a shape's limit keeps below what a number holds.
    pub(crate) fn bytes(&self) -> usize {
        self.count.saturating_mul(self.dtype.size())
    }
}

/// Hands the list of kinds to a macro.
macro_rules! kinds {
    ($to:ident) => {
        $to! {
            /// A fused elementwise expression, with reductions at its end.
            Map(Map);
            /// Matrix products.
            Product(Product);
            /// Elements at indices.
            Gather(Gather);
            /// Sums at indices.
            Scatter(Scatter);
            /// A pass along an axis.
            Along(Along);
            /// Random elements.
            Draw(Draw);
        }
    };
}
pub(crate) use kinds;

macro_rules! define {
    ($($(#[$doc:meta])+ $variant:ident($type:ty);)*) => {
        /// What a kernel does.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Work {
            $($(#[$doc])+ $variant($type),)*
        }

        impl Work {
            /// What is true of it.
            pub(crate) fn kind(&self) -> &dyn Kind {
                match self { $(Work::$variant(kind) => kind,)* }
            }

            /// The same, to change what the planner decides.
            pub(crate) fn kind_mut(&mut self) -> &mut dyn Kind {
                match self { $(Work::$variant(kind) => kind,)* }
            }
        }

        $(impl From<$type> for Work {
            fn from(work: $type) -> Work {
                Work::$variant(work)
            }
        })*
    };
}
kinds!(define);

/// What is true of a kind of work.
pub(crate) trait Kind {
    /// The rows by which it can go, each independent of the others.
    fn rows(&self) -> Option<usize>;

    /// All that it reads and writes.
    fn accesses(&self) -> Accesses;

    /// Floating-point operations, a function call counted as one.
    fn flops(&self) -> usize;

    /// Those of them that gain from being done at once, since dividing them copies an operand more
    /// often.
    fn flops_to_keep_together(&self) -> usize {
        self.flops()
    }

    /// Lets rows of more points than these be reduced in parts of their own.
    fn divide_rows_beyond(&mut self, points: usize) {
        let _ = points;
    }

    /// Its name and sizes, as in listings.
    fn describe(&self) -> String;

    /// A buffer among the dying ones that is read before its place in `write` is written, if there
    /// is one: its place may be taken over.
    fn in_place(
        &self,
        write: BufferId,
        buffers: &[Buffer],
        dying: &dyn Fn(BufferId) -> bool,
    ) -> Option<BufferId> {
        let _ = (write, buffers, dying);
        None
    }
}

/// One phase of a program.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What it does.
    pub work: Work,
    /// The name of the primitive that stands for it.
    pub name: &'static str,
    /// The place in the user's code of that primitive.
    pub at: At,
}

impl Kernel {
    /// Buffers read and written.
    pub(crate) fn touched(&self) -> (Vec<BufferId>, Vec<BufferId>) {
        let all = self.work.kind().accesses();
        let those = |write| all.iter().filter(|a| a.write == write).map(|a| a.buffer).collect();
        (those(false), those(true))
    }

    /// The rows by which it can go, each independent of the others: the first axis of a
    /// map's domain, of a product's result (or batch), of what is indexed.
    pub fn rows(&self) -> Option<usize> {
        self.work.kind().rows()
    }

    /// Floating-point operations, a function call counted as one.
    pub fn flops(&self) -> usize {
        self.work.kind().flops()
    }
}
