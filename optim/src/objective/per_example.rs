//! Gradients of the loss on each example alone.

use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::batch::{Role, description};
use crate::objective::cache::Key;
use crate::objective::recording::Recording;
use burlap_autodiff::{Array, Var, map_rows};

/// Of each example, the values that `f` makes of the loss on a batch of it alone (and, where
/// that is a ratio, its denominator), laid along a leading axis.
pub(crate) fn record<R: AsRef<[Var]>>(
    r: &Recording<'_>,
    f: impl Fn(Var, Option<Var>) -> R,
) -> Vec<Var> {
    let of_examples = |i: usize| r.roles.get(i) == Some(&Role::ByExample);
    let alone = |rows: &[Var]| {
        let mut rows = rows.iter();
        let mut one = |(i, &whole): (usize, &Var)| match of_examples(i) {
            true => rows.next().map_or(whole, |row| row.expand_dims(0)),
            false => whole,
        };
        let batch: Vec<Var> = r.batch.iter().enumerate().map(&mut one).collect();
        let (loss, denominator) = r.example(r.x, &batch);
        f(loss, denominator)
    };
    let cut: Vec<Var> =
        (0..r.batch.len()).filter(|&i| of_examples(i)).map(|i| r.batch[i]).collect();
    match cut[..] {
        [a] => map_rows([a], |rows| alone(&rows)),
        [a, b] => map_rows([a, b], |rows| alone(&rows)),
        [a, b, c] => map_rows([a, b, c], |rows| alone(&rows)),
        [a, b, c, d] => map_rows([a, b, c, d], |rows| alone(&rows)),
        // Refused before anything is recorded.
        _ => Vec::new(),
    }
}

/// The numbers of the examples.
fn host(array: Option<Array>) -> Result<Option<Vec<f64>>> {
    Ok(array.map(|array| array.download()).transpose()?.map(|array| array.to_f64_vec()))
}

/// Results on single examples.
struct Examples {
    losses: Vec<f64>,
    gradients: Option<Array>,
    /// The examples' denominators, where the loss is a ratio.
    denominators: Option<Vec<f64>>,
}

impl Objective {
    /// The gradients ∇L(x; {eᵢ}) of the loss on each example eᵢ alone, shape `[n, dim]`: the
    /// loss is given batches of one, with the arrays that are [shared](crate::BatchSpec::shared). Their
    /// mean is the gradient of a loss that is a mean over examples; of a [ratio](crate::Loss::Ratio) it
    /// is their mean weighted by the examples' denominators, and an example whose denominator is
    /// 0 has the gradient 0.
    ///
    /// All are computed together, so n gradients are in memory at once.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |w: Var, batch: &[Var]| (batch[0].matmul(w) - batch[1]).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let xs = Array::from_vec([3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
    /// let batch = [xs, Array::vector([1.0, 1.0, 1.0])];
    /// let each = objective.per_example_gradients(&Array::vector([2.0, 3.0]), &batch)?;
    /// assert_eq!(each.to_string(), "[[2, 0],\n [0, 4],\n [8, 8]]");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a batch of no array of examples or of more than 4 of them,
    /// [`Error::Batch`] for arrays of other numbers of examples or of none, [`Error::Vector`] for
    /// parameters that are none, [`Error::NonFiniteLoss`] for the first example whose loss is not
    /// finite, [`Error::Denominator`] for one whose denominator alone is 0, or what the engine
    /// reports.
    pub fn per_example_gradients(&self, x: &Array, batch: &[Array]) -> Result<Array> {
        let found = self.each_example("per-example gradients", x, batch, true)?;
        found.gradients.map_or_else(|| self.zero_vector(), Ok)
    }

    /// The losses on single examples, by micro-batches; none for those whose denominator is 0.
    pub(crate) fn example_losses(
        &self,
        of: &str,
        x: &Array,
        batch: &[Array],
    ) -> Result<Vec<Option<f64>>> {
        let on = |part: &[Array]| -> Result<Vec<Option<f64>>> {
            let Examples { losses, denominators, .. } = self.each_example(of, x, part, false)?;
            let counts = |i: usize| denominators.as_ref().is_none_or(|all| all[i] != 0.0);
            Ok(losses.into_iter().enumerate().map(|(i, l)| counts(i).then_some(l)).collect())
        };
        let Some(ranges) = self.batches.micro_batches(batch)? else {
            return on(batch);
        };
        let mut losses = Vec::new();
        for range in ranges {
            losses.extend(on(&self.gather_rows(batch, &range.collect::<Vec<_>>())?)?);
        }
        Ok(losses)
    }

    /// Checks that a batch can be taken apart into examples.
    pub(crate) fn check_examples(&self, of: &str, batch: &[Array]) -> Result<()> {
        let count = (0..batch.len()).filter(|&i| self.batches.role(i) == Role::ByExample).count();
        if !(1..=4).contains(&count) {
            return Err(Error::Setting {
                of: of.into(),
                name: "the number of the batch's arrays of examples",
                value: count.to_string(),
                expected: "from 1 to 4",
            });
        }
        match self.batches.examples(batch)? {
            Some(_) => Ok(()),
            None => Err(Error::Batch {
                array: self.batches.array_name(0),
                found: description(&batch[0]),
                expected: "an array with an axis of examples".into(),
            }),
        }
    }

    fn each_example(
        &self,
        of: &str,
        x: &Array,
        batch: &[Array],
        gradient: bool,
    ) -> Result<Examples> {
        self.check_vector(of, "parameters", x)?;
        self.check_examples(of, batch)?;
        let program = self.program_of(Key::Examples { gradient }, batch, |r| {
            record(r, |loss, denominator| {
                let gradient = gradient.then(|| loss.grad(r.x));
                [Some(loss), gradient, denominator].into_iter().flatten().collect::<Vec<_>>()
            })
        })?;
        let mut outputs = self.run(&program, x, batch, &[])?.into_iter();
        let losses = host(outputs.next())?.unwrap_or_default();
        let gradients = if gradient { outputs.next() } else { None };
        let denominators = host(outputs.next())?;
        if let Some(&loss) = losses.iter().find(|loss| !loss.is_finite()) {
            return Err(self.non_finite(of, loss, &program, x, batch, &[])?);
        }
        let pairs = denominators.iter().flatten().zip(&losses);
        if let Some((i, (_, numerator))) =
            pairs.enumerate().find(|(_, (d, numerator))| **d == 0.0 && **numerator != 0.0)
        {
            let problem = format!("on example {i}, whose numerator is {numerator}");
            return Err(Error::Denominator { of: of.into(), denominator: 0.0, problem });
        }
        Ok(Examples { losses, gradients, denominators })
    }
}
