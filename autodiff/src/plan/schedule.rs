//! Which kernels may run side by side, and where all must wait for one another.
//!
//! A *chain* is a list of kernels that go row by row: row `r` of a later one touches nothing
//! of what earlier ones wrote but row `r`. So a thread takes some rows through the whole
//! chain, and they stay in its cache. The chains of a *step* are independent. Between steps
//! all threads meet.

use super::{Buffer, BufferId, Chain, Costs, Kernel, Step, View, Work};
use smallvec::SmallVec;

/// The elements of a buffer that a kernel touches.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) buffer: BufferId,
    write: bool,
    /// The first and last element of all.
    span: (isize, isize),
    /// For kernels that go by rows: the distance of rows, and the span of the first one.
    row: Option<(isize, (isize, isize))>,
}

/// First and last offset reached from an offset along axes.
fn span(offset: isize, sizes: &[usize], strides: &[isize]) -> (isize, isize) {
    let mut span = (offset, offset);
    for (&n, &s) in sizes.iter().zip(strides) {
        let reach = (n as isize - 1).max(0) * s;
        if reach < 0 { span.0 += reach } else { span.1 += reach }
    }
    span
}

fn access(view: &View, write: bool, sizes: &[usize], by_rows: bool) -> Access {
    let row = (by_rows && !view.strides.is_empty())
        .then(|| (view.strides[0], span(view.offset, &sizes[1..], &view.strides[1..])));
    Access { buffer: view.buffer, write, span: span(view.offset, sizes, &view.strides), row }
}

/// The rows by which a kernel goes, if it does, and all that it touches.
fn accesses(kernel: &Kernel) -> (Option<usize>, SmallVec<[Access; 8]>) {
    let mut all: SmallVec<[Access; 8]> = SmallVec::new();
    let rows = kernel.rows();
    let by_rows = rows.is_some();
    match &kernel.work {
        Work::Map(map) => {
            for view in &map.loads {
                all.push(access(view, false, &map.domain, by_rows));
            }
            for (_, view) in &map.stores {
                all.push(access(view, true, &map.domain, by_rows));
            }
            let kept = map.domain.without(&map.reduced);
            for r in &map.reductions {
                all.push(access(&r.store, true, &kept, by_rows));
            }
        }
        Work::Product(p) => {
            let mut add = |view: &View, write, m, n| {
                let sizes: SmallVec<[usize; 8]> = p.batch.iter().copied().chain([m, n]).collect();
                all.push(access(view, write, &sizes, by_rows));
            };
            add(&p.left, false, p.m, p.k);
            add(&p.out, true, p.m, p.n);
            add(&p.right, false, p.k, p.n);
            if let (true, Some(right)) = (p.batch.is_empty(), all.last_mut()) {
                // Every row of the result reads all of it.
                right.row = Some((0, right.span));
            }
        }
        Work::Gather(i) | Work::Scatter(i) | Work::ArgMax(i) => {
            let mut add = |view: &View, write, size: usize, rows: bool| {
                let (o, n) = (view.offset, (size * i.inner) as isize);
                let span = (o, o + n * i.outer as isize - 1);
                let row = (by_rows && rows).then_some((n, (o, o + n - 1)));
                all.push(Access { buffer: view.buffer, write, span, row });
            };
            let (from, to) = match kernel.work {
                Work::Gather(_) => (i.size, i.positions),
                Work::Scatter(_) => (i.positions, i.size),
                _ => (i.size, 1),
            };
            add(&i.x, false, from, true);
            add(&i.out, true, to, true);
            if let Some(view) = &i.indices {
                if i.along {
                    add(view, false, i.positions, true);
                } else {
                    let span = (view.offset, view.offset + i.positions as isize - 1);
                    let row = by_rows.then_some((0, span));
                    all.push(Access { buffer: view.buffer, write: false, span, row });
                }
            }
        }
        Work::Random { key, out, count, .. } => {
            let last = out.offset + *count as isize - 1;
            all.push(Access {
                buffer: out.buffer,
                write: true,
                span: (out.offset, last),
                row: None,
            });
            let span = (key.offset, key.offset + 1);
            all.push(Access { buffer: key.buffer, write: false, span, row: None });
        }
    }
    (rows, all)
}

fn overlap(a: (isize, isize), b: (isize, isize)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// Whether the order of two accesses matters.
fn conflict(a: &Access, b: &Access) -> bool {
    a.buffer == b.buffer && (a.write || b.write) && overlap(a.span, b.span)
}

/// Whether two accesses meet in equal rows only.
fn aligned(a: &Access, b: &Access) -> bool {
    let (Some((step_a, a)), Some((step_b, b))) = (a.row, b.row) else {
        return false;
    };
    let window = a.1.max(b.1) - a.0.min(b.0);
    step_a == step_b && window < step_a
}

/// A kernel of the step being built.
struct Placed {
    chain: usize,
    accesses: SmallVec<[Access; 8]>,
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
        let (rows, accesses) = accesses(kernel);
        let written: usize = accesses
            .iter()
            .filter(|a| a.write)
            .map(|a| (a.span.1 - a.span.0 + 1).max(0) as usize)
            .zip(accesses.iter().filter(|a| a.write))
            .map(|(n, a)| n.saturating_mul(buffers[a.buffer].dtype.size()))
            .fold(0, usize::saturating_add);
        // Products of their own in every row copy no operand more often for being divided.
        let flops = match &kernel.work {
            Work::Product(p) if !p.batch.is_empty() => 0,
            _ => kernel.flops(),
        };
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
                    if !conflict(a, b) {
                        continue;
                    }
                    fits &= rows.is_some()
                        && self.chains[p.chain].rows == rows
                        && aligned(a, b)
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
    let (rows, own) = accesses(kernel);
    let (other_rows, theirs) = accesses(other);
    let store = own.iter().find(|a| a.write && a.buffer == write);
    let meet =
        |store: &Access| theirs.iter().filter(|a| a.buffer == read).all(|a| aligned(a, store));
    rows.is_some() && rows == other_rows && store.is_some_and(meet)
}
