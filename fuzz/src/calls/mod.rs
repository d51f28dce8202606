//! Single calls of the engine's public interface, well-formed or not.

mod elementwise;
mod movement;
mod operands;
mod tables;
mod transforms;

use crate::choices::Choices;
use burlap::autodiff::{Shape, Tape, Var};

/// Elements of a value that is used further.
const MOST: usize = 512;

/// Primitives of a tape on which transforms still record.
const LONGEST: usize = 4000;

/// A recorded value.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) var: Var,
    /// Whether every backend gives the same bits: no result on the way to it was rounded.
    pub(crate) exact: bool,
}

/// Calls on one tape.
pub(crate) struct Calls<'t, 'a, 'c> {
    pub(crate) tape: &'t Tape,
    pub(crate) values: Vec<Known>,
    pub(crate) listing: Vec<String>,
    pub(crate) c: &'c mut Choices<'a>,
    /// Whether all operands of the call so far are exact.
    exact: bool,
    /// Vectorised and checkpointed calls within others.
    depth: usize,
}

impl<'t, 'a, 'c> Calls<'t, 'a, 'c> {
    pub(crate) fn new(tape: &'t Tape, values: Vec<Known>, c: &'c mut Choices<'a>) -> Self {
        Calls { tape, values, listing: Vec::new(), c, exact: true, depth: 0 }
    }

    fn record(&mut self, text: String, var: Var, exact: bool) -> Var {
        let number = self.values.len();
        self.listing.push(format!("v{number} = {text} : {}{}", var.dtype(), var.shape()));
        self.values.push(Known { var, exact: exact && self.exact });
        var
    }

    /// Records one call.
    pub(crate) fn call(&mut self) -> Var {
        self.exact = true;
        match self.c.below(12) {
            0 | 10 | 11 => self.elementwise(),
            1 | 2 => self.of_two(),
            3 => self.with_number(),
            4 => self.over_axes(),
            5 => self.moved(),
            6 => self.indexed(),
            7 => self.made(),
            8 if self.tape.len() < LONGEST => self.transformed(),
            8 => self.elementwise(),
            _ => self.several(),
        }
    }

    /// Whether a value is small enough to be used further, and run.
    pub(crate) fn is_small(shape: &Shape) -> bool {
        shape.count() <= MOST
    }
}
