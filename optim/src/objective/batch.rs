//! The arrays of a batch: of examples, or shared by all of them.

use crate::error::{BadElement, Error, Result};
use crate::objective::Objective;
use burlap_autodiff::{Array, DType, Element};
use std::ops::Range;

/// The role of an array of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its first axis counts the examples: features, labels, weights of examples, masks.
    ByExample,
    /// All examples have it in common: class weights, a key of random numbers, a rate.
    Shared,
}

/// Names and [roles](Role) of the arrays of a batch, in the order in which the loss sees them.
///
/// An objective that [knows them](Objective::with_batch) cuts what belongs to examples and hands
/// on what is shared, and calls arrays by their names where something is wrong with them. Where
/// nothing is declared and a batch has to be cut, every array belongs to examples: one of
/// another first size is an error, never a guess.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{BatchSpec, Objective};
/// // Σⱼ cⱼ · mean (x aᵢ)², with coefficients c of which there may be as many as examples.
/// let loss = |x: Var, batch: &[Var]| batch[1].sum() * (x.at(0) * batch[0]).square().mean();
/// let spec = BatchSpec::new().by_example("inputs").shared("coefficients");
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_batch(spec).with_micro_batch_size(1)?;
/// let batch = [Array::vector([1.0, 3.0]), Array::vector([0.25, 0.75])];
/// assert_eq!(objective.value(&Array::vector([1.0]), &batch)?, 5.0);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchSpec {
    arrays: Vec<(String, Role)>,
}

impl BatchSpec {
    /// A batch without arrays.
    pub fn new() -> BatchSpec {
        BatchSpec::default()
    }

    /// The same with a further array, [of the examples](Role::ByExample).
    #[must_use]
    pub fn by_example(self, name: &str) -> BatchSpec {
        self.array(name, Role::ByExample)
    }

    /// The same with a further array, [shared](Role::Shared) by all examples.
    #[must_use]
    pub fn shared(self, name: &str) -> BatchSpec {
        self.array(name, Role::Shared)
    }

    /// The same with a further array of the given role.
    #[must_use]
    pub fn array(mut self, name: &str, role: Role) -> BatchSpec {
        self.arrays.push((name.to_owned(), role));
        self
    }

    /// The examples of the given numbers of a batch with these roles, and what they share. Rows of
    /// arrays that live on a device are made on the host.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::BatchSpec;
    /// let spec = BatchSpec::new().by_example("inputs").shared("weights");
    /// let batch = [Array::vector([1.0, 2.0, 3.0]), Array::vector([0.5])];
    /// let chosen = spec.gather(&batch, &[2, 0])?;
    /// assert_eq!(format!("{} {}", chosen[0], chosen[1]), "[3, 1] [0.5]");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Batch`] for another number of arrays, an array of examples without an axis, or too
    /// short for a number.
    pub fn gather(&self, batch: &[Array], indices: &[usize]) -> Result<Vec<Array>> {
        if batch.len() != self.arrays.len() {
            return Err(self.count_error(batch.len()));
        }
        let most = indices.iter().max().map_or(0, |i| i + 1);
        for ((name, role), array) in self.arrays().zip(batch) {
            if role == Role::ByExample && first_size(array).is_none_or(|n| n < most) {
                return Err(Error::Batch {
                    array: name.to_owned(),
                    found: description(array),
                    expected: format!("of at least {most} examples"),
                });
            }
        }
        let download = |array: &Array| host_rows(&array.download()?, indices);
        gather(|i| self.arrays[i].1, batch, indices, download)
    }

    fn count_error(&self, found: usize) -> Error {
        let names: Vec<&str> = self.arrays().map(|(name, _)| name).collect();
        Error::Batch {
            array: "the number of arrays".into(),
            found: found.to_string(),
            expected: format!("{} ({})", names.len(), names.join(", ")),
        }
    }

    /// Names and roles, in their order.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, Role)> {
        self.arrays.iter().map(|(name, role)| (name.as_str(), *role))
    }
}

/// Type and shape of an array, for messages.
pub(crate) fn description(array: &Array) -> String {
    format!("{}{}", array.dtype(), array.shape())
}

fn first_size(array: &Array) -> Option<usize> {
    array.shape().first().copied()
}

/// The advice about an array that was not declared.
const DECLARE: &str =
    "; Objective::with_batch says which arrays belong to examples and which are shared";

/// The rows with the given indices.
fn rows<T: Element>(array: &Array, indices: &[usize]) -> Result<Array> {
    let mut shape = array.shape().to_vec();
    let from = array.as_slice::<T>()?;
    let width: usize = shape[1..].iter().product();
    let mut values = Vec::with_capacity(width * indices.len());
    indices.iter().for_each(|i| values.extend_from_slice(&from[i * width..][..width]));
    shape[0] = indices.len();
    Ok(Array::from_vec(&shape[..], values)?)
}

/// The rows of an array on the host.
fn host_rows(array: &Array, indices: &[usize]) -> Result<Array> {
    match array.dtype() {
        DType::F32 => rows::<f32>(array, indices),
        DType::F64 => rows::<f64>(array, indices),
        DType::U32 => rows::<u32>(array, indices),
        DType::Bool => rows::<bool>(array, indices),
    }
}

fn gather(
    role: impl Fn(usize) -> Role,
    batch: &[Array],
    indices: &[usize],
    on_device: impl Fn(&Array) -> Result<Array>,
) -> Result<Vec<Array>> {
    let one = |(i, array): (usize, &Array)| match role(i) {
        Role::Shared => Ok(array.clone()),
        Role::ByExample if array.shape().is_empty() => Ok(array.clone()),
        Role::ByExample if array.is_on_host() => host_rows(array, indices),
        Role::ByExample => on_device(array),
    };
    batch.iter().enumerate().map(one).collect()
}

/// How batches are laid out and cut: names and roles of their arrays, and the micro-batch size.
#[derive(Debug, Default)]
pub(crate) struct BatchLayout {
    spec: Option<BatchSpec>,
    pub(crate) micro_batch: Option<usize>,
}

impl Objective {
    /// The same with names and roles of a batch's arrays, which every batch must have.
    #[must_use]
    pub fn with_batch(mut self, spec: BatchSpec) -> Objective {
        self.batches.spec = Some(spec);
        // Programs call their inputs by the arrays' names.
        self.clear_programs();
        self
    }
}

impl Objective {
    /// The batch in the backend's memory, so that it goes there once for all programs of a step.
    pub(crate) fn resident_batch(&self, batch: &[Array]) -> Result<Vec<Array>> {
        let one = |(i, array): (usize, &Array)| {
            self.backend().upload(array).map_err(|error| match error {
                burlap_autodiff::Error::Elsewhere { found, expected, .. } => Error::Batch {
                    array: self.batches.array_name(i),
                    found: format!("{} in the memory of {found}", description(array)),
                    expected: format!("an array of the host or of {expected}"),
                },
                error => error.into(),
            })
        };
        batch.iter().enumerate().map(one).collect()
    }
}

impl BatchLayout {
    /// The role of array `i`: that of an example where nothing is declared.
    pub(crate) fn role(&self, i: usize) -> Role {
        let declared = self.spec.as_ref().and_then(|spec| spec.arrays.get(i));
        declared.map_or(Role::ByExample, |(_, role)| *role)
    }

    /// The name of array `i`, for messages.
    pub(crate) fn array_name(&self, i: usize) -> String {
        match self.spec.as_ref().and_then(|spec| spec.arrays.get(i)) {
            Some((name, _)) => name.clone(),
            None => format!("array {i} of the batch"),
        }
    }

    /// The arrays of examples, with their places.
    fn of_examples<'a>(
        &'a self,
        batch: &'a [Array],
    ) -> impl Iterator<Item = (usize, &'a Array)> + Clone {
        batch.iter().enumerate().filter(|&(i, _)| self.role(i) == Role::ByExample)
    }

    /// Checks a batch against the declaration.
    pub(crate) fn check(&self, batch: &[Array]) -> Result<()> {
        let Some(spec) = &self.spec else {
            return Ok(());
        };
        if spec.arrays.len() != batch.len() {
            return Err(spec.count_error(batch.len()));
        }
        self.examples(batch).map(|_| ())
    }

    /// The number of examples: the first size that all arrays of examples have. None for a batch
    /// without such arrays, which is one whole.
    pub(crate) fn examples(&self, batch: &[Array]) -> Result<Option<usize>> {
        let sizes = || self.of_examples(batch).map(|(i, array)| (i, first_size(array)));
        let Some((first, n)) = sizes().find_map(|(i, size)| size.map(|n| (i, n))) else {
            // Numbers alone: nothing that could be cut, and nothing that was declared to be.
            let declared = self.spec.is_some();
            return match self.of_examples(batch).next().filter(|_| declared) {
                Some((i, array)) => Err(self.uneven(i, array, "an axis of examples".into())),
                None => Ok(None),
            };
        };
        match sizes().find(|&(_, size)| size != Some(n)) {
            None => Ok(Some(n)),
            Some((i, _)) => {
                let expected = format!("the {n} examples of {}", self.array_name(first));
                Err(self.uneven(i, &batch[i], expected))
            }
        }
    }

    fn uneven(&self, i: usize, array: &Array, mut expected: String) -> Error {
        expected += if self.spec.is_none() { DECLARE } else { "" };
        Error::Batch { array: self.array_name(i), found: description(array), expected }
    }

    /// The largest first size among arrays of examples.
    pub(crate) fn most_examples(&self, batch: &[Array]) -> usize {
        self.of_examples(batch).filter_map(|(_, array)| first_size(array)).max().unwrap_or(0)
    }

    /// The batch of the examples with the given indices: rows of arrays of examples, which of those
    /// that a device has it makes itself, and shared arrays as they are.
    pub(super) fn gather_rows(
        &self,
        batch: &[Array],
        indices: &[usize],
        on_device: impl Fn(&Array) -> Result<Array>,
    ) -> Result<Vec<Array>> {
        self.examples(batch)?;
        gather(|i| self.role(i), batch, indices, on_device)
    }

    /// The index ranges of micro-batches of at most `size` examples; none where the batch is no
    /// longer than one.
    pub(crate) fn ranges(
        &self,
        batch: &[Array],
        size: Option<usize>,
    ) -> Result<Option<Vec<Range<usize>>>> {
        let Some(size) = size.filter(|&size| self.most_examples(batch) > size) else {
            return Ok(None);
        };
        let n = self.examples(batch)?.unwrap_or(0);
        Ok(Some((0..n).step_by(size).map(|first| first..n.min(first + size)).collect()))
    }

    /// The index ranges of the micro-batches; none where the batch is evaluated at once.
    pub(crate) fn micro_batches(&self, batch: &[Array]) -> Result<Option<Vec<Range<usize>>>> {
        self.ranges(batch, self.micro_batch)
    }

    /// Whether a batch is evaluated at once.
    pub(crate) fn is_whole(&self, batch: &[Array]) -> Result<bool> {
        Ok(self.micro_batches(batch)?.is_none())
    }

    /// The first NaN in a batch, or an infinity where `infinite` ones are looked for.
    pub(crate) fn bad_element(&self, batch: &[Array], infinite: bool) -> Option<BadElement> {
        let mut arrays = batch.iter().enumerate();
        arrays.find_map(|(i, array)| bad_element_of(array, || self.array_name(i), infinite))
    }
}

/// The first NaN in an array, or its first infinity.
pub(crate) fn bad_element_of(
    array: &Array,
    name: impl Fn() -> String,
    infinite: bool,
) -> Option<BadElement> {
    fn place<T: Element>(array: &Array, bad: impl Fn(f64) -> bool) -> Option<usize> {
        array.as_slice::<T>().ok()?.iter().position(|v| bad(v.to_f64()))
    }
    let array = &array.download().ok()?;
    let bad = |value: f64| if infinite { value.is_infinite() } else { value.is_nan() };
    let mut rest = match array.dtype() {
        DType::F32 => place::<f32>(array, bad)?,
        DType::F64 => place::<f64>(array, bad)?,
        DType::U32 | DType::Bool => return None,
    };
    let mut position = vec![0; array.shape().len()];
    for (p, size) in position.iter_mut().zip(array.shape().iter()).rev() {
        (*p, rest) = (rest % size, rest / size);
    }
    let value = array.get(&position)?;
    Some(BadElement { array: name(), position, value })
}
