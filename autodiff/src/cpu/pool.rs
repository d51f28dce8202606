//! Threads: entered once a run, and only by programs with work worth dividing.

use crate::error::{Error, Result};
use crate::program::plan::{Kernel, Work};
use rayon::ThreadPool;
use std::sync::Arc;

#[derive(Clone)]
pub(super) enum Kind {
    Inline,
    Global,
    Own(Arc<ThreadPool>),
}

/// Where kernels run.
#[derive(Clone)]
pub(super) struct Pool {
    kind: Kind,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} threads", self.threads())
    }
}

/// Element operations below which dividing costs more than it saves: waking a worker takes
/// some ten microseconds, in which one thread does about this much.
const WORTH: usize = 1 << 16;

/// Flops of a product below which it is not divided: about twenty microseconds of one thread.
pub(super) const PRODUCT_WORTH: usize = 2_000_000;

pub(super) fn is_worth_dividing(kernel: &Kernel) -> bool {
    match &kernel.work {
        Work::Map(_) => is_map_worth(kernel.flops()),
        Work::Product(_) => kernel.flops() >= PRODUCT_WORTH,
        _ => false,
    }
}

pub(super) fn is_map_worth(flops: usize) -> bool {
    flops >= WORTH
}

impl Pool {
    pub(super) fn inline() -> Pool {
        Pool { kind: Kind::Inline }
    }

    pub(super) fn global() -> Pool {
        Pool { kind: if rayon::current_num_threads() > 1 { Kind::Global } else { Kind::Inline } }
    }

    pub(super) fn own(threads: usize) -> Result<Pool> {
        let fail = |problem: String| Error::Backend { backend: "cpu", problem };
        match threads {
            0 => Err(fail("0 threads were asked for; at least one is needed".into())),
            1 => Ok(Pool::inline()),
            _ => {
                let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let pool = built.map_err(|e| fail(format!("{threads} threads: {e}")))?;
                Ok(Pool { kind: Kind::Own(Arc::new(pool)) })
            }
        }
    }

    pub(super) fn threads(&self) -> usize {
        match &self.kind {
            Kind::Inline => 1,
            Kind::Global => rayon::current_num_threads(),
            Kind::Own(pool) => pool.current_num_threads(),
        }
    }

    /// Runs on the pool's threads; tells whether work can be divided.
    pub(super) fn enter<R: Send>(&self, f: impl FnOnce(bool) -> R + Send) -> R {
        match &self.kind {
            Kind::Inline => f(false),
            Kind::Global => rayon::scope(|_| f(true)),
            Kind::Own(pool) => pool.install(|| f(true)),
        }
    }
}

/// Runs `f` for `0..n`, divided or not.
pub(super) fn each(n: usize, divide: bool, f: impl Fn(usize) + Sync + Send) {
    use rayon::prelude::*;
    if divide && n > 1 {
        (0..n).into_par_iter().with_max_len(1).for_each(f);
    } else {
        (0..n).for_each(f);
    }
}
