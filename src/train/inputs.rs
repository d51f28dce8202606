//! The arrays of a batch on a tape, by their names.

use crate::autodiff::{At, DType, Var};
use crate::optim::BatchSpec;
use std::cell::OnceCell;
use std::ops::Index;

/// The arrays of a batch as recorded values: `batch["labels"]`. Arrays of floats have the element
/// type of the parameters.
///
/// A name that there is not is an error of the tape, which whoever compiles gets with the line of
/// your code.
#[derive(Debug)]
pub struct Inputs<'a> {
    spec: &'a BatchSpec,
    values: Vec<Var>,
    anchor: Var,
    unknown: OnceCell<Var>,
}

impl<'a> Inputs<'a> {
    /// The arrays of a batch, those of floats in the given type; errors are left at `anchor`'s tape.
    pub(super) fn new(spec: &'a BatchSpec, batch: &[Var], dtype: DType, anchor: Var) -> Inputs<'a> {
        let cast = |&v: &Var| match v.dtype() {
            own if own.is_float() && own != dtype => v.cast(dtype),
            _ => v,
        };
        let values = batch.iter().map(cast).collect();
        Inputs { spec, values, anchor, unknown: OnceCell::new() }
    }

    /// The array of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Var> {
        let place = self.spec.arrays().position(|(known, _)| known == name)?;
        self.values.get(place).copied()
    }

    pub(super) fn at(&self, place: usize) -> Option<Var> {
        self.values.get(place).copied()
    }

    fn failed(&self, name: &str, at: At) -> Var {
        let known: Vec<&str> = self.spec.arrays().map(|(name, _)| name).collect();
        let problem = format!("no array is called {name:?}; there are {}", known.join(", "));
        self.anchor.record_at(at, || self.anchor.fail("batch", problem))
    }
}

impl Index<&str> for Inputs<'_> {
    type Output = Var;

    #[track_caller]
    fn index(&self, name: &str) -> &Var {
        let place = self.spec.arrays().position(|(known, _)| known == name);
        match place.and_then(|place| self.values.get(place)) {
            Some(value) => value,
            None => {
                let at = At::caller();
                self.unknown.get_or_init(|| self.failed(name, at))
            }
        }
    }
}
