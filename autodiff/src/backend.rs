//! What a backend is: something that makes whole planned programs executable.

use crate::Array;
use crate::error::Result;
use crate::program::Plan;
use std::time::Duration;

/// Which part of a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// What depends on the early inputs only; its results are kept.
    Early,
    /// The rest, on the kept results.
    Late,
}

/// Something that runs programs.
pub trait Backend: Send + Sync {
    /// The name, as in error messages.
    fn name(&self) -> &'static str;

    /// Another handle of the same backend, with which a program can compile its staged forms.
    fn boxed(&self) -> Box<dyn Backend>;

    /// Makes a plan executable.
    ///
    /// # Errors
    /// What the backend cannot do.
    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>>;
}

/// A program made executable by a backend.
pub trait Executable: Send {
    /// Runs a part on arrays that have the shapes and types of the plan. Whatever part runs,
    /// all inputs are given; `Early` leaves the outputs alone.
    ///
    /// # Errors
    /// What goes wrong with the numbers, such as an index beyond its axis.
    fn run(&mut self, part: Part, inputs: &[&Array], outputs: &mut [Array]) -> Result<()>;

    /// Runs everything, each kernel alone, and tells how long each took, in the plan's order;
    /// `None` where that cannot be told.
    ///
    /// # Errors
    /// As [`Executable::run`].
    fn times(&mut self, inputs: &[&Array], outputs: &mut [Array]) -> Result<Option<Vec<Duration>>> {
        let _ = (inputs, outputs);
        Ok(None)
    }
}
