//! Memory for intermediate values: taken for a run, given back after it.
//!
//! All programs of a backend share these arenas, since one that does not run needs none. A run
//! holds its arena only between the moments in which its first thread enters and leaves the pool,
//! when that thread does nothing else: so there are never more arenas in use than threads, however
//! runs are nested in one another's waiting.

use super::Base;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Zeroed words, where the system grants them.
pub(super) fn words(count: usize) -> Result<Vec<u64>> {
    let mut words: Vec<u64> = Vec::new();
    words.try_reserve_exact(count).map_err(|_| Error::Memory {
        op: "backend cpu",
        what: "intermediates".into(),
        bytes: count.saturating_mul(8),
    })?;
    words.resize(count, 0);
    Ok(words)
}

/// The first byte of some words that lies on a cache line: up to 7 words are skipped.
pub(super) fn first_line(words: *mut u64) -> *mut u8 {
    let start = words.cast::<u8>();
    start.wrapping_add(start.align_offset(64))
}

/// The memory of one run.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) words: Vec<u64>,
    /// Room for the addresses of the program's buffers.
    pub(super) bases: Vec<Base>,
}

/// What no run holds at the moment.
#[derive(Default)]
struct Idle {
    /// The one used last comes last.
    arenas: Vec<Arena>,
    /// Words that programs need, and how many programs need so many.
    needed: BTreeMap<usize, usize>,
    /// The most that one needs.
    largest: usize,
}

/// The arenas of a backend.
pub(super) struct Arenas {
    idle: Mutex<Idle>,
    /// How many are kept.
    most: usize,
}

impl std::fmt::Debug for Arenas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} idle arenas", self.lock().arenas.len())
    }
}

impl Arenas {
    /// Keeps up to `most` arenas for later runs, those used last.
    pub(super) fn new(most: usize) -> Arenas {
        Arenas { idle: Mutex::default(), most }
    }

    /// Held for some dozen instructions, never while anything runs or is allocated.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a program that needs so many words.
    pub(super) fn enter(&self, words: usize) {
        let mut idle = self.lock();
        *idle.needed.entry(words).or_default() += 1;
        idle.largest = idle.largest.max(words);
    }

    /// Takes leave of a program: what only it needed goes back to the system.
    pub(super) fn leave(&self, words: usize) {
        let mut idle = self.lock();
        if let Some(count) = idle.needed.get_mut(&words) {
            *count -= 1;
            if *count == 0 {
                idle.needed.remove(&words);
            }
        }
        idle.largest = idle.needed.last_key_value().map_or(0, |(&words, _)| words);
        let largest = idle.largest;
        let (kept, freed) = std::mem::take(&mut idle.arenas)
            .into_iter()
            .partition(|arena| arena.words.len() <= largest);
        idle.arenas = kept;
        drop(idle);
        drop::<Vec<Arena>>(freed);
    }

    /// An arena of at least so many words, of any contents.
    ///
    /// # Errors
    /// [`Error::Memory`] where the system does not grant them.
    pub(super) fn take(&self, words: usize) -> Result<Held<'_>> {
        let mut idle = self.lock();
        let sizes = idle.arenas.iter().map(|arena| arena.words.len()).enumerate();
        // The smallest that is large enough; else the largest, which then grows. Of equal ones
        // that used last, which is in the cache.
        let best = sizes.max_by_key(|&(_, size)| {
            let enough = size >= words;
            (enough, if enough { usize::MAX - size } else { size })
        });
        let arena = best.map(|(i, _)| idle.arenas.remove(i));
        drop(idle);
        let mut held = Held { arena: arena.unwrap_or_default(), arenas: self };
        if held.arena.words.len() < words {
            held.arena.words = Vec::new();
            held.arena.words = self::words(words)?;
        }
        Ok(held)
    }
}

/// An arena until it is given back.
pub(super) struct Held<'a> {
    pub(super) arena: Arena,
    arenas: &'a Arenas,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let arena = std::mem::take(&mut self.arena);
        let mut idle = self.arenas.lock();
        let mut gone = None;
        if (1..=idle.largest).contains(&arena.words.len()) {
            idle.arenas.push(arena);
            if idle.arenas.len() > self.arenas.most {
                gone = Some(idle.arenas.remove(0));
            }
        }
        drop(idle);
        drop(gone);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Arenas;

    fn sizes(arenas: &Arenas) -> Vec<usize> {
        arenas.lock().arenas.iter().map(|arena| arena.words.len()).collect()
    }

    #[test]
    fn programs_that_do_not_run_at_once_share_one_arena() {
        let arenas = Arenas::new(4);
        for words in 1..400 {
            arenas.enter(words);
            drop(arenas.take(words).unwrap());
            assert_eq!(sizes(&arenas), [words]);
        }
        drop(arenas.take(7).unwrap());
        assert_eq!(sizes(&arenas), [399]);
        (2..400).for_each(|words| arenas.leave(words));
        assert!(sizes(&arenas).is_empty());
    }

    #[test]
    fn those_used_last_are_kept_and_the_smallest_that_fits_is_taken() {
        let arenas = Arenas::new(2);
        [10, 20, 30].iter().for_each(|&words| arenas.enter(words));
        let held = [10, 20, 30].map(|words| arenas.take(words).unwrap());
        assert!(sizes(&arenas).is_empty());
        drop(held);
        assert_eq!(sizes(&arenas), [20, 30]);
        let small = arenas.take(5).unwrap();
        assert_eq!((small.arena.words.len(), sizes(&arenas)), (20, vec![30]));
        drop(small);
        // What no program needs any more is not kept, also where a run still holds it.
        let large = arenas.take(30).unwrap();
        arenas.leave(30);
        drop(large);
        assert_eq!(sizes(&arenas), [20]);
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        let arenas = Arenas::new(2);
        assert!(arenas.take(usize::MAX / 8).is_err());
        assert!(arenas.take(usize::MAX).is_err());
    }
}
