//! Which kernels may run side by side, and where all must wait for one another.
//!
//! A *chain* is a list of kernels that go row by row: row `r` of a later one touches nothing
//! of what earlier ones wrote but row `r`. So a thread takes some rows through the whole
//! chain, and they stay in its cache. The chains of a *step* are independent. Between steps
//! all threads meet.

use super::{Chain, Costs, Step};
use crate::work::{Access, Accesses, Buffer, BufferId, Kernel};

/// A kernel of the step being built.
struct Placed {
    chain: usize,
    accesses: Accesses,
}

struct Builder<'a> {
    costs: &'a Costs,
    steps: Vec<Step>,
    placed: Vec<Placed>,
    chains: Vec<Chain>,
    bytes: usize,
    flops: usize,
}

impl Builder<'_> {
    fn close(&mut self) {
        if !self.chains.is_empty() {
            self.steps.push(Step { chains: std::mem::take(&mut self.chains) });
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
        let full = self.placed.len() >= self.costs.largest_step
            || (!self.placed.is_empty()
                && (self.bytes.saturating_add(written) > self.costs.step_bytes
                    || self.flops.saturating_add(flops) > self.costs.large_kernel));
        if full {
            self.close();
        }
        // The chain on which this kernel depends; none, one, or too many.
        let mut joins: Option<usize> = None;
        let mut fits = true;
        for p in &self.placed {
            for a in &p.accesses {
                for b in &accesses {
                    if !a.conflicts(b) {
                        continue;
                    }
                    fits &= rows.is_some()
                        && self.chains[p.chain].rows == rows
                        && a.meets_in_equal_rows(b)
                        && joins.is_none_or(|chain| chain == p.chain);
                    joins = Some(p.chain);
                }
            }
        }
        if let Some(chain) = joins {
            fits &= self.chains[chain].kernels.len() < self.costs.longest_chain;
        }
        if !fits {
            self.close();
            joins = None;
        }
        let chain = joins.unwrap_or_else(|| {
            self.chains.push(Chain { kernels: Vec::new(), rows });
            self.chains.len() - 1
        });
        self.chains[chain].kernels.push(number);
        self.placed.push(Placed { chain, accesses });
        self.bytes = self.bytes.saturating_add(written);
        self.flops = self.flops.saturating_add(flops);
    }
}

/// The steps of a list of kernels, in order; the first `early` kernels share no step with
/// the others. Returns also how many steps are early.
pub(super) fn steps(
    kernels: &[Kernel],
    early: usize,
    buffers: &[Buffer],
    costs: &Costs,
) -> (Vec<Step>, usize) {
    let mut builder = Builder {
        costs,
        steps: Vec::new(),
        placed: Vec::new(),
        chains: Vec::new(),
        bytes: 0,
        flops: 0,
    };
    let mut early_steps = 0;
    for (number, kernel) in kernels.iter().enumerate() {
        if number == early {
            builder.close();
            early_steps = builder.steps.len();
        }
        builder.add(number, kernel, buffers);
    }
    builder.close();
    if early == kernels.len() {
        early_steps = builder.steps.len();
    }
    (builder.steps, early_steps)
}

/// Whether `kernel` may write `write` where `read` lay, which another kernel of its chain
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
