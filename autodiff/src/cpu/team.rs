//! Threads that share the phases of one run.
//!
//! The first thread publishes a phase as a number of tasks; it and its helpers claim tasks
//! one by one. A helper that comes late finds less to do, and nobody waits for it: the first
//! thread waits only for tasks that somebody has begun.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the claim word holds: the epoch, the tasks of the phase, the next task.
const TASK_BITS: u32 = 20;
const TASKS: u64 = (1 << TASK_BITS) - 1;
/// More tasks than this are claimed as fewer, larger ones.
pub(super) const MOST_TASKS: usize = TASKS as usize - 64;
/// The epoch after which helpers leave.
const CLOSED: u64 = u64::MAX;

pub(super) struct Team<'a> {
    claim: AtomicU64,
    phase: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicBool,
    failure: Mutex<Option<(usize, Error)>>,
    /// Does a task of a phase.
    work: &'a (dyn Fn(usize, usize) -> Result<()> + Sync),
}

/// Counts a task as done even when it panics, so that nobody waits for ever.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// When the first thread panics, nobody claims tasks any more, and those that were are waited for:
/// their memory is the first thread's.
struct Settle<'a>(&'a Team<'a>);

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        let claimed = (self.0.claim.swap(CLOSED, Ordering::AcqRel) & TASKS) as usize;
        self.0.wait(claimed);
    }
}

/// Lets helpers go, also when the first thread panics.
struct Close<'a>(&'a AtomicU64);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.store(CLOSED, Ordering::Release);
    }
}

/// Waits a little, and lets others run when it takes longer.
fn pause(turns: &mut u32) {
    *turns += 1;
    if *turns < 2000 {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

impl<'a> Team<'a> {
    pub(super) fn new(work: &'a (dyn Fn(usize, usize) -> Result<()> + Sync)) -> Team<'a> {
        Team {
            claim: AtomicU64::new(0),
            phase: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            work,
        }
    }

    /// Runs `first` on this thread while up to `helpers` others help with its phases.
    pub(super) fn run<R: Send>(&self, helpers: usize, first: impl FnOnce(&Self) -> R + Send) -> R {
        fn assist(team: &Team<'_>, helpers: usize) {
            match helpers {
                1 => team.help(),
                _ => {
                    rayon::join(|| team.help(), || assist(team, helpers - 1));
                }
            }
        }
        let first = || {
            let _close = Close(&self.claim);
            first(self)
        };
        match helpers {
            0 => first(),
            _ => rayon::join(first, || assist(self, helpers)).0,
        }
    }

    /// All tasks of a phase.
    pub(super) fn phase(&self, phase: usize, tasks: usize) -> Result<()> {
        self.phase.store(phase, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        let epoch = (self.claim.load(Ordering::Relaxed) >> (2 * TASK_BITS)) + 1;
        let word = (epoch << (2 * TASK_BITS)) | ((tasks as u64) << TASK_BITS);
        self.claim.store(word, Ordering::Release);
        let settle = Settle(self);
        while let Some(task) = self.take(epoch) {
            self.task(phase, task);
        }
        std::mem::forget(settle);
        self.wait(tasks);
        if self.failed.load(Ordering::Relaxed) {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, error)) = failure.take() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Waits until so many tasks of the present phase are done.
    fn wait(&self, tasks: usize) {
        let mut turns = 0;
        while self.done.load(Ordering::Acquire) < tasks {
            pause(&mut turns);
        }
    }

    fn take(&self, epoch: u64) -> Option<usize> {
        let mut word = self.claim.load(Ordering::Acquire);
        loop {
            let (tasks, next) = ((word >> TASK_BITS) & TASKS, word & TASKS);
            if word == CLOSED || word >> (2 * TASK_BITS) != epoch || next >= tasks {
                return None;
            }
            match self.claim.compare_exchange_weak(
                word,
                word + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(next as usize),
                Err(now) => word = now,
            }
        }
    }

    fn task(&self, phase: usize, task: usize) {
        let _done = Done(&self.done);
        if let Err(error) = (self.work)(phase, task) {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            // The same error at any number of threads: that of the first task.
            if failure.as_ref().is_none_or(|(t, _)| task < *t) {
                *failure = Some((task, error));
            }
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    fn help(&self) {
        let mut turns = 0;
        loop {
            let word = self.claim.load(Ordering::Acquire);
            if word == CLOSED {
                return;
            }
            let epoch = word >> (2 * TASK_BITS);
            match self.take(epoch) {
                Some(task) => {
                    // The phase stays until this task is done.
                    self.task(self.phase.load(Ordering::Relaxed), task);
                    turns = 0;
                }
                None => pause(&mut turns),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn every_task_runs_once_in_its_step() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
        let counts: Vec<AtomicU32> = (0..200 * 7).map(|_| AtomicU32::new(0)).collect();
        let now = AtomicUsize::new(0);
        let work = |phase: usize, task: usize| {
            assert_eq!(now.load(Ordering::SeqCst), phase);
            counts[phase * 7 + task].fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let team = Team::new(&work);
        let run = || {
            team.run(3, |team| {
                for phase in 0..200 {
                    now.store(phase, Ordering::SeqCst);
                    assert!(team.phase(phase, 7).is_ok());
                }
            });
        };
        match &pool {
            Ok(pool) => pool.install(run),
            Err(_) => run(),
        }
        assert!(counts.iter().all(|c| c.load(Ordering::SeqCst) == 1));
    }

    #[test]
    fn the_first_failure_is_told() {
        let error = |task: usize| Error::Backend { backend: "cpu", problem: format!("{task}") };
        let work = |_: usize, task: usize| if task > 2 { Err(error(task)) } else { Ok(()) };
        let team = Team::new(&work);
        let result = team.run(1, |team| team.phase(0, 9));
        assert!(result.is_err_and(|e| e.to_string().contains('3')));
    }
}
