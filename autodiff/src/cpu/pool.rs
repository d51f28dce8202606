//! Where the threads come from: rayon's global pool, one of our own, or none.

use super::team::Team;
use crate::error::{Error, Result};
use rayon::ThreadPool;
use std::sync::Arc;

/// Threads that a pool of our own may have on any machine.
const MOST_THREADS: usize = 64;

/// The processors that this process may use.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[derive(Clone)]
enum Kind {
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

impl Pool {
    pub(super) fn global() -> Pool {
        Pool { kind: if rayon::current_num_threads() > 1 { Kind::Global } else { Kind::Inline } }
    }

    pub(super) fn own(threads: usize) -> Result<Pool> {
        let fail = |problem: String| Error::Backend { backend: "cpu", problem };
        match threads {
            0 => Err(fail("0 threads were asked for; at least one is needed".into())),
            1 => Ok(Pool { kind: Kind::Inline }),
            _ => {
                let threads = threads.min(MOST_THREADS.max(processors()));
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

    /// Enters the pool once, and runs `first` there with the help of its other threads.
    pub(super) fn run<R: Send>(
        &self,
        team: &Team<'_>,
        first: impl FnOnce(&Team<'_>) -> R + Send,
    ) -> R {
        let helpers = self.threads() - 1;
        match &self.kind {
            Kind::Own(pool) => pool.install(|| team.run(helpers, first)),
            _ => team.run(helpers, first),
        }
    }
}
