//! Programs whose leading inputs are bound: the linear map at a point, for example.

use super::Shared;
use crate::Array;
use crate::backend::Executable;
use crate::error::{Error, Result};
use smallvec::SmallVec;
use std::sync::Arc;

/// A program with its leading inputs bound; see [`Program::bind`](super::Program::bind). Threads
/// may share it.
pub struct Bound {
    shared: Arc<Shared>,
    executable: Box<dyn Executable>,
    leading: Vec<Array>,
    check_finite: bool,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("bound", &self.leading.len()).finish()
    }
}

impl Bound {
    pub(super) fn new(
        shared: Arc<Shared>,
        leading: &[&Array],
        check_finite: bool,
    ) -> Result<Bound> {
        let specs = &shared.graph.inputs;
        if leading.len() > specs.len() {
            return Err(Error::Count {
                what: "inputs",
                expected: specs.len(),
                found: leading.len(),
            });
        }
        shared.graph.check_leading(leading)?;
        let leading = shared.all_resident(leading)?;
        let mut executable = shared.backend.compile(shared.plan(leading.len())?)?;
        executable.bind(&leading.iter().collect::<SmallVec<[&Array; 8]>>())?;
        Ok(Bound { shared, executable, leading, check_finite })
    }

    /// Binds other values and runs what depends on them alone; nothing is planned anew. On
    /// an error the former values stay bound.
    ///
    /// # Errors
    /// As [`Program::run`](super::Program::run).
    pub fn rebind(&mut self, leading: &[&Array]) -> Result<()> {
        if leading.len() != self.leading.len() {
            return Err(Error::Count {
                what: "bound inputs",
                expected: self.leading.len(),
                found: leading.len(),
            });
        }
        self.shared.graph.check_leading(leading)?;
        let leading = self.shared.all_resident(leading)?;
        if let Err(error) = self.executable.bind(&leading.iter().collect::<SmallVec<[&Array; 8]>>())
        {
            // What was kept may be half overwritten: restore it.
            let former: SmallVec<[&Array; 8]> = self.leading.iter().collect();
            self.executable.bind(&former)?;
            return Err(error);
        }
        self.leading = leading;
        Ok(())
    }

    /// Runs the rest on the remaining inputs.
    ///
    /// # Errors
    /// As [`Program::run`](super::Program::run).
    pub fn run(&self, rest: &[&Array]) -> Result<Vec<Array>> {
        let mut outputs = self.shared.fresh_outputs()?;
        self.run_into(rest, &mut outputs)?;
        Ok(outputs)
    }

    /// Runs the rest into existing arrays.
    ///
    /// # Errors
    /// As [`Program::run_into`](super::Program::run_into).
    pub fn run_into(&self, rest: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.shared.graph.check_inputs(self.leading.len(), rest)?;
        let all: SmallVec<[&Array; 16]> = self.leading.iter().chain(rest.iter().copied()).collect();
        self.shared.run(&*self.executable, (&all, outputs), self.check_finite)
    }
}
