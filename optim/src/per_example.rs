//! Gradients of the loss on each example alone.

use crate::error::{Error, Result};
use crate::objective::{Objective, Recording};
use burlap_autodiff::{Array, Var, map_rows};

/// Of each example, the values that `f` makes of the loss on a batch of it alone, laid along a
/// leading axis.
pub(crate) fn record<R: AsRef<[Var]>>(r: &Recording<'_>, f: impl Fn(Var) -> R) -> Vec<Var> {
    let alone = |rows: &[Var]| {
        let batch: Vec<Var> = rows.iter().map(|row| row.expand_dims(0)).collect();
        f(r.loss_on(r.x, &batch))
    };
    match *r.batch {
        [a] => map_rows([a], |rows| alone(&rows)),
        [a, b] => map_rows([a, b], |rows| alone(&rows)),
        [a, b, c] => map_rows([a, b, c], |rows| alone(&rows)),
        [a, b, c, d] => map_rows([a, b, c, d], |rows| alone(&rows)),
        // Refused before anything is recorded.
        _ => Vec::new(),
    }
}

/// Checks that a batch can be taken apart into examples.
pub(crate) fn check_batch(of: &str, batch: &[Array]) -> Result<()> {
    if (1..=4).contains(&batch.len()) {
        return Ok(());
    }
    Err(Error::Setting {
        of: of.into(),
        name: "the number of the batch's arrays",
        value: batch.len().to_string(),
        expected: "from 1 to 4",
    })
}

impl Objective {
    /// The gradients ∇L(x; {eᵢ}) of the loss on each example eᵢ alone, shape `[n, dim]`: the
    /// leading axis of each array of the batch counts examples, and the loss is given batches of
    /// one. Their mean is the gradient of a loss that is a mean over examples.
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
    /// [`Error::Setting`] for a batch of no array or of more than 4, [`Error::NonFiniteLoss`] for
    /// the first example whose loss is not finite, or what the engine reports, such as leading
    /// axes that differ.
    pub fn per_example_gradients(&self, x: &Array, batch: &[Array]) -> Result<Array> {
        const OF: &str = "per-example gradients";
        check_batch(OF, batch)?;
        let program = self.program(OF, batch, |r| record(r, |loss| [loss, loss.grad(r.x)]))?;
        let mut outputs = self.run(&program, x, batch, &[])?;
        if let Some(loss) = outputs[0].to_f64_vec().into_iter().find(|loss| !loss.is_finite()) {
            return Err(self.non_finite(OF, loss, &program, x, batch, &[])?);
        }
        Ok(outputs.swap_remove(1))
    }
}
