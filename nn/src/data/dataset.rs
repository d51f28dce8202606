//! A classification data set in memory.

use super::{Batch, DataError};

/// Examples with their classes, all of one shape, at least one.
///
/// Features are stored row-major as n × d, where d is the number of elements
/// of one example. All features are finite and all labels are below the number
/// of classes.
///
/// ```
/// use burlap_nn::data::Dataset;
///
/// let xor = Dataset::new(
///     "xor",
///     vec![0., 0., 0., 1., 1., 0., 1., 1.],
///     vec![0, 1, 1, 0],
///     2,
///     vec![2],
/// )?;
/// assert_eq!((xor.len(), xor.dim()), (4, 2));
/// assert_eq!(xor.row(2), Some(&[1., 0.][..]));
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    features: Vec<f32>,
    labels: Vec<u32>,
    classes: usize,
    example_shape: Vec<usize>,
    dim: usize,
}

impl Dataset {
    /// Builds a data set of n examples from n × d `features`, row-major, and n
    /// `labels` in `0..classes`; d is the product of `example_shape`.
    ///
    /// # Errors
    ///
    /// A [`DataError`] if there are no examples, the shape has no elements,
    /// the lengths do not match, a feature is not finite, a label is not below
    /// `classes`, or `classes` does not fit in `u32`.
    pub fn new(
        name: impl Into<String>,
        features: Vec<f32>,
        labels: Vec<u32>,
        classes: usize,
        example_shape: Vec<usize>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        if labels.is_empty() {
            return Err(DataError::Empty { name });
        }
        let dim = example_shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let Some(dim) = dim.filter(|&dim| dim > 0) else {
            return Err(DataError::BadShape { name, shape: example_shape });
        };
        // A saturated product is longer than any vector, so it never matches.
        let expected = labels.len().saturating_mul(dim);
        if features.len() != expected {
            return Err(DataError::FeatureCount {
                name,
                examples: labels.len(),
                dim,
                expected,
                found: features.len(),
            });
        }
        if let Some(position) = features.iter().position(|x| !x.is_finite()) {
            return Err(DataError::FeatureNotFinite {
                name,
                example: position / dim,
                column: position % dim,
                found: features[position],
            });
        }
        if u32::try_from(classes).is_err() {
            return Err(DataError::TooManyClasses { name, classes });
        }
        let bad_label = labels.iter().position(|&label| label as usize >= classes);
        if let Some(example) = bad_label {
            return Err(DataError::LabelOutOfRange {
                name,
                example,
                found: labels[example],
                classes,
            });
        }
        Ok(Self { name, features, labels, classes, example_shape, dim })
    }

    /// What the data set is called, in errors and reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of examples n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always false: a data set has at least one example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of features d of one example.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of classes; not every class need occur.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Shape of one example, such as `[28, 28]`.
    #[must_use]
    pub fn example_shape(&self) -> &[usize] {
        &self.example_shape
    }

    /// All features, row-major, n × d.
    #[must_use]
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// The class of each example, n entries.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The d features of example `i`, or `None` if there is no such example.
    #[must_use]
    pub fn row(&self, i: usize) -> Option<&[f32]> {
        if i >= self.len() {
            return None;
        }
        self.features.get(i * self.dim..(i + 1) * self.dim)
    }

    /// Multiplies every feature by `factor`.
    ///
    /// # Errors
    ///
    /// [`DataError::FeatureNotFinite`] if a product is not finite.
    pub fn scaled(self, factor: f32) -> Result<Self, DataError> {
        let features = self.features.into_iter().map(|x| x * factor).collect();
        Self::new(self.name, features, self.labels, self.classes, self.example_shape)
    }

    /// Copies the examples at `indices`, in that order, into a batch.
    ///
    /// # Errors
    ///
    /// [`DataError::IndexOutOfRange`] if an index is not below n.
    pub fn gather(&self, indices: &[usize]) -> Result<Batch, DataError> {
        let mut features = Vec::with_capacity(indices.len() * self.dim);
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            let Some(row) = self.row(index) else {
                return Err(DataError::IndexOutOfRange {
                    name: self.name.clone(),
                    index,
                    len: self.len(),
                });
            };
            features.extend_from_slice(row);
            labels.push(self.labels[index]);
        }
        Ok(Batch { features, labels, len: indices.len() })
    }

    /// The examples at `indices` as a data set of the same classes.
    pub(super) fn select(&self, name: String, indices: &[usize]) -> Result<Self, DataError> {
        let batch = self.gather(indices)?;
        Self::new(name, batch.features, batch.labels, self.classes, self.example_shape.clone())
    }

    /// The labels, for changing them to others below the number of classes.
    pub(super) fn labels_mut(&mut self) -> &mut [u32] {
        &mut self.labels
    }
}
