//! The programs of an objective: recorded and compiled where they are not kept.

use super::cache::{Key, signature};
use crate::error::{Error, Result, positive_count};
use crate::objective::Objective;
use crate::objective::batch::{Role, description};
use crate::objective::recording::Recording;
use burlap_autodiff::{Array, Program, Tape, Var};
use std::any::TypeId;
use std::sync::Arc;

impl Objective {
    /// A program of one's own for a batch of this shape. Its inputs are the parameters, the batch,
    /// the [buffers](Objective::buffers) where there are some, and then those that `record` declares.
    ///
    /// It is kept under its name and the closure's type, and recorded where it is not there yet.
    /// A closure that captures values is recorded and compiled at each call, since its type does
    /// not tell what they are: keep the program, where that takes too long.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |x: Var, _: &[Var]| x.square().square().sum();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let hessian = objective.program("hessian", &[], |r| vec![r.loss(r.x).hessian(r.x)])?;
    /// let found = hessian.run(&[&Array::vector([1.0, 2.0])])?;
    /// assert_eq!(found[0].to_string(), "[[12, 0],\n [0, 48]]");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ProgramName`] where a program that is kept has this name and another formula,
    /// [`Error::Batch`] for a batch that is not as declared, or what the recording or the backend
    /// reports.
    pub fn program<F>(&self, name: &str, batch: &[Array], record: F) -> Result<Arc<Program>>
    where
        F: FnOnce(&Recording<'_>) -> Vec<Var> + 'static,
    {
        if size_of::<F>() > 0 {
            self.batches.check(batch)?;
            return Ok(Arc::new(self.compiled(batch, &self.buffers.values(), record)?));
        }
        let formula = TypeId::of::<F>();
        self.programs.check_name(name, formula)?;
        self.program_of(Key::User { name: name.to_owned(), formula }, batch, record)
    }

    /// The library's program of a key, recorded if it is not there yet.
    pub(crate) fn program_of(
        &self,
        key: Key,
        batch: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Arc<Program>> {
        self.batches.check(batch)?;
        self.kept(key, batch, &self.buffers.values(), record)
    }

    /// A program of vectors like the parameters in which no loss occurs: its inputs are one
    /// such vector and those that `record` declares.
    pub(crate) fn algebra(
        &self,
        key: Key,
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Arc<Program>> {
        self.kept(key, &[], &[], record)
    }

    /// The program of a ratio's denominator, whose inputs are batch and buffers alone; none for
    /// a mean.
    pub(crate) fn denominator_program(
        &self,
        of: &str,
        batch: &[Array],
    ) -> Result<Option<Arc<Program>>> {
        self.batches.check(batch)?;
        let key = (Key::Denominator, signature(batch));
        if let Some(known) = self.programs.get(&key) {
            return Ok(known);
        }
        let compiled = self.recorded(batch, &self.buffers.values(), |r| {
            let Some(denominator) = r.denominator(r.x) else {
                return Ok(None);
            };
            let inputs: Vec<Var> = r.batch.iter().chain(r.buffers).copied().collect();
            r.tape.compile_with(self.backend(), &inputs, &[denominator]).map(Some)
        });
        let program = match compiled {
            Err(Error::Autodiff(burlap_autodiff::Error::UnlistedInput { .. })) => {
                return Err(Error::Setting {
                    of: of.to_owned(),
                    name: "the loss's denominator",
                    value: "a function of the parameters".into(),
                    expected: "one of the data alone where a batch is one of several parts",
                });
            }
            other => other?.map(Arc::new),
        };
        self.programs.insert(key, program.clone());
        Ok(program)
    }

    fn kept(
        &self,
        key: Key,
        batch: &[Array],
        buffers: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Arc<Program>> {
        let key = (key, signature(batch));
        if let Some(Some(program)) = self.programs.get(&key) {
            return Ok(program);
        }
        let program = Arc::new(self.compiled(batch, buffers, record)?);
        self.programs.insert(key, Some(Arc::clone(&program)));
        Ok(program)
    }

    fn compiled(
        &self,
        batch: &[Array],
        buffers: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Program> {
        self.recorded(batch, buffers, |r| r.tape.compile(self.backend(), &record(r)))
    }

    /// What `f` makes of a tape on which parameters, batch and buffers are declared.
    fn recorded<T>(
        &self,
        batch: &[Array],
        buffers: &[Array],
        f: impl FnOnce(&Recording<'_>) -> burlap_autodiff::Result<T>,
    ) -> Result<T> {
        let tape = Tape::new();
        let x = tape.input("parameters", self.dtype(), [self.dim()]);
        let inputs = |arrays: &[Array], name: &dyn Fn(usize) -> String| -> Vec<Var> {
            let input = |(i, a): (usize, &Array)| tape.input(&name(i), a.dtype(), a.shape());
            arrays.iter().enumerate().map(input).collect()
        };
        let roles: Vec<Role> = (0..batch.len()).map(|i| self.batches.role(i)).collect();
        let recording = Recording {
            tape: &tape,
            x,
            batch: &inputs(batch, &|i| self.batches.array_name(i)),
            buffers: &inputs(buffers, &|i| format!("buffer {i}")),
            loss: &self.loss,
            roles: &roles,
            dtype: self.dtype(),
            at: self.at,
        };
        f(&recording).map_err(|error| self.of_types(error, batch))
    }

    /// The same error; where types do not fit and data are of another precision than the
    /// parameters, said of the data.
    fn of_types(&self, error: burlap_autodiff::Error, batch: &[Array]) -> Error {
        let other = |a: &Array| a.dtype().is_float() && a.dtype() != self.dtype();
        match (&error, batch.iter().position(other)) {
            (burlap_autodiff::Error::DType { .. }, Some(i)) => Error::Batch {
                array: self.batches.array_name(i),
                found: description(&batch[i]),
                expected: format!(
                    "{}, as the parameters are, or cast to it: {error}",
                    self.dtype()
                ),
            },
            _ => error.into(),
        }
    }

    /// The same, keeping at most so many compiled programs: those that were used last. One that is
    /// asked for again is compiled again. By default 48 are kept.
    ///
    /// A method takes a few programs for each shape of batches, or of
    /// [micro-batches](Objective::with_micro_batch_size): who trains on batches of very many shapes and has the
    /// memory keeps more.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |x: Var, batch: &[Var]| (x.at(0) * batch[0]).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_program_limit(2)?;
    /// for n in 1..10 {
    ///     objective.value(&Array::vector([1.0]), &[Array::vector(vec![1.0; n])])?;
    /// }
    /// assert_eq!(objective.kept_programs(), 2);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for none at all.
    pub fn with_program_limit(self, limit: usize) -> Result<Objective> {
        positive_count("objective", "the number of programs to keep", limit)?;
        self.programs.limit(limit);
        Ok(self)
    }

    /// How many compiled programs are kept.
    pub fn kept_programs(&self) -> usize {
        self.programs.len()
    }

    /// Drops all compiled programs.
    pub fn clear_programs(&self) {
        self.programs.clear();
    }
}
