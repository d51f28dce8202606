//! Which examples form each mini-batch.

use super::DataError;
use super::random::{Purpose, Stream};
use crate::memory;

/// Divides the indices of n examples into mini-batches, anew for each epoch.
///
/// The order of an epoch depends only on the seed and the number of the
/// epoch, never on which epochs were drawn before: a run resumed at epoch k
/// sees the batches the uninterrupted run would have seen. The generator is
/// SplitMix64 with Fisher–Yates, fixed for good, on every platform.
///
/// ```
/// use burlap_nn::data::Loader;
///
/// let loader = Loader::new(10, 4)?.shuffled(42);
/// let batches: Vec<Vec<usize>> = loader.epoch(3).collect();
/// assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
/// assert!(loader.epoch(3).eq(batches));
/// assert!(loader.epoch(3).ne(loader.epoch(4)));
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    n: usize,
    batch_size: usize,
    seed: Option<u64>,
    drop_last: bool,
}

impl Loader {
    /// A loader of `n` examples in batches of `batch_size`, in index order,
    /// whose last batch may be smaller.
    ///
    /// # Errors
    ///
    /// [`DataError::NoExamples`] if `n` is 0,
    /// [`DataError::ZeroBatchSize`] if `batch_size` is 0, and [`DataError::Memory`] if the order
    /// of `n` examples fits no memory.
    pub fn new(n: usize, batch_size: usize) -> Result<Self, DataError> {
        if n == 0 {
            return Err(DataError::NoExamples);
        }
        if batch_size == 0 {
            return Err(DataError::ZeroBatchSize);
        }
        let needed = (n as u64).saturating_mul(size_of::<usize>() as u64);
        memory::check(needed).map_err(|short| DataError::Memory {
            what: format!("the order of {n} examples"),
            short,
        })?;
        Ok(Self { n, batch_size, seed: None, drop_last: false })
    }

    /// Puts each epoch into a random order of its own, derived from `seed`.
    #[must_use]
    pub fn shuffled(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Whether to leave out the last batch of an epoch if it is not full.
    ///
    /// With fewer examples than one batch, that leaves no batches at all.
    #[must_use]
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Number of batches in every epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        if self.drop_last { self.n / self.batch_size } else { self.n.div_ceil(self.batch_size) }
    }

    /// The batches of epoch `epoch`, counted from 0.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let mut order = match self.seed {
            Some(seed) => Stream::new(seed, Purpose::Shuffle, epoch).permutation(self.n),
            None => (0..self.n).collect(),
        };
        if self.drop_last {
            order.truncate(self.n - self.n % self.batch_size);
        }
        Epoch { order, batch_size: self.batch_size, position: 0 }
    }
}

/// The batches of one epoch, each a vector of distinct example indices.
///
/// Made by [`Loader::epoch`]; no index occurs in two batches.
#[derive(Clone, Debug)]
pub struct Epoch {
    order: Vec<usize>,
    batch_size: usize,
    position: usize,
}

impl Iterator for Epoch {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.order[self.position..];
        let batch = rest.chunks(self.batch_size).next()?.to_vec();
        self.position += batch.len();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.order.len() - self.position).div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}

impl std::iter::FusedIterator for Epoch {}
