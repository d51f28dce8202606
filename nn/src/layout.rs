//! Where each parameter lies in the flat vector.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use burlap_autodiff::{Array, DType, Element, Shape, Var};

use crate::{Error, Result};

/// One parameter of a [`Layout`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    name: String,
    shape: Shape,
    range: Range<usize>,
}

impl Entry {
    /// The dotted name, such as `fc1.weight`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements' places in the flat vector.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

/// Named parameters, one after the other in one flat vector.
///
/// Names are dotted as in PyTorch. Each parameter is row-major and follows the one before
/// it without a gap.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_nn::Layout;
///
/// let layout = Layout::new([("fc.weight", vec![2, 3]), ("fc.bias", vec![2])])?;
/// assert_eq!(layout.total(), 8);
/// assert_eq!(layout.get("fc.bias").map(|(range, _)| range), Some(6..8));
///
/// let flat = Array::vector([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
/// let parts = layout.split(&flat)?;
/// assert_eq!(parts[0].1.to_string(), "[[0, 1, 2],\n [3, 4, 5]]");
/// assert_eq!(layout.join(&parts)?, flat);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    entries: Vec<Entry>,
    by_name: BTreeMap<String, usize>,
    total: usize,
}

impl Layout {
    /// The layout of parameters in the given order.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`], [`Error::DuplicateName`], and [`Error::TooLarge`] if the number of
    /// elements overflows.
    pub fn new<N: Into<String>, S: Into<Shape>>(
        parameters: impl IntoIterator<Item = (N, S)>,
    ) -> Result<Self> {
        let mut layout = Self::default();
        for (name, shape) in parameters {
            layout.push(name.into(), shape.into())?;
        }
        Ok(layout)
    }

    /// Appends a parameter.
    pub(crate) fn push(&mut self, name: String, shape: Shape) -> Result<()> {
        if name.split('.').any(str::is_empty) {
            return Err(Error::BadName { name });
        }
        if self.by_name.contains_key(&name) {
            return Err(Error::DuplicateName { name });
        }
        let Some(end) = self.total.checked_add(elements(&name, &shape)?) else {
            return Err(Error::TooLarge { name });
        };
        self.by_name.insert(name.clone(), self.entries.len());
        let range = self.total..end;
        self.entries.push(Entry { name, shape, range });
        self.total = end;
        Ok(())
    }

    /// The number of elements of all parameters: the length of the flat vector.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// The parameters in their order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The names in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(Entry::name)
    }

    /// Place and shape of a parameter, or `None` if there is none of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(Range<usize>, &Shape)> {
        let entry = self.entry(name)?;
        Some((entry.range(), entry.shape()))
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(name)?)
    }

    fn unknown(&self, name: &str) -> Error {
        Error::UnknownName {
            name: name.to_owned(),
            known: self.names().map(str::to_owned).collect(),
        }
    }

    fn check_flat(&self, found: &Shape) -> Result<()> {
        if *found == [self.total] {
            return Ok(());
        }
        Err(Error::FlatShape { expected: self.total, found: found.clone() })
    }

    /// One parameter as a part of the recorded flat vector, in its own shape.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`], and [`Error::FlatShape`] if `flat` is not of shape `[total]`.
    #[track_caller]
    pub fn view(&self, flat: Var, name: &str) -> Result<Var> {
        let entry = self.entry(name).ok_or_else(|| self.unknown(name))?;
        self.check_flat(&flat.shape())?;
        let part = flat.slice_axis(0, entry.range.start, entry.range.end);
        Ok(part.reshape(entry.shape()))
    }

    /// Copies the parameters out of a flat vector, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::FlatShape`] if `flat` is not of shape `[total]`.
    pub fn split(&self, flat: &Array) -> Result<Vec<(String, Array)>> {
        self.check_flat(flat.shape())?;
        let flat = &flat.download()?;
        let part = |entry: &Entry| -> Result<(String, Array)> {
            let array = match flat.dtype() {
                DType::F32 => part::<f32>(flat, entry),
                DType::F64 => part::<f64>(flat, entry),
                DType::U32 => part::<u32>(flat, entry),
                DType::Bool => part::<bool>(flat, entry),
            };
            Ok((entry.name.clone(), array?))
        };
        self.entries.iter().map(part).collect()
    }

    /// Copies named arrays, in any order, into a flat vector of their element type; `F32` if
    /// there are no parameters.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`], [`Error::DuplicateName`] and [`Error::MissingName`] if the names
    /// are not exactly those of the layout, [`Error::ParameterShape`] for an array of another
    /// shape, [`Error::ParameterDType`] if not all are `F32` or all are `F64`.
    pub fn join(&self, arrays: &[(String, Array)]) -> Result<Array> {
        let mut given: Vec<Option<&Array>> = vec![None; self.entries.len()];
        for (name, array) in arrays {
            let &index = self.by_name.get(name).ok_or_else(|| self.unknown(name))?;
            if given[index].replace(array).is_some() {
                return Err(Error::DuplicateName { name: name.clone() });
            }
        }
        let expected = match arrays.first().map(|(_, array)| array.dtype()) {
            Some(DType::F64) => DType::F64,
            None | Some(DType::F32 | DType::U32 | DType::Bool) => DType::F32,
        };
        let mut parts = Vec::with_capacity(given.len());
        for (entry, array) in self.entries.iter().zip(given) {
            let name = || entry.name.clone();
            let array = array.ok_or_else(|| Error::MissingName { name: name() })?;
            if *array.shape() != entry.shape {
                return Err(Error::ParameterShape {
                    name: name(),
                    expected: entry.shape.clone(),
                    found: array.shape().clone(),
                });
            }
            let found = array.dtype();
            if found != expected {
                return Err(Error::ParameterDType { name: name(), expected, found });
            }
            parts.push(array);
        }
        match expected {
            DType::F64 => joined::<f64>(&parts, self.total),
            DType::F32 | DType::U32 | DType::Bool => joined::<f32>(&parts, self.total),
        }
    }
}

/// The number of elements of a parameter.
pub(crate) fn elements(name: &str, shape: &Shape) -> Result<usize> {
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    count.ok_or_else(|| Error::TooLarge { name: name.to_owned() })
}

fn part<T: Element>(flat: &Array, entry: &Entry) -> Result<Array> {
    let values = flat.as_slice::<T>()?[entry.range()].to_vec();
    Ok(Array::from_vec(entry.shape(), values)?)
}

fn joined<T: Element>(parts: &[&Array], total: usize) -> Result<Array> {
    let mut flat = Vec::with_capacity(total);
    for part in parts {
        flat.extend_from_slice(part.download()?.as_slice::<T>()?);
    }
    Ok(Array::vector(flat))
}

/// One line a parameter, with name, shape and number of elements, and their sum.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.names().map(str::len).max().unwrap_or(0).max(5);
        for entry in &self.entries {
            let (name, shape) = (&entry.name, entry.shape.to_string());
            writeln!(f, "{name:width$}  {shape:14} {:>10}", entry.range.len())?;
        }
        write!(f, "{:width$}  {:14} {:>10}", "total", "", self.total)
    }
}
