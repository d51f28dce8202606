//! What a backend is: something that makes whole planned programs executable.

use crate::Array;
use crate::error::Result;
use crate::program::Plan;
use std::time::Duration;

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

/// A program made executable by a backend. Threads share it: runs go on side by side, and one may
/// begin on a thread that waits for another.
pub trait Executable: Send + Sync {
    /// Runs what depends on the plan's early inputs alone, which are given, and keeps the results
    /// for [`run`](Executable::run). After an error nothing is bound.
    ///
    /// # Errors
    /// As [`Executable::run`].
    fn bind(&mut self, early: &[&Array]) -> Result<()>;

    /// Runs everything, or, where the plan has early inputs, the rest on what was kept. All inputs
    /// are given, the early ones too.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Input`] and [`Error::Output`] for arrays that are not of the
    /// plan's shapes and types; what goes wrong with the numbers, such as an index beyond its axis.
    ///
    /// [`Error::Count`]: crate::Error::Count
    /// [`Error::Input`]: crate::Error::Input
    /// [`Error::Output`]: crate::Error::Output
    fn run(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()>;

    /// Does what a run does, each kernel alone, and tells how long each took, in the plan's order;
    /// `None` where that cannot be told.
    ///
    /// # Errors
    /// As [`Executable::run`].
    fn times(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<Option<Vec<Duration>>> {
        let _ = (inputs, outputs);
        Ok(None)
    }
}
