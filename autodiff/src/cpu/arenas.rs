//! Memory of intermediate values: taken for a run, given back for the next one, of whatever
//! program. Programs that never run at once need no more than the largest of them does.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// As many runs at once find memory again; what more of them used is freed.
const KEPT: usize = 16;

/// The memory that programs of one backend and its clones share.
#[derive(Clone, Debug, Default)]
pub(super) struct Arenas(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What no run uses, the smallest first.
    free: Vec<Vec<u64>>,
    /// How many programs need so many words.
    needed: BTreeMap<usize, usize>,
}

impl State {
    /// Puts memory back, unless there is enough or no program needs so much any more.
    fn put(&mut self, words: Vec<u64>) {
        let largest = self.needed.last_key_value().map_or(0, |(&words, _)| words);
        if self.free.len() < KEPT && words.len() <= largest {
            let place = self.free.partition_point(|other| other.len() < words.len());
            self.free.insert(place, words);
        }
    }
}

/// Memory of any contents. It does not move while it is held.
#[derive(Debug)]
pub(super) struct Arena {
    words: Vec<u64>,
    home: Option<Arenas>,
}

impl Arena {
    /// So many words that belong to no pool.
    pub(super) fn new(words: usize) -> Result<Arena> {
        Ok(Arena { words: allocate(words)?, home: None })
    }

    /// The first byte that begins a cache line.
    pub(super) fn start(&mut self) -> *mut u8 {
        let start = self.words.as_mut_ptr().cast::<u8>();
        start.wrapping_add(start.align_offset(64))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.lock().put(std::mem::take(&mut self.words));
        }
    }
}

/// A program's claim on memory.
#[derive(Debug)]
pub(super) struct Claim {
    arenas: Arenas,
    words: usize,
}

impl Arenas {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half-done by what panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for the runs of a program, from now on. The first run makes it: a program that is
    /// only bound has none.
    ///
    /// # Errors
    /// [`Error::Backend`] where there is not so much.
    pub(super) fn claim(&self, words: usize) -> Result<Claim> {
        reserve(words)?;
        *self.lock().needed.entry(words).or_default() += 1;
        Ok(Claim { arenas: self.clone(), words })
    }
}

impl Claim {
    /// Memory for one run.
    ///
    /// # Errors
    /// [`Error::Backend`] where there is not so much.
    pub(super) fn take(&self) -> Result<Arena> {
        let mut state = self.arenas.lock();
        let large_enough = state.free.partition_point(|words| words.len() < self.words);
        let words = if large_enough < state.free.len() {
            state.free.remove(large_enough)
        } else {
            // In place of the largest, which serves nobody that the new one does not.
            state.free.pop();
            drop(state);
            allocate(self.words)?
        };
        Ok(Arena { words, home: Some(self.arenas.clone()) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.arenas.lock();
        if let Some(programs) = state.needed.get_mut(&self.words) {
            *programs -= 1;
            if *programs == 0 {
                state.needed.remove(&self.words);
            }
        }
        // What was as large as this program's goes with the last of its kind.
        let free = std::mem::take(&mut state.free);
        free.into_iter().for_each(|words| state.put(words));
    }
}

/// Addresses without pages.
fn reserve(words: usize) -> Result<Vec<u64>> {
    let mut memory: Vec<u64> = Vec::new();
    memory.try_reserve_exact(words).map_err(|_| Error::Backend {
        backend: "cpu",
        problem: format!("there is no memory for {} bytes of intermediates", 8 * words),
    })?;
    Ok(memory)
}

fn allocate(words: usize) -> Result<Vec<u64>> {
    let mut memory = reserve(words)?;
    memory.resize(words, 0);
    Ok(memory)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Arenas, KEPT};

    fn kept(arenas: &Arenas) -> Vec<usize> {
        arenas.lock().free.iter().map(Vec::len).collect()
    }

    #[test]
    fn one_after_another_share_the_largest() {
        let arenas = Arenas::default();
        let claims = [10, 1000, 100].map(|n| arenas.claim(n).unwrap());
        assert_eq!(kept(&arenas), [0; 0], "nothing has run");
        for (round, sizes) in [[10, 1000, 1000], [1000; 3]].into_iter().enumerate() {
            let found = claims.each_ref().map(|claim| claim.take().unwrap().words.len());
            assert_eq!(found, sizes, "round {round}");
            assert_eq!(kept(&arenas), [1000]);
        }
    }

    #[test]
    fn at_once_each_has_its_own_and_some_are_kept() {
        let arenas = Arenas::default();
        let claim = arenas.claim(10).unwrap();
        let mut held: Vec<_> = (0..KEPT + 5).map(|_| claim.take().unwrap()).collect();
        held.iter_mut().enumerate().for_each(|(i, arena)| arena.words.fill(i as u64));
        let whole = |(i, arena): (usize, &super::Arena)| arena.words == vec![i as u64; 10];
        assert!(held.iter().enumerate().all(whole));
        drop(held);
        assert_eq!(kept(&arenas), vec![10; KEPT]);
    }

    #[test]
    fn what_no_program_needs_any_more_is_freed() {
        let arenas = Arenas::default();
        let (small, large) = (arenas.claim(10).unwrap(), arenas.claim(1000).unwrap());
        let running = large.take().unwrap();
        drop(small.take());
        drop((large, running));
        assert_eq!(kept(&arenas), [10]);
        drop(small);
        assert_eq!(kept(&arenas), [0; 0]);
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        let error = Arenas::default().claim(usize::MAX / 16).unwrap_err().to_string();
        assert!(error.contains("there is no memory for"), "{error}");
    }
}
