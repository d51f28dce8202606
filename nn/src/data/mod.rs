//! Data sets for classification: readers, splits, label noise and batches.
//!
//! A [`Dataset`] holds its examples as one row-major block of `f32`. The
//! [`digits()`] are built into the crate; [`mnist`], [`fashion_mnist`],
//! [`from_idx_dir`] and [`csv_dataset`] read files, plain or gzipped. A
//! [`Loader`] says which examples form each mini-batch of an epoch.
//!
//! Everything random takes a seed, and the same seed gives the same result on
//! every platform: the generator is SplitMix64, written out in this module, so
//! no dependency can change the stream.
//!
//! ```
//! use burlap_nn::data::{Loader, digits_split};
//!
//! let (train, test) = digits_split()?;
//! assert_eq!((train.len(), test.len()), (1438, 359));
//!
//! let loader = Loader::new(train.len(), 32)?.shuffled(7);
//! for indices in loader.epoch(0) {
//!     let batch = train.gather(&indices)?;
//!     assert_eq!(batch.features.len(), batch.len * train.dim());
//! }
//! # Ok::<(), burlap_nn::Error>(())
//! ```

mod batch;
mod csv;
mod dataset;
mod digits;
mod error;
pub mod idx;
mod input;
mod loader;
mod mnist;
pub(crate) mod random;
mod resample;

pub use batch::Batch;
pub use csv::csv_dataset;
pub use dataset::Dataset;
pub use digits::{DIGITS_SPLIT_SEED, digits, digits_split};
pub use error::DataError;
pub use loader::{Epoch, Loader};
pub use mnist::{fashion_mnist, fashion_mnist_default_dir, from_idx_dir, mnist};
