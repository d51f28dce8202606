//! What the planner must know of a processor: figures of cores with 32 KB of first-level and some
//! hundred KB of second-level cache each, whose threads share phases.

use crate::plan::{Costs, is_arithmetic};

/// Points of a row from which a reduction along it is divided; it fixes the order of sums.
pub(super) const LONG_ROW: usize = 1 << 13;

/// Pipelines of a phase, at most.
pub(super) const LARGEST_PHASE: usize = 48;

/// Bytes of a cache line, and of the widest vector.
pub(super) const ALIGNMENT: usize = 64;

pub(super) fn costs() -> Costs {
    Costs {
        // The registers of a block stay in the first-level cache.
        growing_expression: 64,
        largest_expression: 128,
        // More cost more than a pass.
        most_recomputed: 24,
        is_cheap: is_arithmetic,
        long_row: LONG_ROW,
        longest_pipeline: 24,
        largest_phase: LARGEST_PHASE,
        step_bytes: 32 << 20,
        large_kernel: 100_000_000,
        alignment: ALIGNMENT,
    }
}
