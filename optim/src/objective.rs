//! A loss recorded once a batch shape; value, gradient, Hessian-vector and curvature
//! programs compiled from it when first asked for.

use crate::batch::{BatchSpec, Role, said};
use crate::buffers::Buffers;
use crate::composed::Parts;
use crate::error::{Error, Result};
use crate::loss::{Loss, may_be_ratio};
use crate::programs::{Key, Shelf, signature};
use crate::recording::Recording;
use burlap_autodiff::{Array, At, Backend, DType, Program, Tape, Var};
use std::any::TypeId;
use std::rc::Rc;

/// Parameters, batch, buffers to the loss and the buffers' new values.
pub(crate) type Formula = dyn Fn(Var, &[Var], &[Var]) -> (Loss, Vec<Var>);

/// A function L(x; batch) of a flat parameter vector x, with its derivatives.
///
/// The loss is a formula of the parameter vector and of the arrays of a batch; it is
/// recorded anew for each shape of batch, and each program is compiled when first used.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType};
/// use burlap_optim::Objective;
/// // ½ Σ aᵢ xᵢ²
/// let loss = |x: burlap_autodiff::Var, batch: &[burlap_autodiff::Var]| 0.5 * (batch[0] * x * x).sum();
/// let objective = Objective::new(Cpu::new(), DType::F64, 3, loss);
/// let batch = [Array::vector([1.0, 2.0, 3.0])];
/// let (value, gradient) = objective.value_grad(&Array::vector([1.0, 1.0, 1.0]), &batch)?;
/// assert_eq!((value, gradient.to_string()), (3.0, "[1, 2, 3]".into()));
/// let h = objective.hvp(&Array::vector([1.0, 1.0, 1.0]), &batch, &Array::vector([0.0, 1.0, 0.0]))?;
/// assert_eq!(h.to_string(), "[0, 2, 0]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Objective {
    loss: Box<Formula>,
    /// Whether the loss may be a ratio, as its closure's type tells before it is called.
    pub(crate) may_be_ratio: bool,
    pub(crate) parts: Option<Rc<Parts>>,
    backend: Box<dyn Backend>,
    dtype: DType,
    dim: usize,
    at: At,
    pub(crate) programs: Shelf,
    pub(crate) buffers: Buffers,
    pub(crate) batch: Option<BatchSpec>,
    pub(crate) piece: Option<usize>,
}

impl std::fmt::Debug for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Objective of {} {} parameters on {}", self.dim, self.dtype, self.backend.name())
    }
}

impl Objective {
    /// An objective of `dim` parameters of the given type. The loss is a mean over examples, or
    /// another [form](Loss) of sums over them.
    #[track_caller]
    pub fn new<L: Into<Loss> + 'static>(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        loss: impl Fn(Var, &[Var]) -> L + 'static,
    ) -> Objective {
        let loss = move |x: Var, batch: &[Var], _: &[Var]| (loss(x, batch).into(), Vec::new());
        let mut objective =
            Objective::build(Box::new(backend), dtype, dim, Buffers::default(), Box::new(loss));
        objective.may_be_ratio = may_be_ratio::<L>();
        objective
    }

    #[track_caller]
    pub(crate) fn build(
        backend: Box<dyn Backend>,
        dtype: DType,
        dim: usize,
        buffers: Buffers,
        loss: Box<Formula>,
    ) -> Objective {
        let at = At::caller();
        Objective {
            loss,
            may_be_ratio: true,
            parts: None,
            backend,
            dtype,
            dim,
            at,
            programs: Shelf::default(),
            buffers,
            batch: None,
            piece: None,
        }
    }

    /// The number of parameters.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The parameters' element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The backend that programs are compiled for.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// A scalar of the parameters' type.
    pub(crate) fn number(&self, value: f64) -> Array {
        Array::full(self.dtype, (), value)
    }

    /// Room for so many vectors: shape `[dim]` for one, `[count, dim]` for more.
    pub(crate) fn rows(&self, count: usize) -> Array {
        match count {
            1 => Array::zeros(self.dtype, [self.dim]),
            _ => Array::zeros(self.dtype, [count, self.dim]),
        }
    }

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
    pub fn program<F>(&self, name: &str, batch: &[Array], record: F) -> Result<Rc<Program>>
    where
        F: FnOnce(&Recording<'_>) -> Vec<Var> + 'static,
    {
        if size_of::<F>() > 0 {
            self.check_batch(batch)?;
            return Ok(Rc::new(self.compiled(batch, &self.buffers.values(), record)?));
        }
        let formula = TypeId::of::<F>();
        self.programs.borrow().check_name(name, formula)?;
        self.program_of(Key::User { name: name.to_owned(), formula }, batch, record)
    }

    /// The library's program of a key, recorded if it is not there yet.
    pub(crate) fn program_of(
        &self,
        key: Key,
        batch: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Rc<Program>> {
        self.check_batch(batch)?;
        self.kept(key, batch, &self.buffers.values(), record)
    }

    /// A program of vectors like the parameters in which no loss occurs: its inputs are one
    /// such vector and those that `record` declares.
    pub(crate) fn algebra(
        &self,
        key: Key,
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Rc<Program>> {
        self.kept(key, &[], &[], record)
    }

    /// The program of a ratio's denominator, whose inputs are batch and buffers alone; none for
    /// a mean.
    pub(crate) fn denominator_program(
        &self,
        of: &str,
        batch: &[Array],
    ) -> Result<Option<Rc<Program>>> {
        self.check_batch(batch)?;
        let key = (Key::Denominator, signature(batch));
        if let Some(known) = self.programs.borrow_mut().get(&key) {
            return Ok(known);
        }
        let compiled = self.recorded(batch, &self.buffers.values(), |r| {
            let Some(denominator) = r.denominator(r.x) else {
                return Ok(None);
            };
            let inputs: Vec<Var> = r.batch.iter().chain(r.buffers).copied().collect();
            r.tape.compile_with(&*self.backend, &inputs, &[denominator]).map(Some)
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
            other => other?.map(Rc::new),
        };
        self.programs.borrow_mut().insert(key, program.clone());
        Ok(program)
    }

    fn kept(
        &self,
        key: Key,
        batch: &[Array],
        buffers: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Rc<Program>> {
        let key = (key, signature(batch));
        if let Some(Some(program)) = self.programs.borrow_mut().get(&key) {
            return Ok(program);
        }
        let program = Rc::new(self.compiled(batch, buffers, record)?);
        self.programs.borrow_mut().insert(key, Some(Rc::clone(&program)));
        Ok(program)
    }

    fn compiled(
        &self,
        batch: &[Array],
        buffers: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Program> {
        self.recorded(batch, buffers, |r| r.tape.compile(&*self.backend, &record(r)))
    }

    /// What `f` makes of a tape on which parameters, batch and buffers are declared.
    fn recorded<T>(
        &self,
        batch: &[Array],
        buffers: &[Array],
        f: impl FnOnce(&Recording<'_>) -> burlap_autodiff::Result<T>,
    ) -> Result<T> {
        let tape = Tape::new();
        let x = tape.input("parameters", self.dtype, [self.dim]);
        let inputs = |arrays: &[Array], name: &dyn Fn(usize) -> String| -> Vec<Var> {
            let input = |(i, a): (usize, &Array)| tape.input(&name(i), a.dtype(), a.shape());
            arrays.iter().enumerate().map(input).collect()
        };
        let roles: Vec<Role> = (0..batch.len()).map(|i| self.role(i)).collect();
        let recording = Recording {
            tape: &tape,
            x,
            batch: &inputs(batch, &|i| self.array_name(i)),
            buffers: &inputs(buffers, &|i| format!("buffer {i}")),
            loss: &*self.loss,
            parts: self.parts.as_deref(),
            roles: &roles,
            dtype: self.dtype,
            at: self.at,
        };
        f(&recording).map_err(|error| self.of_types(error, batch))
    }

    /// The same error; where types do not fit and data are of another precision than the
    /// parameters, said of the data.
    fn of_types(&self, error: burlap_autodiff::Error, batch: &[Array]) -> Error {
        let other = |a: &Array| a.dtype().is_float() && a.dtype() != self.dtype;
        match (&error, batch.iter().position(other)) {
            (burlap_autodiff::Error::DType { .. }, Some(i)) => Error::Batch {
                array: self.array_name(i),
                found: said(&batch[i]),
                expected: format!("{}, as the parameters are, or cast to it: {error}", self.dtype),
            },
            _ => error.into(),
        }
    }

    /// L(x).
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`], [`Error::Vector`] for vectors that are none of the parameters',
    /// [`Error::Batch`] for a batch that is not as declared or cannot be cut,
    /// [`Error::Denominator`] for a ratio by nothing, or what the engine reports.
    pub fn value(&self, x: &Array, batch: &[Array]) -> Result<f64> {
        let program = |batch: &[Array]| self.program_of(Key::Value, batch, |r| vec![r.loss(r.x)]);
        Ok(self.averaged("value", (x, batch, &[]), 1, program)?.0)
    }

    /// L(x) and ∇L(x).
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn value_grad(&self, x: &Array, batch: &[Array]) -> Result<(f64, Array)> {
        self.value_grad_for("gradient", x, batch)
    }

    /// L(x) and ∇L(x), on behalf of a method that errors name.
    pub(crate) fn value_grad_for(
        &self,
        of: &str,
        x: &Array,
        batch: &[Array],
    ) -> Result<(f64, Array)> {
        let program = |batch: &[Array]| self.gradient_program(batch);
        let (loss, mut outputs) = self.averaged(of, (x, batch, &[]), 2, program)?;
        Ok((loss, outputs.swap_remove(1)))
    }

    pub(crate) fn gradient_program(&self, batch: &[Array]) -> Result<Rc<Program>> {
        self.program_of(Key::Gradient, batch, |r| {
            let loss = r.loss(r.x);
            vec![loss, loss.grad(r.x)]
        })
    }

    /// L(x), ∇L(x) and the buffers' new values: what a step evaluates at the parameters
    /// themselves.
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn value_grad_buffers(
        &self,
        x: &Array,
        batch: &[Array],
    ) -> Result<(f64, Array, Vec<Array>)> {
        self.value_grad_buffers_for("gradient", x, batch)
    }

    pub(crate) fn value_grad_buffers_for(
        &self,
        of: &str,
        x: &Array,
        batch: &[Array],
    ) -> Result<(f64, Array, Vec<Array>)> {
        if self.buffers.is_empty() {
            let (loss, gradient) = self.value_grad_for(of, x, batch)?;
            return Ok((loss, gradient, Vec::new()));
        }
        let program = |batch: &[Array]| {
            self.program_of(Key::GradientAndBuffers, batch, |r| {
                let (loss, mut buffers) = r.loss_and_buffers(r.x);
                buffers.splice(0..0, [loss, loss.grad(r.x)]);
                buffers
            })
        };
        let (loss, mut outputs) = self.averaged(of, (x, batch, &[]), 2, program)?;
        let buffers = outputs.split_off(2);
        Ok((loss, outputs.swap_remove(1), buffers))
    }

    /// The exact Hessian-vector product ∇²L(x) v.
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn hvp(&self, x: &Array, batch: &[Array], v: &Array) -> Result<Array> {
        Ok(self.value_grad_hvp(x, batch, v)?.2)
    }

    /// L(x), ∇L(x) and ∇²L(x) v from one sweep.
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn value_grad_hvp(
        &self,
        x: &Array,
        batch: &[Array],
        v: &Array,
    ) -> Result<(f64, Array, Array)> {
        const OF: &str = "hessian-vector product";
        let program = |batch: &[Array]| {
            self.program_of(Key::HessianVector, batch, |r| {
                let all = r.loss(r.x).value_grad_hvp(r.x, r.vector("v"));
                vec![all.value, all.grad, all.hvp]
            })
        };
        self.check_vector(OF, "direction", v)?;
        let (loss, mut outputs) = self.averaged(OF, (x, batch, &[v]), 3, program)?;
        let hvp = outputs.swap_remove(2);
        Ok((loss, outputs.swap_remove(1), hvp))
    }

    /// The curvature ½vᵀ∇²L(x)v and its gradient with respect to x, v held fixed.
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn curvature(&self, x: &Array, batch: &[Array], v: &Array) -> Result<(f64, Array)> {
        let program = |batch: &[Array]| {
            self.program_of(Key::Curvature, batch, |r| {
                let (q, gradient) = r.loss(r.x).second_directional_grad(r.x, r.vector("v"));
                vec![0.5 * q, 0.5 * gradient]
            })
        };
        self.check_vector("curvature", "direction", v)?;
        let (q, mut outputs) = self.averaged("curvature", (x, batch, &[v]), 2, program)?;
        Ok((q, outputs.swap_remove(1)))
    }
}
