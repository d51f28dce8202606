//! State: what steps change besides the parameters, and what a run needs to continue.

use crate::error::{Error, Result};
use burlap_autodiff::{Array, DType};
use std::collections::BTreeMap;

/// The state arrays of a formula: momenta of an update rule, masks of a perturbation, the
/// eigenvector of a distribution of directions.
///
/// A rule only describes its arrays; whoever applies the rule owns them, hands them to its
/// formulas in the order of [`state_names`](Stateful::state_names), and puts the new ones in their
/// place once a step has succeeded. A rule without state implements the trait with no method.
///
/// ```
/// use burlap_autodiff::{Array, DType};
/// use burlap_optim::Stateful;
/// struct Momentum;
/// impl Stateful for Momentum {
///     fn state_names(&self) -> &[&'static str] {
///         &["momentum"]
///     }
/// }
/// let arrays = Momentum.zeros(DType::F64, 2);
/// assert_eq!(arrays[0].to_string(), "[0, 0]");
/// let saved = Momentum.save(&[Array::vector([1.0, 2.0])]);
/// assert_eq!(Momentum.restore("sgd", &saved)?[0].to_string(), "[1, 2]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub trait Stateful {
    /// The names of the arrays; none by default.
    fn state_names(&self) -> &[&'static str] {
        &[]
    }

    /// The arrays before the first step, for `dim` parameters of type `dtype`: by default a zero
    /// vector of that type and length for each name.
    fn zeros(&self, dtype: DType, dim: usize) -> Vec<Array> {
        match self.state_names().len() {
            0 => Vec::new(),
            // Clones share their storage.
            n => vec![Array::zeros(dtype, [dim]); n],
        }
    }

    /// The arrays under their names. No arrays at all, as before the first step, give an empty
    /// state.
    fn save(&self, arrays: &[Array]) -> State {
        let names = self.state_names().iter().map(|name| (*name).to_owned());
        State { arrays: names.zip(arrays.iter().cloned()).collect(), ..State::default() }
    }

    /// The arrays of a saved state, in the order of their names; none where the state has none of
    /// them, as one that was saved before the first step. `label` names the rule in errors.
    ///
    /// # Errors
    /// [`Error::State`] when some of the arrays are missing, or when the state holds others.
    fn restore(&self, label: &str, state: &State) -> Result<Vec<Array>> {
        state.vectors(label, self.state_names())
    }
}

/// The state of a part is that of the whole: for boxes and wrappers.
macro_rules! forward_state {
    ([$($generics:tt)*] $type:ty, |$self:ident| $part:expr) => {
        impl<$($generics)*> $crate::Stateful for $type {
            fn state_names(&self) -> &[&'static str] {
                let $self = self;
                $part.state_names()
            }

            fn zeros(
                &self,
                dtype: burlap_autodiff::DType,
                dim: usize,
            ) -> Vec<burlap_autodiff::Array> {
                let $self = self;
                $part.zeros(dtype, dim)
            }

            fn save(&self, arrays: &[burlap_autodiff::Array]) -> $crate::State {
                let $self = self;
                $part.save(arrays)
            }

            fn restore(
                &self,
                label: &str,
                state: &$crate::State,
            ) -> $crate::Result<Vec<burlap_autodiff::Array>> {
                let $self = self;
                $part.restore(label, state)
            }
        }
    };
}

pub(crate) use forward_state;

forward_state!([T: Stateful + ?Sized] Box<T>, |boxed| (**boxed));

/// Whether arrays can take the place of others: types and shapes are the same.
pub(crate) fn alike(arrays: &[Array], others: &[Array]) -> bool {
    let same = |(a, b): (&Array, &Array)| a.dtype() == b.dtype() && a.shape() == b.shape();
    arrays.len() == others.len() && arrays.iter().zip(others).all(same)
}

/// Named arrays and numbers: momenta, steps, seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The arrays, by name.
    pub arrays: BTreeMap<String, Array>,
    /// Whole numbers, by name.
    pub numbers: BTreeMap<String, u64>,
}

impl State {
    /// The array of a name.
    ///
    /// # Errors
    /// [`Error::State`] when it is missing or has another shape or type than `like`.
    pub fn array(&self, of: &str, name: &str, like: &Array) -> Result<Array> {
        let fail = |problem: String| Error::State { of: of.to_owned(), problem };
        let array =
            self.arrays.get(name).ok_or_else(|| fail(format!("there is no array {name:?}")))?;
        if array.shape() != like.shape() || array.dtype() != like.dtype() {
            let (s, t) = (like.shape(), like.dtype());
            return Err(fail(format!(
                "{name:?} is {}{}, not {t}{s}",
                array.dtype(),
                array.shape()
            )));
        }
        Ok(array.clone())
    }

    /// All arrays of the given names, in their order, or none of them where the state has no arrays.
    ///
    /// # Errors
    /// [`Error::State`] when some of the arrays are missing, or when the state holds others.
    pub fn vectors(&self, label: &str, names: &[&str]) -> Result<Vec<Array>> {
        let fail = |problem: String| Err(Error::State { of: label.to_owned(), problem });
        if let Some(name) = self.arrays.keys().find(|name| !names.contains(&name.as_str())) {
            return fail(format!("there is no place for {name:?}"));
        }
        if self.arrays.is_empty() {
            return Ok(Vec::new());
        }
        match names.iter().find(|name| !self.arrays.contains_key(**name)) {
            Some(name) => fail(format!("there is no array {name:?}")),
            None => Ok(names.iter().filter_map(|name| self.arrays.get(*name).cloned()).collect()),
        }
    }

    /// The number of a name.
    ///
    /// # Errors
    /// [`Error::State`] when it is missing.
    pub fn number(&self, of: &str, name: &str) -> Result<u64> {
        let missing =
            || Error::State { of: of.to_owned(), problem: format!("there is no number {name:?}") };
        self.numbers.get(name).copied().ok_or_else(missing)
    }

    /// The same state with the present names in place of those of the first releases: the reader of
    /// runs that these saved.
    #[must_use]
    pub fn with_present_names(&self) -> State {
        fn renamed<T: Clone>(
            map: &BTreeMap<String, T>,
            names: &[(&str, &str)],
        ) -> BTreeMap<String, T> {
            let present = |name: &String| {
                let row = names.iter().find(|(former, _)| former == name);
                row.map_or_else(|| name.clone(), |(_, present)| (*present).to_owned())
            };
            map.iter().map(|(name, value)| (present(name), value.clone())).collect()
        }
        let arrays = [("method.part beside the gradient", "method.orthogonal component")];
        let numbers = [("steps with sgd", "steps with plain")];
        State { arrays: renamed(&self.arrays, &arrays), numbers: renamed(&self.numbers, &numbers) }
    }

    /// Adds another state's entries under a prefix.
    pub fn absorb(&mut self, prefix: &str, other: State) {
        self.arrays.extend(other.arrays.into_iter().map(|(k, v)| (format!("{prefix}.{k}"), v)));
        self.numbers.extend(other.numbers.into_iter().map(|(k, v)| (format!("{prefix}.{k}"), v)));
    }

    /// The entries under a prefix, without it.
    #[must_use]
    pub fn part(&self, prefix: &str) -> State {
        let strip = |key: &str| key.strip_prefix(prefix)?.strip_prefix('.').map(str::to_owned);
        State {
            arrays: self.arrays.iter().filter_map(|(k, v)| Some((strip(k)?, v.clone()))).collect(),
            numbers: self.numbers.iter().filter_map(|(k, v)| Some((strip(k)?, *v))).collect(),
        }
    }
}
