//! Where the threads come from: rayon's global pool, one of our own, or none.

use super::memory::Base;
use super::team::Team;
use crate::error::{Error, Result};
use rayon::ThreadPool;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

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
    pub(super) fn run(
        &self,
        team: &Team<'_>,
        first: impl FnOnce(&Team<'_>) -> Result<()> + Send,
    ) -> Result<()> {
        let helpers = self.threads() - 1;
        match &self.kind {
            Kind::Own(pool) if in_another(pool) => wait(pool, || team.run(helpers, first)),
            Kind::Own(pool) => pool.install(|| team.run(helpers, first)),
            _ => team.run(helpers, first),
        }
    }
}

/// Whether this thread works for another pool than this one.
fn in_another(pool: &ThreadPool) -> bool {
    rayon::current_thread_index().is_some() && pool.current_thread_index().is_none()
}

/// What a pool runs for a thread that waits.
struct Job<F> {
    run: Option<F>,
    result: std::thread::Result<Result<()>>,
}

/// # Safety
/// `job` shows a job of this type, which nobody else touches.
unsafe fn execute<F: FnOnce() -> Result<()>>(job: Base) {
    // SAFETY: the caller's.
    let job = unsafe { &mut *job.0.cast::<Job<F>>() };
    if let Some(run) = job.run.take() {
        job.result = catch_unwind(AssertUnwindSafe(run));
    }
}

/// Waits on a thread of another pool for what runs in this one. `install` would take up tasks of
/// that pool meanwhile, which may begin a run and wait as well, and so on to the end of the stack.
/// Here nothing runs that waits for others, so it comes to an end while this thread sleeps.
fn wait<F: FnOnce() -> Result<()> + Send>(pool: &ThreadPool, run: F) -> Result<()> {
    let mut job = Job { run: Some(run), result: Ok(Ok(())) };
    let address = Base(std::ptr::from_mut(&mut job).cast());
    let execute: unsafe fn(Base) = execute::<F>;
    // Shared, since the pool's thread may still be waking this one when it has gone on.
    let done = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = Arc::clone(&done);
    pool.spawn(move || {
        // SAFETY: the job lies on the stack of a thread that sleeps until this is done; what it
        // runs may be sent, as the bound says.
        unsafe { execute(address) };
        *theirs.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        theirs.1.notify_one();
    });
    let mut is_done = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_done {
        is_done = done.1.wait(is_done).unwrap_or_else(PoisonError::into_inner);
    }
    job.result.unwrap_or_else(|panic| resume_unwind(panic))
}
