//! The storage of outputs on the host: what nobody holds any more serves the next run, of whatever
//! program.
//!
//! Storage is kept by type and number of elements, as much of each kind as one run of every
//! program returns. Since a run takes what lies there before it asks the system, no more lies there
//! than was ever held at once: programs that do not run at once share it.

use super::{Array, Data};
use crate::error::Result;
use crate::{DType, Shape};
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Elements from which on storage is worth keeping: fewer cost no new pages.
const LEAST: usize = 4096;

/// Element type and number of elements.
type Kind = (DType, usize);

/// Storage that no array holds at the moment.
#[derive(Debug, Default)]
struct Idle(FxHashMap<Kind, Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// How many outputs of this kind all programs have.
    claimed: usize,
    /// The one used last comes last.
    storage: Vec<Data>,
}

/// The storage that the programs of one backend and its clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputPool(Arc<Mutex<Idle>>);

/// A program's claim on storage for its outputs.
#[derive(Debug)]
pub(crate) struct OutputClaim {
    pool: OutputPool,
    kinds: Vec<Kind>,
}

/// Where an array's storage goes when the last of its holders drops it.
#[derive(Clone, Debug)]
pub(super) struct Pooled(Weak<Mutex<Idle>>);

/// Held for some dozen instructions.
fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OutputPool {
    /// Lets the storage of outputs come back, from now on.
    pub(crate) fn claim(&self, outputs: impl Iterator<Item = Kind>) -> OutputClaim {
        let kinds: Vec<Kind> = outputs.filter(|&(_, count)| count >= LEAST).collect();
        let mut idle = lock(&self.0);
        for kind in &kinds {
            let shelf = idle.0.entry(*kind).or_default();
            shelf.claimed += 1;
            // Arrays that are dropped allocate nothing.
            shelf.storage.reserve(shelf.claimed - shelf.storage.len());
        }
        drop(idle);
        OutputClaim { pool: self.clone(), kinds }
    }

    /// An array of any contents.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) where the system does not grant it.
    pub(crate) fn array(&self, dtype: DType, shape: Shape) -> Result<Array> {
        let count = shape.count();
        if count < LEAST {
            return Array::allocate(dtype, shape);
        }
        let mut idle = lock(&self.0);
        let data = idle.0.get_mut(&(dtype, count)).and_then(|shelf| shelf.storage.pop());
        drop(idle);
        let array = match data {
            Some(data) => Array::of_data(shape, data),
            None => Array::allocate(dtype, shape)?,
        };
        Ok(array.into_pool(Pooled(Arc::downgrade(&self.0))))
    }
}

impl Drop for OutputClaim {
    fn drop(&mut self) {
        let mut freed = Vec::new();
        let mut idle = lock(&self.pool.0);
        for kind in &self.kinds {
            if let Some(shelf) = idle.0.get_mut(kind) {
                shelf.claimed -= 1;
                freed.extend(
                    shelf.storage.drain(..shelf.storage.len().saturating_sub(shelf.claimed)),
                );
                if shelf.claimed == 0 {
                    idle.0.remove(kind);
                }
            }
        }
        drop(idle);
        drop(freed);
    }
}

impl Pooled {
    /// Takes storage back that has no other holder.
    pub(super) fn take_back(&self, data: &Data) {
        let (true, Some(idle)) = (data.is_held_once(), self.0.upgrade()) else {
            return;
        };
        let kind = (data.dtype(), each!(data, v => v.len()));
        if let Some(shelf) = lock(&idle).0.get_mut(&kind)
            && shelf.storage.len() < shelf.claimed
        {
            // The array that is being dropped gives its own hold up after this.
            shelf.storage.push(data.clone());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{LEAST, OutputPool, lock};
    use crate::DType;

    const KINDS: [(DType, usize); 2] = [(DType::F32, LEAST), (DType::F64, LEAST + 1)];

    fn idle(pool: &OutputPool) -> [usize; 2] {
        KINDS.map(|kind| lock(&pool.0).0.get(&kind).map_or(0, |shelf| shelf.storage.len()))
    }

    #[test]
    fn programs_that_do_not_run_at_once_share_storage() {
        let pool = OutputPool::default();
        let claims: Vec<_> = (0..10).map(|_| pool.claim(KINDS.into_iter())).collect();
        for _ in 0..10 {
            let outputs = KINDS.map(|(dtype, n)| pool.array(dtype, [n].into()).unwrap());
            assert_eq!(idle(&pool), [0, 0]);
            drop(outputs);
            assert_eq!(idle(&pool), [1, 1]);
        }
        drop(claims);
        assert_eq!(idle(&pool), [0, 0]);
    }

    #[test]
    fn no_more_is_kept_than_one_run_of_each_program_returns() {
        let pool = OutputPool::default();
        let mut claims: Vec<_> = (0..3).map(|_| pool.claim(KINDS.into_iter())).collect();
        let held: Vec<_> =
            (0..7).map(|_| pool.array(DType::F32, [LEAST].into()).unwrap()).collect();
        let shared = held[0].clone();
        drop(held);
        assert_eq!(idle(&pool), [3, 0], "one is still held");
        drop(shared);
        claims.pop();
        assert_eq!(idle(&pool), [2, 0]);
        let outlives = pool.array(DType::F32, [LEAST].into()).unwrap();
        drop((claims, pool));
        assert_eq!(outlives.len(), LEAST);
    }
}
