//! A loss recorded once a batch shape; value, gradient, Hessian-vector and curvature
//! programs compiled from it when first asked for.

use crate::buffers::Buffers;
use crate::composed::Parts;
use crate::error::{Error, Result};
use crate::recording::Recording;
use burlap_autodiff::{Array, At, Backend, DType, Program, Shape, Tape, Var};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

/// Parameters, batch, buffers to the loss and the buffers' new values.
pub(crate) type Loss = dyn Fn(Var, &[Var], &[Var]) -> (Var, Vec<Var>);
type Signature = Vec<(DType, Shape)>;

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
    loss: Box<Loss>,
    pub(crate) parts: Option<Rc<Parts>>,
    backend: Box<dyn Backend>,
    dtype: DType,
    dim: usize,
    at: At,
    programs: RefCell<FxHashMap<(String, Signature), Rc<Program>>>,
    pub(crate) buffers: Buffers,
    pub(crate) piece: Option<usize>,
}

impl std::fmt::Debug for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Objective of {} {} parameters on {}", self.dim, self.dtype, self.backend.name())
    }
}

impl Objective {
    /// An objective of `dim` parameters of the given type.
    #[track_caller]
    pub fn new(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        loss: impl Fn(Var, &[Var]) -> Var + 'static,
    ) -> Objective {
        let loss = move |x: Var, batch: &[Var], _: &[Var]| (loss(x, batch), Vec::new());
        Objective::build(Box::new(backend), dtype, dim, Buffers::default(), Box::new(loss))
    }

    #[track_caller]
    pub(crate) fn build(
        backend: Box<dyn Backend>,
        dtype: DType,
        dim: usize,
        buffers: Buffers,
        loss: Box<Loss>,
    ) -> Objective {
        let at = At::caller();
        let programs = RefCell::default();
        Objective { loss, backend, dtype, dim, at, programs, buffers, parts: None, piece: None }
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

    /// The program of the given name for a batch of this shape, recorded if it is not there
    /// yet. Its inputs are the parameters, the batch, the [buffers](Objective::buffers) where
    /// there are some, and then those that `record` declares.
    ///
    /// # Errors
    /// What the recording or the backend reports.
    pub fn program(
        &self,
        name: &str,
        batch: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Rc<Program>> {
        self.compiled(name, batch, &self.buffers.values(), record)
    }

    /// A program of vectors like the parameters in which no loss occurs: its inputs are one
    /// such vector and those that `record` declares.
    pub(crate) fn algebra(
        &self,
        name: &str,
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Rc<Program>> {
        self.compiled(name, &[], &[], record)
    }

    fn compiled(
        &self,
        name: &str,
        batch: &[Array],
        buffers: &[Array],
        record: impl FnOnce(&Recording<'_>) -> Vec<Var>,
    ) -> Result<Rc<Program>> {
        let signature: Signature = batch.iter().map(|a| (a.dtype(), a.shape().clone())).collect();
        let key = (name.to_owned(), signature);
        if let Some(program) = self.programs.borrow().get(&key) {
            return Ok(Rc::clone(program));
        }
        let tape = Tape::new();
        let x = tape.input("parameters", self.dtype, [self.dim]);
        let inputs: Vec<Var> = key
            .1
            .iter()
            .enumerate()
            .map(|(i, (dtype, shape))| tape.input(&format!("batch {i}"), *dtype, shape))
            .collect();
        let buffers: Vec<Var> = buffers
            .iter()
            .enumerate()
            .map(|(i, b)| tape.input(&format!("buffer {i}"), b.dtype(), b.shape()))
            .collect();
        let recording = Recording {
            tape: &tape,
            x,
            batch: &inputs,
            buffers: &buffers,
            loss: &*self.loss,
            parts: self.parts.as_deref(),
            dtype: self.dtype,
            at: self.at,
        };
        let outputs = record(&recording);
        let program = Rc::new(tape.compile(&*self.backend, &outputs)?);
        self.programs.borrow_mut().insert(key, Rc::clone(&program));
        Ok(program)
    }

    /// Runs a program on parameters, batch, buffers and further inputs.
    pub(crate) fn run(
        &self,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<Vec<Array>> {
        let buffers = self.buffers.values();
        Ok(program.run(&inputs(x, batch, &buffers, rest))?)
    }

    /// Runs a program whose first output is a loss; it and other scalars must be finite.
    pub(crate) fn run_checked(
        &self,
        of: &str,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<(f64, Vec<Array>)> {
        let outputs = self.run(program, x, batch, rest)?;
        let first = outputs[0].item()?;
        let mut scalars = outputs.iter().filter_map(|o| o.get(&[]));
        let Some(loss) = scalars.find(|value| !value.is_finite()) else {
            return Ok((first, outputs));
        };
        Err(self.non_finite(of, loss, program, x, batch, rest)?)
    }

    /// The error of a loss that is not finite, with the primitive that made it so.
    pub(crate) fn non_finite(
        &self,
        of: &str,
        loss: f64,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<Error> {
        let buffers = self.buffers.values();
        let cause = program.find_non_finite(&inputs(x, batch, &buffers, rest))?.map(Box::new);
        Ok(Error::NonFiniteLoss { of: of.to_owned(), loss, cause })
    }

    /// L(x).
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`], or what the engine reports.
    pub fn value(&self, x: &Array, batch: &[Array]) -> Result<f64> {
        let program = |batch: &[Array]| self.program("value", batch, |r| vec![r.loss(r.x)]);
        Ok(self.averaged("value", x, batch, &[], program)?.0)
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
        let program = |batch: &[Array]| self.value_grad_program(batch);
        let (loss, mut outputs) = self.averaged(of, x, batch, &[], program)?;
        Ok((loss, outputs.swap_remove(1)))
    }

    fn value_grad_program(&self, batch: &[Array]) -> Result<Rc<Program>> {
        self.program("value and gradient", batch, |r| {
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
            self.program("value, gradient and buffers", batch, |r| {
                let (loss, mut buffers) = r.loss_and_buffers(r.x);
                buffers.splice(0..0, [loss, loss.grad(r.x)]);
                buffers
            })
        };
        let (loss, mut outputs) = self.averaged(of, x, batch, &[], program)?;
        let buffers = outputs.split_off(2);
        Ok((loss, outputs.swap_remove(1), buffers))
    }

    /// The primitive that makes the gradient infinite or NaN, if it is one of the plain gradient's.
    pub(crate) fn gradient_cause(
        &self,
        x: &Array,
        batch: &[Array],
    ) -> Option<Box<burlap_autodiff::Error>> {
        let buffers = self.buffers.values();
        self.pieces(batch).ok()?.iter().find_map(|(piece, _)| {
            let program = self.value_grad_program(piece).ok()?;
            program.find_non_finite(&inputs(x, piece, &buffers, &[])).ok()?.map(Box::new)
        })
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
            self.program(OF, batch, |r| {
                let all = r.loss(r.x).value_grad_hvp(r.x, r.vector("v"));
                vec![all.value, all.grad, all.hvp]
            })
        };
        let (loss, mut outputs) = self.averaged(OF, x, batch, &[v], program)?;
        let hvp = outputs.swap_remove(2);
        Ok((loss, outputs.swap_remove(1), hvp))
    }

    /// The curvature ½vᵀ∇²L(x)v and its gradient with respect to x, v held fixed.
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn curvature(&self, x: &Array, batch: &[Array], v: &Array) -> Result<(f64, Array)> {
        let program = |batch: &[Array]| {
            self.program("curvature", batch, |r| {
                let (q, gradient) = r.loss(r.x).second_directional_grad(r.x, r.vector("v"));
                vec![0.5 * q, 0.5 * gradient]
            })
        };
        let (q, mut outputs) = self.averaged("curvature", x, batch, &[v], program)?;
        Ok((q, outputs.swap_remove(1)))
    }

    /// Checks that a vector can be the parameters or a direction.
    pub(crate) fn check_vector(&self, of: &str, v: &Array) -> Result<()> {
        if v.dtype() == self.dtype && v.shape()[..] == [self.dim] {
            return Ok(());
        }
        Err(Error::Vector {
            of: of.to_owned(),
            expected: format!("{}[{}]", self.dtype, self.dim),
            found: format!("{}{}", v.dtype(), v.shape()),
        })
    }
}

/// The inputs of a program, in their order.
pub(crate) fn inputs<'a>(
    x: &'a Array,
    batch: &'a [Array],
    buffers: &'a [Array],
    rest: &[&'a Array],
) -> Vec<&'a Array> {
    std::iter::once(x).chain(batch).chain(buffers).chain(rest.iter().copied()).collect()
}
