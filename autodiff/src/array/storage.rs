//! What an array is made of where a device has its elements.

use super::{Array, Values};
use crate::error::{Error, Result};
use crate::{DType, Shape};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Elements in the memory of a device, as its [`Backend`](crate::Backend) keeps them. An [`Array`]
/// is a shape, an element type and one of these, which its clones and reshaped forms share; the
/// memory is given back when the last of them is dropped.
///
/// A run may still be at work on the elements: whoever reads them waits for it, and learns of its
/// errors.
pub trait Storage: Any + fmt::Debug + Send + Sync {
    /// The name of the backend that has the elements, as in error messages.
    fn backend(&self) -> &'static str;

    /// Begins to copy the elements to the host, for a [`download`](Storage::download) that
    /// follows. Nothing by default.
    fn begin_download(&self) {}

    /// The elements on the host, in row-major order, under any shape.
    ///
    /// # Errors
    /// What the device reports, also of the run that made the elements.
    fn download(&self) -> Result<Array>;
}

/// The elements of an array of which the making failed: the error shows where they are needed.
#[derive(Debug)]
struct Failed(Error);

impl Storage for Failed {
    fn backend(&self) -> &'static str {
        "nothing (it could not be made)"
    }

    fn download(&self) -> Result<Array> {
        Err(self.0.clone())
    }
}

impl Array {
    /// An array whose elements a device has.
    pub fn in_storage(dtype: DType, shape: impl Into<Shape>, storage: Arc<dyn Storage>) -> Array {
        Array { shape: shape.into(), values: Values::Device { dtype, storage } }
    }

    pub(super) fn failed(dtype: DType, shape: Shape, error: Error) -> Array {
        Array::in_storage(dtype, shape, Arc::new(Failed(error)))
    }

    /// The storage, where it is of type `S`.
    pub fn storage<S: Storage>(&self) -> Option<&S> {
        match &self.values {
            Values::Device { storage, .. } => (&**storage as &dyn Any).downcast_ref(),
            Values::Host { .. } => None,
        }
    }

    /// The storage for writing, where it is of type `S` and no other array shares it.
    pub fn storage_mut<S: Storage>(&mut self) -> Option<&mut S> {
        match &mut self.values {
            Values::Device { storage, .. } => {
                (Arc::get_mut(storage)? as &mut dyn Any).downcast_mut()
            }
            Values::Host { .. } => None,
        }
    }

    /// Whether the elements are on the host.
    pub fn is_on_host(&self) -> bool {
        matches!(self.values, Values::Host { .. })
    }

    /// Where the elements are: `"the host"`, or the name of a device's backend.
    pub fn location(&self) -> &'static str {
        match &self.values {
            Values::Host { .. } => "the host",
            Values::Device { storage, .. } => storage.backend(),
        }
    }

    /// The array on the host: itself, or a copy of what a device has.
    ///
    /// # Errors
    /// What the device reports, also of the run that made the elements.
    pub fn download(&self) -> Result<Array> {
        let Values::Device { dtype, storage } = &self.values else {
            return Ok(self.clone());
        };
        let host = storage.download()?;
        if !host.is_on_host() || host.dtype() != *dtype || host.len() != self.shape.count() {
            let problem = format!("the download of {dtype}{} gave {host:?}", self.shape);
            return Err(Error::Backend { backend: storage.backend(), problem });
        }
        host.reshaped(self.shape.clone())
    }

    /// Lets a device begin to copy the elements to the host, so that it goes on meanwhile and
    /// [`download`](Array::download) waits less.
    pub fn begin_download(&self) {
        if let Values::Device { storage, .. } = &self.values {
            storage.begin_download();
        }
    }

    /// The error of an array that is needed elsewhere.
    pub(crate) fn elsewhere(&self, op: &'static str, expected: &'static str) -> Error {
        let what = format!("{}{}", self.dtype(), self.shape);
        Error::Elsewhere { op, what, found: self.location(), expected }
    }
}
