//! Data sets and batches as named arrays.

use super::{Error, Result};
use crate::autodiff::{Array, DType, Element};
use crate::nn::data::Dataset;
use crate::optim::{BatchSpec, Role};
use std::ops::Deref;
use std::sync::Arc;

/// A data set in memory: named arrays, [by example](Role::ByExample) (their first axis counts the
/// examples) or [shared](Role::Shared) by all of them.
///
/// Types and shapes are the user's: classes as `U32`, regression targets and probabilities of
/// classes (soft targets) as `F32` or `F64`, masks as `Bool`. Clones share their numbers.
///
/// ```
/// use burlap::prelude::*;
/// use burlap::train::Data;
///
/// let data = Data::new()
///     .by_example("features", Array::from_vec([3, 2], vec![0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0])?)?
///     .by_example("targets", Array::vector([0.5f32, 1.5, 2.5]))?
///     .shared("scale", Array::scalar(2.0f32))?;
/// assert_eq!(data.len(), 3);
/// let batch = data.gather(&[2, 0])?;
/// assert_eq!(batch.get("targets").map(Array::to_string), Some("[2.5, 0.5]".into()));
/// # Ok::<(), burlap::train::Error>(())
/// ```
///
/// A [`Dataset`] becomes one of "features" `[n, d]` and "labels" `[n]` by `Data::from`.
#[derive(Clone, Debug)]
pub struct Data {
    spec: Arc<BatchSpec>,
    arrays: Vec<Array>,
    examples: usize,
}

impl Data {
    /// No arrays.
    #[must_use]
    pub fn new() -> Data {
        Data { spec: Arc::default(), arrays: Vec::new(), examples: 0 }
    }

    /// The same with an array whose first axis counts the examples.
    ///
    /// # Errors
    /// [`Error::Data`] for a scalar, no examples, another number of examples than before, or a name
    /// that there is already.
    pub fn by_example(mut self, name: &str, array: Array) -> Result<Data> {
        let first = array.shape().first().copied();
        let expected = match first {
            Some(n) if n > 0 && (self.examples == 0 || self.examples == n) => {
                self.examples = n;
                return self.array(name, Role::ByExample, array);
            }
            None => "an array whose first axis counts the examples".to_owned(),
            Some(_) if self.examples == 0 => "an array of at least one example".to_owned(),
            Some(_) => format!("of {} examples, as the arrays before", self.examples),
        };
        Err(Error::Data { array: name.to_owned(), found: described(&array), expected })
    }

    /// The same with an array that all examples share, such as weights of classes.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that there is already.
    pub fn shared(self, name: &str, array: Array) -> Result<Data> {
        self.array(name, Role::Shared, array)
    }

    fn array(mut self, name: &str, role: Role, array: Array) -> Result<Data> {
        if self.get(name).is_some() {
            return Err(Error::Data {
                array: name.to_owned(),
                found: "given twice".into(),
                expected: "given once".into(),
            });
        }
        self.spec = Arc::new(self.spec.as_ref().clone().array(name, role));
        self.arrays.push(array);
        Ok(self)
    }

    /// The same with another shape of each example in one array, such as `[28, 28]` of 784 features.
    ///
    /// # Errors
    /// [`Error::Data`] for an unknown name or a shape of another number of elements.
    pub fn with_example_shape(mut self, name: &str, shape: &[usize]) -> Result<Data> {
        let fail = |found: String, expected: String| {
            Err(Error::Data { array: name.to_owned(), found, expected })
        };
        let Some(i) = self.place(name) else {
            return fail("missing".into(), format!("one of {}", self.names().join(", ")));
        };
        let whole: Vec<usize> = [self.examples].iter().chain(shape).copied().collect();
        if self.spec.arrays().nth(i).is_none_or(|(_, role)| role == Role::Shared) {
            return fail("shared by all examples".into(), "an array of examples".into());
        }
        match self.arrays[i].reshaped(whole) {
            Ok(array) => self.arrays[i] = array,
            Err(_) => {
                let found = described(&self.arrays[i]);
                return fail(found, format!("of {shape:?} elements an example"));
            }
        }
        Ok(self)
    }

    /// The number of examples; 0 before there is an array of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.examples
    }

    /// Whether there are no examples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.examples == 0
    }

    /// The array of a name, of all examples.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.get(self.place(name)?)
    }

    /// Names and roles of the arrays, in their order.
    #[must_use]
    pub fn spec(&self) -> &BatchSpec {
        &self.spec
    }

    /// All arrays, in their order.
    #[must_use]
    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    /// All examples as one batch.
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch { spec: Arc::clone(&self.spec), arrays: self.arrays.clone() }
    }

    /// The examples of the given numbers, in that order.
    ///
    /// # Errors
    /// [`Error::Data`] for a number that is not below [`len`](Data::len).
    pub fn gather(&self, indices: &[usize]) -> Result<Batch> {
        if let Some(index) = indices.iter().find(|&&i| i >= self.examples) {
            return Err(Error::Data {
                array: "the number of an example".into(),
                found: index.to_string(),
                expected: format!("below {}, the number of examples", self.examples),
            });
        }
        let arrays = self.spec.gather(&self.arrays, indices)?;
        Ok(Batch { spec: Arc::clone(&self.spec), arrays })
    }

    /// The first `n` examples, or all where there are fewer.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn first(&self, n: usize) -> Result<Data> {
        let examples = n.min(self.examples);
        let indices: Vec<usize> = (0..examples).collect();
        let arrays = self.spec.gather(&self.arrays, &indices)?;
        Ok(Data { spec: Arc::clone(&self.spec), arrays, examples })
    }

    /// A hash of all arrays, with their names, roles, types and shapes.
    pub(super) fn hash(&self) -> u64 {
        let mut hash = Fnv::default();
        for ((name, role), array) in self.spec.arrays().zip(&self.arrays) {
            hash.text(&format!("{name} {role:?} {}", described(array)));
            match array.dtype() {
                DType::F32 => hash.words::<f32>(array, |x| u64::from(x.to_bits())),
                DType::F64 => hash.words::<f64>(array, f64::to_bits),
                DType::U32 => hash.words::<u32>(array, u64::from),
                DType::Bool => hash.words::<bool>(array, u64::from),
            }
        }
        hash.0
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.spec.arrays().position(|(known, _)| known == name)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.spec.arrays().map(|(name, _)| name).collect()
    }
}

impl Default for Data {
    fn default() -> Data {
        Data::new()
    }
}

/// "features" `[n, d]` and "labels" `[n]`.
impl From<&Dataset> for Data {
    fn from(set: &Dataset) -> Data {
        let (n, d) = (set.len(), set.dim());
        let spec = BatchSpec::new().by_example("features").by_example("labels");
        let features = Array::vector(set.features());
        // A data set has d features of each example.
        let features = features.reshaped([n, d]).unwrap_or(features);
        let arrays = vec![features, Array::vector(set.labels())];
        Data { spec: Arc::new(spec), arrays, examples: n }
    }
}

impl From<Dataset> for Data {
    fn from(set: Dataset) -> Data {
        Data::from(&set)
    }
}

/// Some examples, and what they share: the arrays in the order of the data set, as `&[Array]` too.
#[derive(Clone, Debug)]
pub struct Batch {
    spec: Arc<BatchSpec>,
    arrays: Vec<Array>,
}

impl Batch {
    /// The array of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.get(self.spec.arrays().position(|(known, _)| known == name)?)
    }

    /// The number of examples.
    #[must_use]
    pub fn examples(&self) -> usize {
        let by_example = self.spec.arrays().position(|(_, role)| role == Role::ByExample);
        let array = by_example.and_then(|place| self.arrays.get(place));
        array.and_then(|array| array.shape().first().copied()).unwrap_or(1)
    }

    /// The array of a name, for changing its elements, as augmentation does.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Array> {
        self.arrays.get_mut(self.spec.arrays().position(|(known, _)| known == name)?)
    }
}

impl Deref for Batch {
    type Target = [Array];

    fn deref(&self) -> &[Array] {
        &self.arrays
    }
}

/// FNV-1a over words: the same on every platform and in every release.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.word(u64::from(byte)));
    }

    fn words<T: Element>(&mut self, array: &Array, word: impl Fn(T) -> u64) {
        // Never empty for another reason than having no elements: T is the element type.
        let values = array.as_slice::<T>().unwrap_or_default();
        values.iter().for_each(|&value| self.word(word(value)));
    }
}

/// Type and shape of an array, as messages say them.
pub(super) fn described(array: &Array) -> String {
    format!("{}{}", array.dtype(), array.shape())
}
