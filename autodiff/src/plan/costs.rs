//! What the planner must know of a machine.

use crate::graph::{Binary, Op, Unary};

/// Figures of the machine that a backend's programs run on, for the planner: they decide what is
/// computed together and in which memory, never what is computed.
///
/// The default is a machine that does one kernel after the other, in which nothing is gained where
/// several share a cache: an in-order stream of a device. A backend changes what is otherwise:
///
/// ```
/// use burlap_autodiff::{Backend, Costs, Cpu};
/// let gpu = Costs { alignment: 256, ..Costs::default() };
/// assert_eq!((gpu.longest_pipeline, gpu.largest_phase), (1, 1));
/// assert!(Cpu::new().costs().longest_pipeline > 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Operations of a fused expression while it grows: the values of one point are held at once in
    /// registers, or blocks of them in the nearest cache.
    pub growing_expression: usize,
    /// Operations of a fused expression that takes others in, at most.
    pub largest_expression: usize,
    /// Operations that an expression computes again at most, to read fewer bytes: more cost more
    /// than a pass through memory.
    pub most_recomputed: usize,
    /// Whether an elementwise operation on a point is cheaper than a pass through memory, for one
    /// number each way.
    pub is_cheap: fn(&Op) -> bool,
    /// Points of a row from which on a reduction along it is divided. Such rows are not taken
    /// through pipelines.
    pub long_row: usize,
    /// Kernels that take a row through all of them while it is in a cache, at most: looking for
    /// what they share takes the square of it.
    pub longest_pipeline: usize,
    /// Kernels that may run side by side, at most.
    pub largest_phase: usize,
    /// Bytes that one phase newly writes at most: all of them live until its end.
    pub step_bytes: usize,
    /// Floating-point operations from which on a kernel gains nothing from neighbours.
    pub large_kernel: usize,
    /// Bytes of which the offsets of values in memory are multiples: a cache line or the widest
    /// access, a power of two of at least 8.
    pub alignment: usize,
}

impl Default for Costs {
    fn default() -> Costs {
        Costs {
            growing_expression: 64,
            largest_expression: 128,
            most_recomputed: 24,
            is_cheap: is_arithmetic,
            long_row: 1 << 13,
            longest_pipeline: 1,
            largest_phase: 1,
            step_bytes: usize::MAX,
            large_kernel: usize::MAX,
            alignment: 64,
        }
    }
}

/// Sums, products, comparisons and choices, and no division or function.
pub(crate) fn is_arithmetic(op: &Op) -> bool {
    match op {
        Op::Unary(f) => matches!(f, Unary::Neg | Unary::Abs | Unary::Sign),
        Op::Binary(f) => !matches!(f, Binary::Div | Binary::Pow),
        Op::Compare(_) | Op::Select => true,
        _ => false,
    }
}
