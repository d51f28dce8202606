//! Which examples form each batch.

use super::{Batch, Data, Result};
use crate::nn::data::{self, Epoch};
use crate::optim::random::{Draw, Purpose, Stream};
use std::sync::Arc;

type Augmentation = dyn Fn(&mut Batch, &mut Stream) -> Result<()> + Send + Sync;

/// Divides a data set into mini-batches, anew for each epoch.
///
/// The order is a function of the seed and of the epoch's number alone, so a run that was stopped
/// sees the batches that it would have seen.
///
/// ```
/// use burlap::prelude::*;
/// use burlap::train::{Data, Loader};
///
/// let data = Data::new().by_example("x", Array::vector([0.0, 1.0, 2.0, 3.0, 4.0]))?;
/// let loader = Loader::new(&data, 2)?.shuffled(7);
/// let sizes: Vec<usize> = loader.epoch(0).map(|batch| Ok(batch?[0].len())).collect::<Result<_, burlap::train::Error>>()?;
/// assert_eq!(sizes, [2, 2, 1]);
/// # Ok::<(), burlap::train::Error>(())
/// ```
#[derive(Clone)]
pub struct Loader {
    data: Data,
    order: data::Loader,
    batch_size: usize,
    seed: Option<u64>,
    drop_last: bool,
    augmentation: Option<Arc<Augmentation>>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Loader { data, batch_size, seed, drop_last, .. } = self;
        write!(f, "{} examples in batches of {batch_size}", data.len())?;
        match seed {
            Some(seed) => write!(f, ", shuffled by {seed}")?,
            None => f.write_str(", in their order")?,
        }
        if *drop_last { f.write_str(", the last one only if full") } else { Ok(()) }
    }
}

impl Loader {
    /// Batches of `batch_size` examples in their order; the last one may be smaller.
    ///
    /// # Errors
    /// [`DataError`](crate::nn::data::DataError) for no examples, or batches of none.
    pub fn new(data: &Data, batch_size: usize) -> Result<Loader> {
        Ok(Loader {
            data: data.clone(),
            order: data::Loader::new(data.len(), batch_size)?,
            batch_size,
            seed: None,
            drop_last: false,
            augmentation: None,
        })
    }

    /// Each epoch in a random order of its own.
    #[must_use]
    pub fn shuffled(mut self, seed: u64) -> Loader {
        self.order = self.order.shuffled(seed);
        self.seed = Some(seed);
        self
    }

    /// Leaves out the last batch of an epoch where it is not full.
    #[must_use]
    pub fn drop_last(mut self) -> Loader {
        self.order = self.order.drop_last(true);
        self.drop_last = true;
        self
    }

    /// Changes each batch when it is made, with random numbers of a stream of its own: a function of
    /// the loader's seed, the epoch and the batch's place, so augmentation differs from epoch to
    /// epoch, and is the same when a run goes on.
    #[must_use]
    pub fn augmented(
        mut self,
        change: impl Fn(&mut Batch, &mut Stream) -> Result<()> + Send + Sync + 'static,
    ) -> Loader {
        self.augmentation = Some(Arc::new(change));
        self
    }

    /// The data set.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The number of batches in an epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        self.order.batches_per_epoch()
    }

    /// The batches of an epoch, counted from 0.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Batches<'_> {
        Batches { loader: self, epoch, order: self.order.epoch(epoch), position: 0 }
    }

    fn batch(&self, epoch: u64, position: usize, indices: &[usize]) -> Result<Batch> {
        let mut batch = self.data.gather(indices)?;
        if let Some(change) = &self.augmentation {
            let (seed, purpose) = (self.seed.unwrap_or(0), Purpose::User);
            let draw = Draw { seed, purpose, step: epoch, sample: position as u32 };
            change(&mut batch, &mut draw.stream(0))?;
        }
        Ok(batch)
    }
}

/// The batches of an epoch, made one after the other by [`Loader::epoch`].
#[derive(Debug)]
pub struct Batches<'a> {
    loader: &'a Loader,
    epoch: u64,
    order: Epoch,
    position: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let indices = self.order.next()?;
        let batch = self.loader.batch(self.epoch, self.position, &indices);
        self.position += 1;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.order.size_hint()
    }

    // Batches that are passed over are not made.
    fn nth(&mut self, n: usize) -> Option<Result<Batch>> {
        for _ in 0..n {
            self.order.next()?;
            self.position += 1;
        }
        self.next()
    }
}

impl ExactSizeIterator for Batches<'_> {}
