//! Runs of an objective's programs, and the errors of results that are not finite.

use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::batch::{bad_element_of, description};
use burlap_autodiff::{Array, Program};

/// The inputs of a program, in their order.
pub(crate) fn inputs<'a>(
    x: &'a Array,
    batch: &'a [Array],
    buffers: &'a [Array],
    rest: &[&'a Array],
) -> Vec<&'a Array> {
    std::iter::once(x).chain(batch).chain(buffers).chain(rest.iter().copied()).collect()
}

impl Objective {
    /// Runs a program on parameters, batch, buffers and further inputs.
    pub(crate) fn run(
        &self,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<Vec<Array>> {
        let buffers = self.buffers.values();
        Ok(program.run(&inputs(x, batch, &buffers, rest))?)
    }

    /// Runs a program whose first output is a loss; it and other scalars must be finite.
    pub(crate) fn run_checked(
        &self,
        of: &str,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<(f64, Vec<Array>)> {
        let mut outputs = self.run(program, x, batch, rest)?;
        let mut scalars: Vec<&mut Array> =
            outputs.iter_mut().filter(|output| output.shape().is_empty()).collect();
        // Copied once: who reads them again finds them on the host.
        let values = self.backend().download(&scalars.iter().map(|s| &**s).collect::<Vec<_>>())?;
        scalars.iter_mut().zip(values).for_each(|(scalar, value)| **scalar = value);
        let first = outputs[0].item()?;
        let mut scalars = outputs.iter().filter_map(|o| o.get(&[]));
        let Some(loss) = scalars.find(|value| !value.is_finite()) else {
            return Ok((first, outputs));
        };
        Err(self.non_finite(of, loss, program, x, batch, rest)?)
    }

    /// The error of a loss that is not finite: that there are no examples, or what the batch holds
    /// that is no number, or a denominator of 0, or the primitive that made it so.
    pub(crate) fn non_finite(
        &self,
        of: &str,
        loss: f64,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<Error> {
        // Arrays that nobody declared may differ.
        if self.batches.examples(batch).is_ok_and(|n| n == Some(0)) {
            return Ok(Error::Batch {
                array: "the number of examples".into(),
                found: "0".into(),
                expected: format!("at least 1: the loss of none is {loss}"),
            });
        }
        // A denominator that depends on parameters has no program of its own.
        if let Ok(Some(denominator)) = self.denominator(of, batch)
            && denominator == 0.0
        {
            let problem = "on the batch: no example counts".into();
            return Ok(Error::Denominator { of: of.to_owned(), denominator, problem });
        }
        let buffers = self.buffers.values();
        let cause = program.find_non_finite(&inputs(x, batch, &buffers, rest))?;
        // What was given is said of the batch, not of the line that declared the input.
        let given = |e: &burlap_autodiff::Error| {
            matches!(e, burlap_autodiff::Error::NonFinite { op: "input", .. })
        };
        let cause = cause.filter(|error| !given(error)).map(Box::new);
        let parameters = || bad_element_of(x, || "the parameter vector".into(), false);
        let infinite = || self.batches.bad_element(batch, true).filter(|_| cause.is_none());
        let input = self.batches.bad_element(batch, false).or_else(parameters).or_else(infinite);
        Ok(Error::NonFiniteLoss { of: of.to_owned(), loss, input, cause })
    }

    /// The error of a chunk as one of the whole batch.
    pub(crate) fn on_batch(&self, error: Error, batch: &[Array]) -> Error {
        match error {
            Error::NonFiniteLoss { of, loss, input: Some(part), cause } => {
                let input =
                    self.batches.bad_element(batch, part.value.is_infinite()).or(Some(part));
                Error::NonFiniteLoss { of, loss, input, cause }
            }
            other => other,
        }
    }

    /// The error of a gradient that is not finite, by the primitive of the plain gradient that
    /// makes it so, if it is one of these.
    pub(crate) fn non_finite_gradient(&self, of: &str, x: &Array, batch: &[Array]) -> Error {
        let buffers = self.buffers.values();
        let on = |part: &[Array]| {
            let program = self.gradient_program(part).ok()?;
            program.find_non_finite(&inputs(x, part, &buffers, &[])).ok()?.map(Box::new)
        };
        let cause = match self.batches.micro_batches(batch) {
            Ok(Some(ranges)) => ranges
                .into_iter()
                .find_map(|range| on(&self.gather_rows(batch, &range.collect::<Vec<_>>()).ok()?)),
            _ => on(batch),
        };
        let input = self.batches.bad_element(batch, false);
        Error::NonFiniteGradient { of: of.to_owned(), input, cause }
    }

    /// Checks that a vector can be the parameters or a direction; errors call it `what`.
    pub(crate) fn check_vector(&self, of: &str, what: &str, v: &Array) -> Result<()> {
        if v.dtype() == self.dtype() && v.shape()[..] == [self.dim()] {
            return Ok(());
        }
        Err(Error::Vector {
            of: format!("{of}, {what}"),
            expected: format!("{}[{}]", self.dtype(), self.dim()),
            found: description(v),
        })
    }
}
