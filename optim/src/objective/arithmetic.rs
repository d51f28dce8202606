//! Arithmetic of arrays where they live: small programs in which no loss occurs, compiled once for
//! each shape. No vector goes through the host.

use super::Objective;
use super::cache::{Key, signature};
use crate::error::{Error, Result};
use burlap_autodiff::{Array, DType, Program, Tape, Var};
use std::sync::Arc;

/// Arrays that an objective keeps at most.
const MOST_KEPT: usize = 8;

/// Arrays that steps need again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kept {
    Zero,
    Noise(u64, u32),
}

impl Objective {
    /// The array in the backend's memory; itself, where it lives there.
    pub(crate) fn resident(&self, array: &Array) -> Result<Array> {
        Ok(self.backend().upload(array)?)
    }

    /// A zero vector like the parameters, in the backend's memory.
    pub(crate) fn zero_vector(&self) -> Result<Array> {
        self.kept_array(Kept::Zero, || self.zero_vectors(1))
    }

    /// An array of random numbers, by seed and number: made once, since iterations at other points
    /// begin with the same ones.
    pub(crate) fn kept_noise(
        &self,
        (seed, sample): (u64, u32),
        make: impl FnOnce() -> Array,
    ) -> Result<Array> {
        self.kept_array(Kept::Noise(seed, sample), make)
    }

    fn kept_array(&self, what: Kept, make: impl FnOnce() -> Array) -> Result<Array> {
        if let Some(array) = self.kept.borrow().get(&what) {
            return Ok(array.clone());
        }
        let array = self.resident(&make())?;
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(what, array.clone());
        Ok(array)
    }

    /// A program whose first inputs are arrays like these, and then those that `record` declares.
    pub(crate) fn array_program(
        &self,
        key: Key,
        like: &[Array],
        record: impl FnOnce(&Tape, &[Var]) -> Vec<Var>,
    ) -> Result<Arc<Program>> {
        let key = (key, signature(like));
        if let Some(Some(program)) = self.programs.get(&key) {
            return Ok(program);
        }
        let tape = Tape::new();
        let input = |(i, a): (usize, &Array)| {
            tape.input(&format!("array {i}"), a.dtype(), a.shape().clone())
        };
        let inputs: Vec<Var> = like.iter().enumerate().map(input).collect();
        let program = Arc::new(tape.compile(self.backend(), &record(&tape, &inputs))?);
        self.programs.insert(key, Some(Arc::clone(&program)));
        Ok(program)
    }

    /// `sums` += `weight` · `terms`, element by element, in double precision and then rounded to the
    /// type; an empty list begins with zeros. Whole numbers and truth values cannot be averaged, and
    /// must be the same in all chunks.
    pub(crate) fn add_weighted(
        &self,
        sums: &mut Vec<Array>,
        weight: f64,
        terms: Vec<Array>,
    ) -> Result<()> {
        let begins = sums.is_empty();
        if begins {
            sums.clone_from(&terms);
        }
        let (mut totals, mut vectors) = (Vec::new(), Vec::new());
        for (i, (sum, term)) in sums.iter_mut().zip(terms).enumerate() {
            if !term.dtype().is_float() {
                if !begins {
                    self.check_equal(i, sum, &term)?;
                }
            } else if term.shape().is_empty() && term.is_on_host() {
                let before = if begins { 0.0 } else { sum.item()? };
                *sum = Array::full(term.dtype(), (), before + weight * term.item()?);
            } else {
                totals.push(sum);
                vectors.push(term);
            }
        }
        if vectors.is_empty() {
            return Ok(());
        }
        let program =
            self.array_program(Key::AddWeighted { begins }, &vectors, |tape, terms| {
                let weight = tape.input("weight", DType::F64, ());
                // An input, since a sum with a literal 0 would be left out, and −0 with it.
                let zero = begins.then(|| tape.input("zero", DType::F64, ()));
                let sum = |(i, &term): (usize, &Var)| {
                    let sum = zero.unwrap_or_else(|| {
                        tape.input(&format!("sum {i}"), term.dtype(), term.shape()).cast(DType::F64)
                    });
                    (sum + weight * term.cast(DType::F64)).cast(term.dtype())
                };
                terms.iter().enumerate().map(sum).collect()
            })?;
        let (zero, weight) = (Array::scalar(0.0), Array::scalar(weight));
        let mut inputs: Vec<&Array> = vectors.iter().chain([&weight]).collect();
        match begins {
            true => inputs.push(&zero),
            false => inputs.extend(totals.iter().map(|sum| &**sum)),
        }
        let found = program.run(&inputs)?;
        totals.into_iter().zip(found).for_each(|(sum, new)| *sum = new);
        Ok(())
    }

    /// Checks that whole numbers or truth values are those of an earlier chunk.
    fn check_equal(&self, i: usize, sum: &Array, part: &Array) -> Result<()> {
        let like = [sum.clone(), part.clone()];
        let program = self.array_program(Key::Differences, &like, |_, both| {
            vec![both[0].not_equal(both[1]).cast(DType::F64).sum()]
        })?;
        if program.run(&[sum, part])?[0].item()? == 0.0 {
            return Ok(());
        }
        Err(Error::Setting {
            of: "a batch in chunks".into(),
            name: "a value that is no floating-point number",
            value: format!("{sum} and {part} in two chunks (number {i} of its kind)"),
            expected: "the same in all: it cannot be averaged",
        })
    }

    /// The batch of the examples with the given indices: rows of arrays of examples, shared arrays
    /// as they are. Each array stays where it lives.
    pub(crate) fn gather_rows(&self, batch: &[Array], indices: &[usize]) -> Result<Vec<Array>> {
        self.batches.gather_rows(batch, indices, |array| self.rows_of(array, indices))
    }

    /// The rows of an array in the backend's memory.
    fn rows_of(&self, array: &Array, indices: &[usize]) -> Result<Array> {
        let count = indices.len();
        let index = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        let first = indices.first().copied().unwrap_or(0);
        let contiguous = indices.iter().zip(first..).all(|(&i, expected)| i == expected);
        let like = std::slice::from_ref(array);
        let program =
            self.array_program(Key::Rows { count, contiguous }, like, |tape, arrays| {
                let rows = match contiguous {
                    true => tape.iota(count) + tape.input("first", DType::U32, ()),
                    false => tape.input("rows", DType::U32, [count]),
                };
                vec![arrays[0].gather(0, rows)]
            })?;
        let rows = match contiguous {
            true => Array::scalar(index(first)),
            false => Array::vector(indices.iter().copied().map(index).collect::<Vec<_>>()),
        };
        Ok(program.run(&[array, &rows])?.swap_remove(0))
    }

    /// `count` copies of a vector, in the parameters' type: shape `[dim]` for one, `[count, dim]` for
    /// more.
    pub(crate) fn repeated(&self, vector: &Array, count: usize) -> Result<Array> {
        if count == 1 {
            return self.rounded(vector);
        }
        let to = self.dtype();
        self.of_vectors(Key::Repeat(count), &[vector], |v| {
            let row = v[0].cast(to).expand_dims(0);
            row.join(&vec![row; count - 1], 0)
        })
    }

    /// A vector like the parameters in their element type, from one of another.
    pub(crate) fn rounded(&self, vector: &Array) -> Result<Array> {
        self.cast(vector, self.dtype())
    }

    /// An array's elements rounded to a type, in the backend's memory.
    pub(crate) fn cast(&self, array: &Array, to: DType) -> Result<Array> {
        if array.dtype() == to {
            return self.resident(array);
        }
        let like = std::slice::from_ref(array);
        let program = self.array_program(Key::Cast(to), like, |_, v| vec![v[0].cast(to)])?;
        Ok(program.run(&[array])?.swap_remove(0))
    }
}
