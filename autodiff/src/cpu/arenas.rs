//! Memory of intermediate values: taken for a run, given back for the next one, of whatever
//! program. Programs that never run at once need no more than the largest of them does.
//!
//! A run holds its arena only while its first thread does nothing else: not while it waits for the
//! pool, where it may begin another run. So there are never more arenas in use than threads, however
//! runs are nested in one another's waiting.

use super::memory::Base;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// As many runs at once find memory again; what more of them used is freed.
const KEPT: usize = 64;

/// The memory that programs of one backend and its clones share.
#[derive(Clone, Default)]
pub(super) struct Arenas(Arc<Mutex<Idle>>);

/// What no run holds at the moment.
#[derive(Default)]
struct Idle {
    /// The one used last comes last.
    arenas: Vec<Memory>,
    /// How many programs need so many words, and the most that one needs.
    needed: BTreeMap<usize, usize>,
    largest: usize,
}

#[derive(Default)]
struct Memory {
    words: Vec<u64>,
    /// Room for the addresses of a program's buffers.
    bases: Vec<Base>,
}

/// A program's claim on memory.
pub(super) struct Claim {
    arenas: Arenas,
    words: usize,
}

/// Memory of any contents, until it is given back.
pub(super) struct Arena<'a> {
    memory: Memory,
    home: &'a Arenas,
}

impl std::fmt::Debug for Arenas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} idle", self.lock().arenas.len())
    }
}

impl Arenas {
    /// Held for some dozen instructions, never while anything runs or is allocated; so nothing is
    /// left half-done by what panicked.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for the runs of a program, from now on. The first run makes it: a program that is
    /// only bound has none.
    ///
    /// # Errors
    /// [`Error::Memory`] where there is not so much.
    pub(super) fn claim(&self, words: usize) -> Result<Claim> {
        reserve(words)?;
        let mut idle = self.lock();
        *idle.needed.entry(words).or_default() += 1;
        idle.largest = idle.largest.max(words);
        Ok(Claim { arenas: self.clone(), words })
    }
}

impl Claim {
    /// Memory for one run.
    ///
    /// # Errors
    /// [`Error::Memory`] where there is not so much.
    pub(super) fn take(&self) -> Result<Arena<'_>> {
        let mut idle = self.arenas.lock();
        let sizes = idle.arenas.iter().map(|memory| memory.words.len()).enumerate();
        // The smallest that is large enough; else the largest, which then grows. Of equal ones
        // that used last, which is in the cache.
        let best = sizes.max_by_key(|&(_, size)| {
            let enough = size >= self.words;
            (enough, if enough { usize::MAX - size } else { size })
        });
        let memory = best.map(|(i, _)| idle.arenas.remove(i));
        drop(idle);
        let mut arena = Arena { memory: memory.unwrap_or_default(), home: &self.arenas };
        if arena.memory.words.len() < self.words {
            arena.memory.words = Vec::new();
            arena.memory.words = words(self.words)?;
        }
        Ok(arena)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut idle = self.arenas.lock();
        if let Some(programs) = idle.needed.get_mut(&self.words) {
            *programs -= 1;
            if *programs == 0 {
                idle.needed.remove(&self.words);
            }
        }
        // What was as large as this program's goes with the last of its kind.
        let largest = idle.needed.last_key_value().map_or(0, |(&words, _)| words);
        idle.largest = largest;
        let all = std::mem::take(&mut idle.arenas);
        let (kept, freed): (Vec<Memory>, Vec<Memory>) =
            all.into_iter().partition(|memory| memory.words.len() <= largest);
        idle.arenas = kept;
        drop(idle);
        drop(freed);
    }
}

impl Arena<'_> {
    /// The first byte that begins a cache line, and room for the addresses of buffers.
    pub(super) fn parts(&mut self) -> (*mut u8, &mut Vec<Base>) {
        (first_line(self.memory.words.as_mut_ptr()), &mut self.memory.bases)
    }
}

impl Drop for Arena<'_> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut idle = self.home.lock();
        let mut freed = None;
        if (1..=idle.largest).contains(&memory.words.len()) {
            idle.arenas.push(memory);
            if idle.arenas.len() > KEPT {
                freed = Some(idle.arenas.remove(0));
            }
        }
        drop(idle);
        drop(freed);
    }
}

/// The first byte of some words that begins a cache line: up to 7 words are skipped.
pub(super) fn first_line(words: *mut u64) -> *mut u8 {
    let start = words.cast::<u8>();
    start.wrapping_add(start.align_offset(64))
}

/// Addresses without pages.
fn reserve(words: usize) -> Result<Vec<u64>> {
    let mut memory: Vec<u64> = Vec::new();
    memory.try_reserve_exact(words).map_err(|_| Error::Memory {
        op: "backend cpu",
        what: "intermediates".into(),
        bytes: words.saturating_mul(8),
    })?;
    Ok(memory)
}

/// Zeroed words.
pub(super) fn words(count: usize) -> Result<Vec<u64>> {
    let mut words = reserve(count)?;
    words.resize(count, 0);
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Arenas, KEPT};

    fn idle(arenas: &Arenas) -> Vec<usize> {
        arenas.lock().arenas.iter().map(|memory| memory.words.len()).collect()
    }

    #[test]
    fn one_after_another_share_the_largest() {
        let arenas = Arenas::default();
        let claims: Vec<_> = (1..400).map(|words| arenas.claim(words).unwrap()).collect();
        assert_eq!(idle(&arenas), [0; 0], "nothing has run");
        for (i, claim) in claims.iter().enumerate() {
            drop(claim.take().unwrap());
            assert_eq!(idle(&arenas), [i + 1]);
        }
        drop(claims[6].take().unwrap());
        assert_eq!(idle(&arenas), [399]);
    }

    #[test]
    fn at_once_each_has_its_own_and_those_used_last_are_kept() {
        let arenas = Arenas::default();
        let claim = arenas.claim(10).unwrap();
        let mut held: Vec<_> = (0..KEPT + 5).map(|_| claim.take().unwrap()).collect();
        held.iter_mut().enumerate().for_each(|(i, arena)| arena.memory.words.fill(i as u64));
        let whole = |(i, arena): (usize, &super::Arena<'_>)| arena.memory.words == [i as u64; 10];
        assert!(held.iter().enumerate().all(whole));
        drop(held);
        let first: Vec<u64> = arenas.lock().arenas.iter().map(|memory| memory.words[0]).collect();
        assert_eq!(first, (5..KEPT as u64 + 5).collect::<Vec<_>>());
    }

    #[test]
    fn the_smallest_that_fits_is_taken() {
        let arenas = Arenas::default();
        let claims = [10, 20, 30].map(|words| arenas.claim(words).unwrap());
        let held = claims.each_ref().map(|claim| claim.take().unwrap());
        assert_eq!(idle(&arenas), [0; 0]);
        drop(held);
        assert_eq!(idle(&arenas), [10, 20, 30]);
        let middle = claims[1].take().unwrap();
        assert_eq!((middle.memory.words.len(), idle(&arenas)), (20, vec![10, 30]));
    }

    #[test]
    fn what_no_program_needs_any_more_is_freed() {
        let arenas = Arenas::default();
        let (small, large) = (arenas.claim(10).unwrap(), arenas.claim(1000).unwrap());
        drop([small.take().unwrap(), large.take().unwrap()]);
        assert_eq!(idle(&arenas), [10, 1000]);
        drop(large);
        assert_eq!(idle(&arenas), [10]);
        drop(small);
        assert_eq!(idle(&arenas), [0; 0]);
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        for words in [usize::MAX / 8, usize::MAX] {
            let error = Arenas::default().claim(words).err().unwrap().to_string();
            assert!(error.starts_with("backend cpu: there is no memory for"), "{error}");
        }
    }
}
