//! Programs whose leading inputs are bound: the linear map at a point, for example.

use super::{Shared, lock, make_plan};
use crate::Array;
use crate::backend::{Executable, Part};
use crate::error::{Error, Result};
use smallvec::SmallVec;
use std::sync::{Arc, Mutex};

/// A program with its leading inputs bound; see [`Program::bind`](super::Program::bind).
pub struct Bound {
    shared: Arc<Shared>,
    executable: Mutex<Box<dyn Executable>>,
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
        let executable = shared.backend.compile(make_plan(&shared.graph, leading.len()))?;
        let mut bound =
            Bound { shared, executable: Mutex::new(executable), leading: Vec::new(), check_finite };
        bound.rebind(leading)?;
        Ok(bound)
    }

    /// Binds other values and runs what depends on them alone; nothing is planned anew. On
    /// an error the former values stay bound.
    ///
    /// # Errors
    /// As [`Program::run`](super::Program::run).
    pub fn rebind(&mut self, leading: &[&Array]) -> Result<()> {
        if !self.leading.is_empty() && leading.len() != self.leading.len() {
            return Err(Error::Count {
                what: "inputs",
                expected: self.leading.len(),
                found: leading.len(),
            });
        }
        let specs = self.shared.graph.inputs.iter();
        specs.zip(leading).try_for_each(|(spec, array)| spec.check(array))?;
        let mut none: [Array; 0] = [];
        let result = lock(&self.executable).run(Part::Early, leading, &mut none);
        if let Err(error) = result {
            // What was kept may be half overwritten: restore it.
            let former: SmallVec<[&Array; 8]> = self.leading.iter().collect();
            if !former.is_empty() {
                lock(&self.executable).run(Part::Early, &former, &mut none)?;
            }
            return Err(error);
        }
        self.leading = leading.iter().map(|&a| a.clone()).collect();
        Ok(())
    }

    /// Runs the rest on the remaining inputs.
    ///
    /// # Errors
    /// As [`Program::run`](super::Program::run).
    pub fn run(&self, rest: &[&Array]) -> Result<Vec<Array>> {
        let mut outputs = self.shared.fresh_outputs();
        self.run_into(rest, &mut outputs)?;
        Ok(outputs)
    }

    /// Runs the rest into existing arrays.
    ///
    /// # Errors
    /// As [`Program::run_into`](super::Program::run_into).
    pub fn run_into(&self, rest: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.shared.check_inputs(rest, self.leading.len())?;
        self.shared.check_outputs(outputs)?;
        let all: SmallVec<[&Array; 16]> = self.leading.iter().chain(rest.iter().copied()).collect();
        lock(&self.executable).run(Part::Late, &all, outputs)?;
        if self.check_finite { self.shared.check_finite(&all, outputs) } else { Ok(()) }
    }
}
