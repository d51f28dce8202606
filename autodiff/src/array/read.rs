//! Reading and writing an array's elements on the host.

use super::{Array, Data, Values};
use crate::error::{Error, Result};
use crate::{DType, Element};
use std::sync::Arc;

impl PartialEq for Array {
    /// Whether shape, type and elements are equal. What lives on a device is downloaded, and
    /// equals nothing where that fails.
    fn eq(&self, other: &Array) -> bool {
        if self.shape != other.shape || self.dtype() != other.dtype() {
            return false;
        }
        match (&self.values, &other.values) {
            (Values::Host { data, .. }, Values::Host { data: theirs, .. }) => data == theirs,
            _ => matches!((self.download(), other.download()), (Ok(a), Ok(b)) if a == b),
        }
    }
}

impl Array {
    /// The elements in row-major order, of an array on the host.
    ///
    /// # Errors
    /// [`Error::Array`] when the element type is another, [`Error::Elsewhere`] for an array that
    /// lives on a device.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        let data = self.data().ok_or_else(|| self.elsewhere("as_slice", "the host"))?;
        T::slice(data).ok_or_else(|| self.wrong_type(T::DTYPE))
    }

    /// The elements for writing, of an array on the host; copies them first while the storage is
    /// shared.
    ///
    /// # Errors
    /// As [`Array::as_slice`].
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        let error = match self.is_on_host() {
            true => self.wrong_type(T::DTYPE),
            false => self.elsewhere("as_mut_slice", "the host"),
        };
        self.data_mut().and_then(T::slice_mut).ok_or(error)
    }

    fn wrong_type(&self, asked: DType) -> Error {
        Error::Array { problem: format!("elements are {}, not {asked}", self.dtype()) }
    }

    /// The elements as `f64`s (exact for every element type). What lives on a device is downloaded;
    /// where that fails there are none, and [`download`](Array::download) tells why.
    pub fn to_f64_vec(&self) -> Vec<f64> {
        match &self.values {
            Values::Host { data, .. } => {
                each!(data, v => v.iter().map(|&x| Element::to_f64(x)).collect())
            }
            Values::Device { .. } => {
                self.download().map_or_else(|_| Vec::new(), |a| a.to_f64_vec())
            }
        }
    }

    /// Element `i` in row-major order, as an `f64`.
    pub(crate) fn at(&self, i: usize) -> Option<f64> {
        match &self.values {
            Values::Host { data, .. } => each!(data, v => v.get(i).map(|&x| Element::to_f64(x))),
            Values::Device { .. } => self.download().ok()?.at(i),
        }
    }

    /// The first element in row-major order for which `wanted` holds, and its number; none in an
    /// array that is not on the host.
    pub(crate) fn position(&self, wanted: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
        let data = self.data()?;
        each!(data, v => v.iter().map(|&x| x.to_f64()).enumerate().find(|&(_, x)| wanted(x)))
    }

    /// The element at a position, or `None` outside the shape. What lives on a device is
    /// downloaded; `None` also where that fails.
    pub fn get(&self, position: &[usize]) -> Option<f64> {
        if position.len() != self.shape.len()
            || position.iter().zip(self.shape.iter()).any(|(p, d)| p >= d)
        {
            return None;
        }
        let i = position.iter().zip(self.shape.iter()).fold(0, |i, (p, d)| i * d + p);
        self.at(i)
    }

    /// The only element. What lives on a device is downloaded.
    ///
    /// # Errors
    /// [`Error::Array`] when there is not exactly one element, or what the download reports.
    pub fn item(&self) -> Result<f64> {
        match (self.len(), self.download()?.at(0)) {
            (1, Some(value)) => Ok(value),
            (n, _) => Err(Error::Array {
                problem: format!("item: the shape {} has {n} elements, not one", self.shape),
            }),
        }
    }

    /// Overwrites the elements with the nearest values to `values` (as many as there are of both).
    /// An array that lives on a device becomes one of the host, zero beyond `values`.
    pub fn fill_from_f64(&mut self, values: &[f64]) {
        fn fill<T: Element>(out: &mut Arc<Vec<T>>, values: &[f64]) {
            for (out, &x) in Arc::make_mut(out).iter_mut().zip(values) {
                *out = T::from_f64(x);
            }
        }
        if !self.is_on_host() {
            *self = Array::zeros(self.dtype(), self.shape.clone());
        }
        if let Some(data) = self.data_mut() {
            each!(data, v => fill(v, values));
        }
    }

    /// The elements rounded to another element type. Of an array that lives on a device the result
    /// is on the host; where the download fails, that error is the result's.
    #[must_use]
    pub fn cast(&self, dtype: DType) -> Array {
        if dtype == self.dtype() {
            return self.clone();
        }
        match self.download() {
            Ok(host) => {
                let mut array = Array::zeros(dtype, self.shape.clone());
                array.fill_from_f64(&host.to_f64_vec());
                array
            }
            Err(error) => Array::failed(dtype, self.shape.clone(), error),
        }
    }
}
