//! Arrays: numbers with a shape, as they go into programs and come out of them.

// Before the modules that use it.
macro_rules! each {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            Data::F32($v) => $body,
            Data::F64($v) => $body,
            Data::U32($v) => $body,
            Data::Bool($v) => $body,
        }
    };
}

mod pool;
mod print;
mod read;
mod storage;

pub(crate) use pool::{OutputClaim, OutputPool};
pub use storage::Storage;

use crate::error::{Error, Result};
use crate::{DType, Element, Shape};
use pool::Pooled;
use std::sync::Arc;

/// Elements in the memory of the host.
#[derive(Clone, Debug, PartialEq)]
#[doc(hidden)]
pub enum Data {
    F32(Arc<Vec<f32>>),
    F64(Arc<Vec<f64>>),
    U32(Arc<Vec<u32>>),
    Bool(Arc<Vec<bool>>),
}

/// Numbers with a shape, in row-major order: a handle of storage on the host, where [`Cpu`] computes
/// with it in place, or in the memory of a device. Clones share the storage; writing copies it
/// only while it is shared.
///
/// ```
/// use burlap_autodiff::Array;
/// let a = Array::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.5])?;
/// assert_eq!(a.to_string(), "[[1, 2],\n [3, 4.5]]");
/// assert_eq!(a.get(&[1, 0]), Some(3.0));
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// What is constructed here lives on the host. Programs return arrays that live where their
/// [`Backend`] computes, and take arrays from there without a copy; arrays of the host they upload.
/// An array that lives on a device has no slices: [`download`](Array::download) makes an array of
/// the host of it. [`to_f64_vec`](Array::to_f64_vec), [`get`](Array::get), [`item`](Array::item), `==`
/// and `Display` download by themselves, each time.
///
/// ```
/// use burlap_autodiff::testing::Device;
/// use burlap_autodiff::{Array, Backend, DType, Tape};
/// let device = Device::new();
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [2]);
/// let program = tape.compile(&device, &[2.0 * x, x.sum()])?;
/// let x = device.upload(&Array::vector([1.0, 2.0]))?;
/// // Four times the vector, which does not leave the device, and its sum, which is read.
/// let twice = program.run(&[&x])?.swap_remove(0);
/// let out = program.run(&[&twice])?;
/// assert_eq!((out[0].location(), out[0].as_slice::<f64>().is_err()), (device.name(), true));
/// assert_eq!(out[1].item()?, 6.0);
/// assert_eq!(device.transfers().downloaded_bytes, 8);
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// [`Backend`]: crate::Backend
/// [`Cpu`]: crate::Cpu
#[derive(Clone)]
pub struct Array {
    shape: Shape,
    values: Values,
}

/// Where an array's elements are.
#[derive(Clone)]
enum Values {
    Host {
        data: Data,
        /// Where the storage goes afterwards; none for what was not made by a program.
        pool: Option<Pooled>,
    },
    Device {
        dtype: DType,
        storage: Arc<dyn Storage>,
    },
}

impl Drop for Array {
    fn drop(&mut self) {
        if let Values::Host { data, pool: Some(pool) } = &self.values {
            pool.take_back(data);
        }
    }
}

impl Data {
    /// Whether no other array shares the storage.
    fn is_held_once(&self) -> bool {
        each!(self, v => Arc::strong_count(v) == 1)
    }

    fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::U32(_) => DType::U32,
            Data::Bool(_) => DType::Bool,
        }
    }
}

impl Array {
    /// An array of the given shape from its elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Array`] when the number of elements is not the shape's.
    pub fn from_vec<T: Element>(shape: impl Into<Shape>, values: Vec<T>) -> Result<Array> {
        let shape = shape.into();
        if shape.count() != values.len() {
            return Err(Error::Array {
                problem: format!(
                    "the shape {shape} has {} elements, but {} were given",
                    shape.count(),
                    values.len()
                ),
            });
        }
        Ok(Array::of_data(shape, T::data(values)))
    }

    /// A one-dimensional array.
    pub fn vector<T: Element>(values: impl Into<Vec<T>>) -> Array {
        let values = values.into();
        Array::of_data(Shape::from([values.len()]), T::data(values))
    }

    /// A scalar.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array::of_data(Shape::scalar(), T::data(vec![value]))
    }

    /// An array whose elements are all the value nearest to `value`.
    pub fn full(dtype: DType, shape: impl Into<Shape>, value: f64) -> Array {
        let shape = shape.into();
        let n = shape.count();
        let data = match dtype {
            DType::F32 => f32::data(vec![f32::from_f64(value); n]),
            DType::F64 => f64::data(vec![value; n]),
            DType::U32 => u32::data(vec![u32::from_f64(value); n]),
            DType::Bool => bool::data(vec![value != 0.0; n]),
        };
        Array::of_data(shape, data)
    }

    /// An array of zeros (of `false` for `Bool`), where there is memory for it: for sizes that
    /// come from outside. The constructors without a result abort as those of `Vec` do.
    ///
    /// ```
    /// use burlap_autodiff::{Array, DType};
    /// assert_eq!(Array::allocate(DType::F32, [2])?.to_string(), "[0, 0]");
    /// let error = Array::allocate(DType::F64, [1 << 40, 1 << 10]).unwrap_err();
    /// assert!(error.to_string().starts_with("array: there is no memory for"));
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Memory`] where the system does not grant it.
    pub fn allocate(dtype: DType, shape: impl Into<Shape>) -> Result<Array> {
        fn zeros<T: Element>(n: usize) -> Option<Data> {
            let mut values: Vec<T> = Vec::new();
            values.try_reserve_exact(n).ok()?;
            values.resize(n, T::from_f64(0.0));
            Some(T::data(values))
        }
        let shape = shape.into();
        let n = shape.count();
        let data = match dtype {
            DType::F32 => zeros::<f32>(n),
            DType::F64 => zeros::<f64>(n),
            DType::U32 => zeros::<u32>(n),
            DType::Bool => zeros::<bool>(n),
        };
        let bytes = n.saturating_mul(dtype.size());
        let data = data.ok_or_else(|| Error::Memory {
            op: "array",
            what: format!("{dtype}{shape}"),
            bytes,
        })?;
        Ok(Array::of_data(shape, data))
    }

    /// An array in storage that fits.
    fn of_data(shape: Shape, data: Data) -> Array {
        Array { shape, values: Values::Host { data, pool: None } }
    }

    /// The same array of the host, whose storage goes back to a pool in the end.
    fn into_pool(mut self, to: Pooled) -> Array {
        if let Values::Host { pool, .. } = &mut self.values {
            *pool = Some(to);
        }
        self
    }

    /// An array of zeros (of `false` for `Bool`).
    pub fn zeros(dtype: DType, shape: impl Into<Shape>) -> Array {
        Array::full(dtype, shape, 0.0)
    }

    /// An array of the given element type from `f64`s in row-major order, each rounded to
    /// the nearest value of that type.
    ///
    /// # Errors
    /// [`Error::Array`] when the number of elements is not the shape's.
    pub fn from_f64(dtype: DType, shape: impl Into<Shape>, values: &[f64]) -> Result<Array> {
        match dtype {
            DType::F32 => Array::from_vec(shape, values.iter().map(|&x| x as f32).collect()),
            DType::F64 => Array::from_vec(shape, values.to_vec()),
            DType::U32 => Array::from_vec(shape, values.iter().map(|&x| x as u32).collect()),
            DType::Bool => Array::from_vec(shape, values.iter().map(|&x| x != 0.0).collect()),
        }
    }

    /// The identity matrix of size `n`.
    pub fn eye(dtype: DType, n: usize) -> Array {
        let mut array = Array::zeros(dtype, [n, n]);
        array.fill_diagonal();
        array
    }

    /// Puts ones on the diagonal of a square matrix.
    pub(crate) fn fill_diagonal(&mut self) {
        fn fill<T: Element>(out: &mut Arc<Vec<T>>, step: usize) {
            Arc::make_mut(out).iter_mut().step_by(step).for_each(|x| *x = T::from_f64(1.0));
        }
        let step = self.shape.first().map_or(1, |n| n + 1);
        if let Some(data) = self.data_mut() {
            each!(data, v => fill(v, step));
        }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match &self.values {
            Values::Host { data, .. } => data.dtype(),
            Values::Device { dtype, .. } => *dtype,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Host { data, .. } => each!(data, v => v.len()),
            Values::Device { .. } => self.shape.count(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same elements under another shape of the same count.
    ///
    /// # Errors
    /// [`Error::Array`] when the counts differ.
    pub fn reshaped(&self, shape: impl Into<Shape>) -> Result<Array> {
        let shape = shape.into();
        if shape.count() != self.len() {
            return Err(Error::Array { problem: format!("reshape: {} to {shape}", self.shape) });
        }
        Ok(Array { shape, values: self.values.clone() })
    }

    /// The elements, where they are on the host.
    pub(crate) fn data(&self) -> Option<&Data> {
        match &self.values {
            Values::Host { data, .. } => Some(data),
            Values::Device { .. } => None,
        }
    }

    pub(crate) fn data_mut(&mut self) -> Option<&mut Data> {
        match &mut self.values {
            Values::Host { data, .. } => Some(data),
            Values::Device { .. } => None,
        }
    }
}
