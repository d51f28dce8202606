//! Which kernels may run side by side, and where all must wait for one another.
//!
//! A *pipeline* is a list of kernels that go row by row: row `r` of a later one touches nothing
//! of what earlier ones wrote but row `r`. So a thread takes some rows through the whole
//! pipeline, and they stay in its cache. The pipelines of a *phase* are independent. Between phases
//! all threads meet.

use super::{Costs, Phase, RowPipeline};
use crate::work::{Access, Accesses, Buffer, BufferId, Kernel};

/// A kernel of the phase being built.
struct Placed {
    pipeline: usize,
    accesses: Accesses,
}

struct Builder<'a> {
    costs: &'a Costs,
    phases: Vec<Phase>,
    placed: Vec<Placed>,
    pipelines: Vec<RowPipeline>,
    bytes: usize,
    flops: usize,
}

impl Builder<'_> {
    fn close(&mut self) {
        if !self.pipelines.is_empty() {
            self.phases.push(Phase { pipelines: std::mem::take(&mut self.pipelines) });
        }
        self.placed.clear();
        (self.bytes, self.flops) = (0, 0);
    }

    fn add(&mut self, number: usize, kernel: &Kernel, buffers: &[Buffer]) {
        let kind = kernel.work.kind();
        let (rows, accesses) = (kind.rows(), kind.accesses());
        let written: usize = accesses
            .iter()
            .filter(|a| a.write)
            .map(|a| a.count().saturating_mul(buffers[a.buffer].dtype.size()))
            .fold(0, usize::saturating_add);
        let flops = kind.flops_to_keep_together();
        let full = self.placed.len() >= self.costs.largest_phase
            || (!self.placed.is_empty()
                && (self.bytes.saturating_add(written) > self.costs.step_bytes
                    || self.flops.saturating_add(flops) > self.costs.large_kernel));
        if full {
            self.close();
        }
        // The pipeline on which this kernel depends; none, one, or too many.
        let mut joins: Option<usize> = None;
        let mut fits = true;
        for p in &self.placed {
            for a in &p.accesses {
                for b in &accesses {
                    if !a.conflicts(b) {
                        continue;
                    }
                    fits &= rows.is_some()
                        && self.pipelines[p.pipeline].rows == rows
                        && a.meets_in_equal_rows(b)
                        && joins.is_none_or(|pipeline| pipeline == p.pipeline);
                    joins = Some(p.pipeline);
                }
            }
        }
        if let Some(pipeline) = joins {
            fits &= self.pipelines[pipeline].kernels.len() < self.costs.longest_pipeline;
        }
        if !fits {
            self.close();
            joins = None;
        }
        let pipeline = joins.unwrap_or_else(|| {
            self.pipelines.push(RowPipeline { kernels: Vec::new(), rows });
            self.pipelines.len() - 1
        });
        self.pipelines[pipeline].kernels.push(number);
        self.placed.push(Placed { pipeline, accesses });
        self.bytes = self.bytes.saturating_add(written);
        self.flops = self.flops.saturating_add(flops);
    }
}

/// The phases of a list of kernels, in order; the first `early` kernels share no phase with
/// the others. Returns also how many phases are early.
pub(super) fn phases(
    kernels: &[Kernel],
    early: usize,
    buffers: &[Buffer],
    costs: &Costs,
) -> (Vec<Phase>, usize) {
    let mut builder = Builder {
        costs,
        phases: Vec::new(),
        placed: Vec::new(),
        pipelines: Vec::new(),
        bytes: 0,
        flops: 0,
    };
    let mut early_phases = 0;
    for (number, kernel) in kernels.iter().enumerate() {
        if number == early {
            builder.close();
            early_phases = builder.phases.len();
        }
        builder.add(number, kernel, buffers);
    }
    builder.close();
    if early == kernels.len() {
        early_phases = builder.phases.len();
    }
    (builder.phases, early_phases)
}

/// Whether `kernel` may write `write` where `read` lay, which another kernel of its pipeline
/// touches: they meet in equal rows only.
pub(super) fn may_replace(
    kernel: &Kernel,
    write: BufferId,
    other: &Kernel,
    read: BufferId,
) -> bool {
    let (kernel, other) = (kernel.work.kind(), other.work.kind());
    let (rows, own, theirs) = (kernel.rows(), kernel.accesses(), other.accesses());
    let store = own.iter().find(|a| a.write && a.buffer == write);
    let meet = |store: &Access| {
        theirs.iter().filter(|a| a.buffer == read).all(|a| a.meets_in_equal_rows(store))
    };
    rows.is_some() && rows == other.rows() && store.is_some_and(meet)
}
