//! A tape on which a program of an objective is being recorded.

use crate::composed::Parts;
use crate::objective::Loss;
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
    pub(crate) loss: &'a Loss,
    pub(crate) parts: Option<&'a Parts>,
    pub(crate) dtype: DType,
    pub(crate) at: At,
}

impl Recording<'_> {
    /// The loss at parameters `p`.
    pub fn loss(&self, p: Var) -> Var {
        self.loss_on(p, self.batch)
    }

    /// The loss at parameters `p` on another batch, such as one of its examples.
    pub(crate) fn loss_on(&self, p: Var, batch: &[Var]) -> Var {
        self.loss_and_buffers_on(p, batch).0
    }

    /// The loss at parameters `p`, and the buffers' new values.
    pub fn loss_and_buffers(&self, p: Var) -> (Var, Vec<Var>) {
        self.loss_and_buffers_on(p, self.batch)
    }

    fn loss_and_buffers_on(&self, p: Var, batch: &[Var]) -> (Var, Vec<Var>) {
        let (loss, new) = (self.loss)(p, batch, self.buffers);
        self.checked(loss, new)
    }

    /// A loss and new buffers, or what fails where they are none.
    pub(crate) fn checked(&self, loss: Var, new: Vec<Var>) -> (Var, Vec<Var>) {
        let said = |v: &Var| format!("{}{}", v.dtype(), v.shape());
        let expected: Vec<String> = self.buffers.iter().map(said).collect();
        let found: Vec<String> = new.iter().map(said).collect();
        let problem = if !loss.shape().is_empty() || loss.dtype() != self.dtype {
            format!("the loss must be a scalar of type {}, not {}", self.dtype, said(&loss))
        } else if expected != found {
            let [expected, found] = [expected, found].map(|all| all.join(", "));
            format!("the buffers must be {expected} again, not {found}")
        } else {
            return (loss, new);
        };
        (loss.record_at(self.at, || loss.fail("objective", problem)), self.buffers.to_vec())
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
