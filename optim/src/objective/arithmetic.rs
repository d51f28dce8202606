//! Arithmetic of arrays where they live: small programs in which no loss occurs, compiled once for
//! each shape. No vector goes through the host.

use super::Objective;
use super::programs::{Key, signature};
use crate::error::{Error, Result};
use burlap_autodiff::{Array, DType, Program, Tape, Var};
use std::rc::Rc;

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
        self.kept_array(Kept::Zero, || self.rows(1))
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
    ) -> Result<Rc<Program>> {
        let key = (key, signature(like));
        if let Some(Some(program)) = self.programs.borrow_mut().get(&key) {
            return Ok(program);
        }
        let tape = Tape::new();
        let input = |(i, a): (usize, &Array)| {
            tape.input(&format!("array {i}"), a.dtype(), a.shape().clone())
        };
        let inputs: Vec<Var> = like.iter().enumerate().map(input).collect();
        let program = Rc::new(tape.compile(self.backend(), &record(&tape, &inputs))?);
        self.programs.borrow_mut().insert(key, Some(Rc::clone(&program)));
        Ok(program)
    }

    /// `sums` += `share` · `parts`, element by element, in double precision and then rounded to the
    /// type; begins with the first parts. What holds whole numbers or truth values cannot be
    /// averaged, and must be the same in all parts.
    pub(crate) fn add_shares(
        &self,
        sums: &mut Vec<Array>,
        share: f64,
        parts: Vec<Array>,
    ) -> Result<()> {
        let begins = sums.is_empty();
        if begins {
            sums.clone_from(&parts);
        }
        let (mut vectors, mut terms) = (Vec::new(), Vec::new());
        for (i, (sum, part)) in sums.iter_mut().zip(parts).enumerate() {
            if !part.dtype().is_float() {
                if !begins {
                    self.check_equal(i, sum, &part)?;
                }
            } else if part.shape().is_empty() && part.is_on_host() {
                let before = if begins { 0.0 } else { sum.item()? };
                *sum = Array::full(part.dtype(), (), before + share * part.item()?);
            } else {
                vectors.push(sum);
                terms.push(part);
            }
        }
        if terms.is_empty() {
            return Ok(());
        }
        let program = self.array_program(Key::AddShares { begins }, &terms, |tape, terms| {
            let share = tape.input("share", DType::F64, ());
            // An input, since a sum with a literal 0 would be left out, and −0 with it.
            let zero = begins.then(|| tape.input("zero", DType::F64, ()));
            let sum = |(i, &term): (usize, &Var)| {
                let sum = zero.unwrap_or_else(|| {
                    tape.input(&format!("sum {i}"), term.dtype(), term.shape()).cast(DType::F64)
                });
                (sum + share * term.cast(DType::F64)).cast(term.dtype())
            };
            terms.iter().enumerate().map(sum).collect()
        })?;
        let (zero, share) = (Array::scalar(0.0), Array::scalar(share));
        let mut inputs: Vec<&Array> = terms.iter().chain([&share]).collect();
        match begins {
            true => inputs.push(&zero),
            false => inputs.extend(vectors.iter().map(|sum| &**sum)),
        }
        let found = program.run(&inputs)?;
        vectors.into_iter().zip(found).for_each(|(sum, new)| *sum = new);
        Ok(())
    }

    /// Checks that whole numbers or truth values are those of an earlier part.
    fn check_equal(&self, i: usize, sum: &Array, part: &Array) -> Result<()> {
        let like = [sum.clone(), part.clone()];
        let program = self.array_program(Key::Differences, &like, |_, both| {
            vec![both[0].not_equal(both[1]).cast(DType::F64).sum()]
        })?;
        if program.run(&[sum, part])?[0].item()? == 0.0 {
            return Ok(());
        }
        Err(Error::Setting {
            of: "a batch in parts".into(),
            name: "a value that is no floating-point number",
            value: format!("{sum} and {part} in two parts (number {i} of its kind)"),
            expected: "the same in all: it cannot be averaged",
        })
    }

    /// Rows of an array in the backend's memory, along its first axis.
    pub(super) fn gather_rows(&self, array: &Array, indices: &[usize]) -> Result<Array> {
        let count = indices.len();
        let index = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        let first = indices.first().copied().unwrap_or(0);
        let ranges = indices.iter().zip(first..).all(|(&i, expected)| i == expected);
        let key = Key::Rows { count, contiguous: ranges };
        let like = std::slice::from_ref(array);
        let program = self.array_program(key, like, |tape, arrays| {
            let rows = match ranges {
                true => tape.iota(count) + tape.input("first", DType::U32, ()),
                false => tape.input("rows", DType::U32, [count]),
            };
            vec![arrays[0].gather(0, rows)]
        })?;
        let rows = match ranges {
            true => Array::scalar(index(first)),
            false => Array::vector(indices.iter().copied().map(index).collect::<Vec<_>>()),
        };
        Ok(program.run(&[array, &rows])?.swap_remove(0))
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
