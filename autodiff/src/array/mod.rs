//! Arrays: numbers with a shape, as they go into programs and come out of them.

use crate::error::{Error, Result};
mod pool;

pub(crate) use pool::{Home, Returned};

use crate::{DType, Element, Shape};
use std::fmt;
use std::sync::Arc;

/// Shared storage of an array's elements.
#[derive(Clone, Debug, PartialEq)]
#[doc(hidden)]
pub enum Data {
    F32(Arc<Vec<f32>>),
    F64(Arc<Vec<f64>>),
    U32(Arc<Vec<u32>>),
    Bool(Arc<Vec<bool>>),
}

/// Numbers with a shape, in row-major order. Clones share the storage; writing copies it
/// only while it is shared.
///
/// ```
/// use burlap_autodiff::Array;
/// let a = Array::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.5])?;
/// assert_eq!(a.to_string(), "[[1, 2],\n [3, 4.5]]");
/// assert_eq!(a.get(&[1, 0]), Some(3.0));
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone)]
pub struct Array {
    shape: Shape,
    data: Data,
    /// Where the storage goes afterwards; none for what was not made by a program.
    home: Option<Home>,
}

impl PartialEq for Array {
    fn eq(&self, other: &Array) -> bool {
        self.shape == other.shape && self.data == other.data
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.take(&self.data);
        }
    }
}

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

impl Data {
    /// Whether no other array shares the storage.
    pub(crate) fn is_held_once(&self) -> bool {
        each!(self, v => Arc::strong_count(v) == 1)
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
        Ok(Array { shape, data: T::data(values), home: None })
    }

    /// A one-dimensional array.
    pub fn vector<T: Element>(values: impl Into<Vec<T>>) -> Array {
        let values = values.into();
        Array { shape: Shape::from([values.len()]), data: T::data(values), home: None }
    }

    /// A scalar.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array { shape: Shape::scalar(), data: T::data(vec![value]), home: None }
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
        Array { shape, data, home: None }
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
        Ok(Array { shape, data, home: None })
    }

    /// An array in storage that fits.
    pub(crate) fn of_data(shape: Shape, data: Data) -> Array {
        Array { shape, data, home: None }
    }

    /// The same array, whose storage goes home in the end.
    pub(crate) fn at_home(mut self, home: Home) -> Array {
        self.home = Some(home);
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
        each!(&mut self.data, v => fill(v, step));
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match &self.data {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::U32(_) => DType::U32,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        each!(&self.data, v => v.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Array`] when the element type is another.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        T::slice(&self.data).ok_or_else(|| self.wrong_type(T::DTYPE))
    }

    /// The elements for writing; copies them first while the storage is shared.
    ///
    /// # Errors
    /// [`Error::Array`] when the element type is another.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        let error = self.wrong_type(T::DTYPE);
        T::slice_mut(&mut self.data).ok_or(error)
    }

    fn wrong_type(&self, asked: DType) -> Error {
        Error::Array { problem: format!("elements are {}, not {asked}", self.dtype()) }
    }

    /// The elements as `f64`s (exact for every element type).
    pub fn to_f64_vec(&self) -> Vec<f64> {
        each!(&self.data, v => v.iter().map(|&x| Element::to_f64(x)).collect())
    }

    /// Element `i` in row-major order, as an `f64`.
    pub(crate) fn at(&self, i: usize) -> f64 {
        each!(&self.data, v => Element::to_f64(v[i]))
    }

    /// The element at a position, or `None` outside the shape.
    pub fn get(&self, position: &[usize]) -> Option<f64> {
        if position.len() != self.shape.len()
            || position.iter().zip(self.shape.iter()).any(|(p, d)| p >= d)
        {
            return None;
        }
        let i = position.iter().zip(self.shape.iter()).fold(0, |i, (p, d)| i * d + p);
        Some(self.at(i))
    }

    /// The only element.
    ///
    /// # Errors
    /// [`Error::Array`] when there is not exactly one element.
    pub fn item(&self) -> Result<f64> {
        if self.len() == 1 {
            Ok(self.at(0))
        } else {
            Err(Error::Array {
                problem: format!(
                    "item: the shape {} has {} elements, not one",
                    self.shape,
                    self.len()
                ),
            })
        }
    }

    /// Overwrites the elements with the nearest values to `values` (as many as there are of both).
    pub fn fill_from_f64(&mut self, values: &[f64]) {
        fn fill<T: Element>(out: &mut Arc<Vec<T>>, values: &[f64]) {
            for (out, &x) in Arc::make_mut(out).iter_mut().zip(values) {
                *out = T::from_f64(x);
            }
        }
        each!(&mut self.data, v => fill(v, values));
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
        Ok(Array { shape, data: self.data.clone(), home: self.home.clone() })
    }

    /// The elements rounded to another element type.
    pub fn cast(&self, dtype: DType) -> Array {
        if dtype == self.dtype() {
            return self.clone();
        }
        let mut array = Array::zeros(dtype, self.shape.clone());
        array.fill_from_f64(&self.to_f64_vec());
        array
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn data_mut(&mut self) -> &mut Data {
        &mut self.data
    }
}

/// The shortest digits that give the number again, with an exponent below 10⁻⁵ and from 10¹⁶ on.
fn number<T: Element + fmt::Display + fmt::LowerExp>(x: T) -> String {
    let size = x.to_f64().abs();
    let small = size != 0.0 && size < T::from_f64(1e-5).to_f64();
    if small || size >= 1e16 { format!("{x:e}") } else { x.to_string() }
}

/// As NumPy prints it: the middle of long axes is left out, and numbers have their shortest digits.
///
/// ```
/// use burlap_autodiff::Array;
/// let a = Array::vector([1e-200, -2.5e-6, 0.00001, 0.1, 1e15, 1e16, f64::MAX, f64::INFINITY]);
/// let text = "[1e-200, -2.5e-6, 0.00001, 0.1, 1000000000000000, 1e16, 1.7976931348623157e308, inf]";
/// assert_eq!(a.to_string(), text);
/// assert_eq!(Array::vector([1e-30f32, 0.1, 3e16]).to_string(), "[1e-30, 0.1, 3e16]");
/// ```
impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn item(a: &Array, i: usize) -> String {
            match &a.data {
                Data::F32(v) => number(v[i]),
                Data::F64(v) => number(v[i]),
                Data::U32(v) => v[i].to_string(),
                Data::Bool(v) => v[i].to_string(),
            }
        }
        if self.shape.is_empty() {
            return f.write_str(&item(self, 0));
        }
        if self.is_empty() {
            return write!(f, "[] of shape {}", self.shape);
        }
        let row = self.shape[self.shape.len() - 1];
        let rows = self.len() / row;
        let shown = |n: usize, i: usize| n <= 8 || i < 3 || i + 3 >= n;
        for r in 0..rows {
            if !shown(rows, r) {
                if r == 3 {
                    f.write_str("\n ...")?;
                }
                continue;
            }
            // How many axes begin (and end) with this row.
            let mut begins = 1;
            let mut ends = 1;
            let mut block = 1;
            for &d in self.shape[..self.shape.len() - 1].iter().rev() {
                block *= d;
                begins += usize::from(r % block == 0);
                ends += usize::from((r + 1) % block == 0);
            }
            if r > 0 {
                write!(f, "\n{}", " ".repeat(self.shape.len() - begins))?;
            }
            f.write_str(&"[".repeat(begins))?;
            for i in 0..row {
                if shown(row, i) {
                    f.write_str(&item(self, r * row + i))?;
                    if i + 1 < row {
                        f.write_str(", ")?;
                    }
                } else if i == 3 {
                    f.write_str("..., ")?;
                }
            }
            f.write_str(&"]".repeat(ends))?;
            if r + 1 < rows {
                f.write_str(",")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} {self}", self.dtype(), self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn printed_numbers_are_short_and_read_as_themselves() {
        // All exponents of both types, with fractions of every kind.
        for bits in (0..=u32::MAX).step_by(9_999_991) {
            let x = f32::from_bits(bits);
            let text = number(x);
            assert!(x.is_nan() || text.parse() == Ok(x), "{text}");
            assert!(text.len() <= 22, "{text}");
            let x = f64::from_bits(u64::from(bits) << 32 | u64::from(bits.reverse_bits()));
            let text = number(x);
            assert!(x.is_nan() || text.parse() == Ok(x), "{text}");
            assert!(text.len() <= 26, "{text}");
        }
        let plain = [(0.0, "0"), (-0.0, "-0"), (0.00001, "0.00001"), (9e15, "9000000000000000")];
        let exponent = [(9.9e-6, "9.9e-6"), (1e16, "1e16"), (-5e-324, "-5e-324")];
        for (x, text) in plain.into_iter().chain(exponent) {
            assert_eq!(number(x), text);
        }
        assert_eq!((number(1e-5f32), number(1e16f32)), ("0.00001".into(), "1e16".into()));
        assert_eq!((number(f64::NAN), number(f32::NEG_INFINITY)), ("NaN".into(), "-inf".into()));
    }
}
