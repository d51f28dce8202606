//! Batches in chunks: quantities linear in the loss, averaged over chunks by their weights in it.

use crate::error::{Error, Result, positive_count};
use crate::objective::Objective;
use crate::objective::cache::Key;
use burlap_autodiff::{Array, Program};
use std::ops::Range;
use std::sync::Arc;

/// A chunk of a batch.
pub(crate) struct Chunk {
    /// The indices of its examples.
    pub(crate) indices: Vec<usize>,
    /// Its weight in the loss; 0 where none of its examples counts.
    pub(crate) weight: f64,
    /// Its part of the examples.
    pub(crate) of_examples: f64,
}

/// The unnormalised weight of a chunk.
#[derive(Clone, Copy)]
enum Count {
    /// Its number of examples, for a mean.
    Examples(f64),
    /// Its denominator, for a ratio.
    Denominator(f64),
}

/// Counts over their sum; 0 for none.
fn normalised(of: &str, weights: Vec<Option<Count>>) -> Result<Vec<f64>> {
    let kind = |weight: &Count| matches!(weight, Count::Examples(_));
    let mut kinds = weights.iter().flatten().map(kind);
    if kinds.next().is_some_and(|first| kinds.any(|other| other != first)) {
        return Err(Error::Setting {
            of: of.to_owned(),
            name: "the loss",
            value: "a mean on one part and a ratio on another".into(),
            expected: "of one form on all of them",
        });
    }
    let number = |weight: Option<Count>| match weight {
        Some(Count::Examples(n) | Count::Denominator(n)) => n,
        None => 0.0,
    };
    let weights: Vec<f64> = weights.into_iter().map(number).collect();
    let total: f64 = weights.iter().sum();
    if total == 0.0 || !total.is_finite() {
        let problem = "on all parts of the batch together".into();
        return Err(Error::Denominator { of: of.to_owned(), denominator: total, problem });
    }
    Ok(weights.into_iter().map(|weight| weight / total).collect())
}

impl Objective {
    /// Evaluates batches in micro-batches of at most `size` examples, one after the other, and
    /// averages by their weights in the loss: gradient accumulation, in the memory of one
    /// micro-batch. Losses, gradients, Hessian-vector products, curvatures and their gradients are
    /// those of the whole batch up to rounding, for losses that are means over examples or
    /// [ratios](crate::Loss::Ratio) of sums over them; every method perturbs by the gradient of the
    /// whole batch.
    ///
    /// Arrays of examples are cut along their first axis, [shared](crate::BatchSpec::shared) ones
    /// go to each micro-batch as they are. Where [nothing is declared](Objective::with_batch), all
    /// arrays of a batch that must be cut belong to examples.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |x: Var, batch: &[Var]| (x.at(0) * batch[0]).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_micro_batch_size(2)?;
    /// let batch = [Array::vector([1.0, 2.0, 4.0])];
    /// let (loss, gradient) = objective.value_grad(&Array::vector([1.0]), &batch)?;
    /// assert!((loss - 7.0).abs() < 1e-14);
    /// assert_eq!(gradient.to_string(), "[14]");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of 0.
    pub fn with_micro_batch_size(mut self, size: usize) -> Result<Objective> {
        positive_count("objective", "the micro-batch size", size)?;
        self.batches.micro_batch = Some(size);
        Ok(self)
    }

    /// The chunks of at most `size` examples with their weights; none where the batch is no longer.
    pub(crate) fn chunks(
        &self,
        of: &str,
        x: &Array,
        batch: &[Array],
        size: Option<usize>,
    ) -> Result<Option<Vec<Chunk>>> {
        let Some(ranges) = self.batches.ranges(batch, size)? else {
            return Ok(None);
        };
        let n = ranges.last().map_or(0, |range| range.end) as f64;
        let mut weights = Vec::with_capacity(ranges.len());
        for range in &ranges {
            let examples = range.len() as f64;
            weights.push(Some(match self.loss.may_be_ratio {
                true => {
                    let indices: Vec<usize> = range.clone().collect();
                    self.weight(of, x, &self.gather_rows(batch, &indices)?, examples)
                        .map_err(|error| self.on_batch(error, batch))?
                }
                false => Count::Examples(examples),
            }));
        }
        let weights = normalised(of, weights)?.into_iter().zip(ranges);
        let chunk = |(weight, range): (f64, Range<usize>)| {
            let of_examples = range.len() as f64 / n;
            Chunk { indices: range.collect(), weight, of_examples }
        };
        Ok(Some(weights.map(chunk).collect()))
    }

    /// The unnormalised weight of a batch among others.
    fn weight(&self, of: &str, x: &Array, batch: &[Array], examples: f64) -> Result<Count> {
        let Some(denominator) = self.denominator(of, batch)? else {
            return Ok(Count::Examples(examples));
        };
        if !denominator.is_finite() {
            let input = self
                .batches
                .bad_element(batch, false)
                .or_else(|| self.batches.bad_element(batch, true));
            let (of, loss) = (of.to_owned(), denominator);
            return Err(Error::NonFiniteLoss { of, loss, input, cause: None });
        }
        if denominator == 0.0 {
            let program = self.program_of(Key::Numerator, batch, |r| vec![r.numerator(r.x)])?;
            let numerator = self.run(&program, x, batch, &[])?[0].item()?;
            if numerator != 0.0 {
                let problem = format!("on a part of the batch whose numerator is {numerator}");
                return Err(Error::Denominator { of: of.to_owned(), denominator, problem });
            }
        }
        Ok(Count::Denominator(denominator))
    }

    /// The denominator of a loss that is a ratio.
    pub(crate) fn denominator(&self, of: &str, batch: &[Array]) -> Result<Option<f64>> {
        if !self.loss.may_be_ratio {
            return Ok(None);
        }
        let Some(program) = self.denominator_program(of, batch)? else {
            return Ok(None);
        };
        let buffers = self.buffers.values();
        let inputs: Vec<&Array> = batch.iter().chain(buffers.iter()).collect();
        Ok(Some(program.run(&inputs)?[0].item()?))
    }

    /// The weights of batches of one data set in its loss: Σ weight · L(x; batch) is the loss of
    /// all examples, and so with every quantity linear in it. They are the batches' numbers of
    /// examples, or the denominators of a [ratio](crate::Loss::Ratio), over their sums; a batch
    /// that no array of examples belongs to counts as one example, and one of no examples, or whose
    /// denominator is 0, has the weight 0: it has no loss.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |x: Var, batch: &[Var]| (x.at(0) * batch[0]).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss);
    /// let (first, second) = ([Array::vector([1.0, 2.0, 4.0])], [Array::vector([3.0])]);
    /// let weights = objective.weights(&Array::vector([1.0]), &[&first, &second])?;
    /// assert_eq!(weights, [0.75, 0.25]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Batch`] for arrays whose numbers of examples differ, [`Error::Setting`] for no
    /// examples at all, [`Error::Denominator`] for denominators whose sum is 0, or one of 0 whose
    /// numerator is none, or what the engine reports.
    pub fn weights(&self, x: &Array, batches: &[&[Array]]) -> Result<Vec<f64>> {
        self.weights_for("weights", x, batches)
    }

    pub(crate) fn weights_for(
        &self,
        of: &str,
        x: &Array,
        batches: &[&[Array]],
    ) -> Result<Vec<f64>> {
        self.check_vector(of, "parameters", x)?;
        if let [_] = batches {
            return Ok(vec![1.0]);
        }
        let mut weights = Vec::with_capacity(batches.len());
        let mut total = 0;
        for batch in batches {
            let examples = self.batches.examples(batch)?.unwrap_or(1);
            total += examples;
            weights.push(match examples {
                0 => None,
                _ => Some(self.weight(of, x, batch, examples as f64)?),
            });
        }
        positive_count(of, "the number of examples in all batches", total)?;
        normalised(of, weights)
    }

    /// Runs a program whose first `linear` outputs are linear in the loss, the very first a
    /// finite scalar, on each micro-batch, and averages. Others are averaged by numbers of examples.
    pub(crate) fn averaged(
        &self,
        of: &str,
        (x, batch, rest): (&Array, &[Array], &[&Array]),
        linear: usize,
        program: impl Fn(&[Array]) -> Result<Arc<Program>>,
    ) -> Result<(f64, Vec<Array>)> {
        self.check_vector(of, "parameters", x)?;
        let Some(chunks) = self.chunks(of, x, batch, self.batches.micro_batch)? else {
            return self.run_checked(of, &*program(batch)?, x, batch, rest);
        };
        let (mut first, mut sums, mut means) = (0.0, Vec::new(), Vec::new());
        for Chunk { indices, weight, of_examples } in chunks {
            let chunk = self.gather_rows(batch, &indices)?;
            let program = program(&chunk)?;
            if weight == 0.0 {
                // Where no example counts there is no loss.
                let others = self.run(&program, x, &chunk, rest)?.split_off(linear);
                self.add_weighted(&mut means, of_examples, others)?;
                continue;
            }
            let run = self.run_checked(of, &program, x, &chunk, rest);
            let (value, mut outputs) = run.map_err(|error| self.on_batch(error, batch))?;
            first += weight * value;
            self.add_weighted(&mut means, of_examples, outputs.split_off(linear))?;
            self.add_weighted(&mut sums, weight, outputs)?;
        }
        sums.append(&mut means);
        Ok((first, sums))
    }
}
