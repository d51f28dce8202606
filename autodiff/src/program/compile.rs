//! From a tape to a program.

use super::Program;
use crate::backend::Backend;
use crate::error::{At, Error, Result};
use crate::tape::{Tape, Var, with_tape};

impl Tape {
    /// Compiles a program that computes the outputs from all declared inputs.
    ///
    /// # Errors
    /// The first error recorded on this tape; [`Error::ForeignVar`] for an output of
    /// another tape; what the backend reports.
    #[track_caller]
    pub fn compile(&self, backend: &dyn Backend, outputs: &[Var]) -> Result<Program> {
        let inputs: Vec<Var> = with_tape(self.id(), |tape| {
            tape.inputs.iter().map(|i| Var::new(self.id(), i.node)).collect()
        })
        .unwrap_or_default();
        self.compile_with(backend, &inputs, outputs)
    }

    /// Compiles a program that takes the given inputs, in the given order.
    ///
    /// # Errors
    /// As [`Tape::compile`], and [`Error::UnlistedInput`] when an output needs an input
    /// that is not listed, [`Error::Parameter`] when a listed variable is not an input.
    #[track_caller]
    pub fn compile_with(
        &self,
        backend: &dyn Backend,
        inputs: &[Var],
        outputs: &[Var],
    ) -> Result<Program> {
        let at = At::caller();
        let foreign = || Error::ForeignVar { op: "compile", at };
        if inputs.iter().chain(outputs).any(|v| v.tape() != self.id()) {
            return Err(self.error().unwrap_or_else(foreign));
        }
        let graph = with_tape(self.id(), |tape| tape.extract(inputs, outputs, at))
            .ok_or_else(foreign)??;
        Program::new(graph, backend)
    }
}
