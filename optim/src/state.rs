//! What must be kept so that a run can go on where it stopped.

use crate::error::{Error, Result};
use burlap_autodiff::Array;
use std::collections::BTreeMap;

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

    /// The number of a name.
    ///
    /// # Errors
    /// [`Error::State`] when it is missing.
    pub fn number(&self, of: &str, name: &str) -> Result<u64> {
        let missing =
            || Error::State { of: of.to_owned(), problem: format!("there is no number {name:?}") };
        self.numbers.get(name).copied().ok_or_else(missing)
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
