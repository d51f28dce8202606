//! A tape on which a program of an objective is being recorded.

use super::batch::Role;
use super::loss::{Loss, LossFormula};
use burlap_autodiff::{At, DType, Tape, Var};

/// A tape on which a program of an objective is being recorded.
pub struct Recording<'a> {
    /// The tape.
    pub tape: &'a Tape,
    /// The parameter vector, shape `[dim]`.
    pub x: Var,
    /// The batch.
    pub batch: &'a [Var],
    /// The buffers, with their values before this step.
    pub buffers: &'a [Var],
    pub(super) loss: &'a LossFormula,
    pub(crate) roles: &'a [Role],
    pub(crate) dtype: DType,
    pub(crate) at: At,
}

impl Recording<'_> {
    /// The loss at parameters `p`.
    pub fn loss(&self, p: Var) -> Var {
        self.loss_and_buffers(p).0
    }

    /// The loss at parameters `p`, and the buffers' new values.
    pub fn loss_and_buffers(&self, p: Var) -> (Var, Vec<Var>) {
        let (loss, new) = self.form(p, self.batch);
        (loss.value(), new)
    }

    /// The numerator of a loss that is a ratio; the loss itself where it is a mean.
    pub(crate) fn numerator(&self, p: Var) -> Var {
        match self.form(p, self.batch).0 {
            Loss::Mean(mean) => mean,
            Loss::Ratio { numerator, .. } => numerator,
        }
    }

    /// The denominator of a loss that is a ratio.
    pub(crate) fn denominator(&self, p: Var) -> Option<Var> {
        match self.form(p, self.batch).0 {
            Loss::Mean(_) => None,
            Loss::Ratio { denominator, .. } => Some(denominator),
        }
    }

    /// The loss at parameters `p` on a batch of one example, and its denominator where it is a
    /// ratio; where that is 0, the numerator.
    pub(crate) fn example(&self, p: Var, batch: &[Var]) -> (Var, Option<Var>) {
        match self.form(p, batch).0 {
            Loss::Mean(mean) => (mean, None),
            Loss::Ratio { numerator, denominator } => {
                let divisor = denominator.equal(0.0).select(1.0, denominator);
                (numerator / divisor, Some(denominator))
            }
        }
    }

    /// The loss in its form, and the buffers' new values.
    fn form(&self, p: Var, batch: &[Var]) -> (Loss, Vec<Var>) {
        let (loss, new) = self.loss.record(p, batch, self.buffers);
        self.checked(loss, new)
    }

    /// A loss and new buffers, or what fails where they are none.
    pub(crate) fn checked(&self, loss: Loss, new: Vec<Var>) -> (Loss, Vec<Var>) {
        let said = |v: &Var| format!("{}{}", v.dtype(), v.shape());
        let expected: Vec<String> = self.buffers.iter().map(said).collect();
        let found: Vec<String> = new.iter().map(said).collect();
        let fits = |v: Var| v.shape().is_empty() && v.dtype() == self.dtype;
        let (at, problem) = if let Some((what, v)) = loss.scalars().find(|&(_, v)| !fits(v)) {
            let dtype = self.dtype;
            (v, format!("the {what} must be a scalar of type {dtype}, not {}", said(&v)))
        } else if expected != found {
            let [expected, found] = [expected, found].map(|all| all.join(", "));
            (loss.value(), format!("the buffers must be {expected} again, not {found}"))
        } else {
            return (loss, new);
        };
        let failed = at.record_at(self.at, || at.fail("objective", problem));
        (Loss::Mean(failed), self.buffers.to_vec())
    }

    /// A further input, a vector like the parameters.
    pub fn vector(&self, name: &str) -> Var {
        self.tape.input(name, self.dtype, self.x.shape())
    }

    /// A further input, `count` vectors like the parameters: shape `[count, dim]`.
    pub fn vectors(&self, name: &str, count: usize) -> Var {
        self.tape.input(name, self.dtype, [count, self.x.shape().count()])
    }

    /// A further input, a key of random primitives: shape `[2]`.
    pub fn key(&self, name: &str) -> Var {
        self.tape.input(name, DType::U32, [2])
    }

    /// A further input, `count` keys of random primitives: shape `[count, 2]`.
    pub fn keys(&self, name: &str, count: usize) -> Var {
        self.tape.input(name, DType::U32, [count, 2])
    }

    /// A further input, a scalar.
    pub fn scalar(&self, name: &str) -> Var {
        self.tape.input(name, self.dtype, ())
    }
}
