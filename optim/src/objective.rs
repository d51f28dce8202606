//! A loss recorded once a batch shape; value, gradient, Hessian-vector and curvature
//! programs compiled from it when first asked for.

use crate::error::{Error, Result};
use burlap_autodiff::{Array, At, Backend, DType, Program, Shape, Tape, Var};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

type Loss = dyn Fn(Var, &[Var]) -> Var;

/// A loss in two pieces: outputs of parameters and batch, and a loss of outputs and batch.
struct Parts {
    model: Box<Loss>,
    loss: Box<Loss>,
}

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
    parts: Option<Rc<Parts>>,
    backend: Box<dyn Backend>,
    dtype: DType,
    dim: usize,
    at: At,
    programs: RefCell<FxHashMap<(String, Signature), Rc<Program>>>,
}

/// A tape on which a program of an objective is being recorded.
pub struct Recording<'a> {
    /// The tape.
    pub tape: &'a Tape,
    /// The parameter vector, shape `[dim]`.
    pub x: Var,
    /// The batch.
    pub batch: &'a [Var],
    loss: &'a Loss,
    parts: Option<&'a Parts>,
    dtype: DType,
    at: At,
}

impl Recording<'_> {
    /// The loss at parameters `p`.
    pub fn loss(&self, p: Var) -> Var {
        self.loss_on(p, self.batch)
    }

    /// The loss at parameters `p` on another batch, such as one of its examples.
    pub(crate) fn loss_on(&self, p: Var, batch: &[Var]) -> Var {
        self.scalar_loss((self.loss)(p, batch))
    }

    /// The model's outputs at parameters `p` and the loss of these outputs, where the objective
    /// is [`composed`](Objective::composed) of the two.
    pub fn parts(&self, p: Var) -> Option<(Var, Var)> {
        let parts = self.parts?;
        let outputs = (parts.model)(p, self.batch);
        Some((outputs, self.scalar_loss((parts.loss)(outputs, self.batch))))
    }

    fn scalar_loss(&self, loss: Var) -> Var {
        if loss.shape().is_empty() && loss.dtype() == self.dtype {
            return loss;
        }
        let found = format!("{}{}", loss.dtype(), loss.shape());
        let problem = format!("the loss must be a scalar of type {}, not {found}", self.dtype);
        loss.record_at(self.at, || loss.fail("objective", problem))
    }

    /// A further input, a vector like the parameters.
    pub fn vector(&self, name: &str) -> Var {
        self.tape.input(name, self.dtype, self.x.shape())
    }

    /// A further input, `count` vectors like the parameters: shape `[count, dim]`.
    pub fn vectors(&self, name: &str, count: usize) -> Var {
        self.tape.input(name, self.dtype, [count, self.x.shape().count()])
    }

    /// A further input, a scalar.
    pub fn scalar(&self, name: &str) -> Var {
        self.tape.input(name, self.dtype, ())
    }
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
        Objective {
            loss: Box::new(loss),
            parts: None,
            backend: Box::new(backend),
            dtype,
            dim,
            at: At::caller(),
            programs: RefCell::default(),
        }
    }

    /// An objective L(x; batch) = ℓ(f(x; batch); batch) of a model f, whose outputs may have any
    /// shape, and a loss ℓ of them. It is an objective like others, and has a generalised
    /// Gauss-Newton matrix besides ([`GgnOperator`](crate::curvature::GgnOperator)).
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let model = |w: Var, batch: &[Var]| batch[0].matmul(w);
    /// let loss = |outputs: Var, batch: &[Var]| (outputs - batch[1]).square().mean();
    /// let objective = Objective::composed(Cpu::new(), DType::F64, 2, model, loss);
    /// let xs = Array::from_vec([2, 2], vec![1.0, 0.0, 0.0, 2.0])?;
    /// let batch = [xs, Array::vector([1.0, 1.0])];
    /// let (value, gradient) = objective.value_grad(&Array::vector([2.0, 3.0]), &batch)?;
    /// assert_eq!((value, gradient.to_string()), (13.0, "[1, 10]".into()));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[track_caller]
    pub fn composed(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        model: impl Fn(Var, &[Var]) -> Var + 'static,
        loss: impl Fn(Var, &[Var]) -> Var + 'static,
    ) -> Objective {
        let parts = Rc::new(Parts { model: Box::new(model), loss: Box::new(loss) });
        let pieces = Rc::clone(&parts);
        let whole = move |p: Var, batch: &[Var]| (pieces.loss)((pieces.model)(p, batch), batch);
        Objective { parts: Some(parts), ..Objective::new(backend, dtype, dim, whole) }
    }

    /// Whether the objective is composed of a model and a loss of its outputs.
    pub fn is_composed(&self) -> bool {
        self.parts.is_some()
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
    /// yet. Its inputs are the parameters, the batch, and then those that `record` declares.
    ///
    /// # Errors
    /// What the recording or the backend reports.
    pub fn program(
        &self,
        name: &str,
        batch: &[Array],
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
        let recording = Recording {
            tape: &tape,
            x,
            batch: &inputs,
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

    /// Runs a program on parameters, batch and further inputs.
    pub(crate) fn run(
        &self,
        program: &Program,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
    ) -> Result<Vec<Array>> {
        let inputs: Vec<&Array> =
            std::iter::once(x).chain(batch).chain(rest.iter().copied()).collect();
        Ok(program.run(&inputs)?)
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
        let inputs: Vec<&Array> =
            std::iter::once(x).chain(batch).chain(rest.iter().copied()).collect();
        let cause = program.find_non_finite(&inputs)?.map(Box::new);
        Ok(Error::NonFiniteLoss { of: of.to_owned(), loss, cause })
    }

    /// L(x).
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`], or what the engine reports.
    pub fn value(&self, x: &Array, batch: &[Array]) -> Result<f64> {
        let program = self.program("value", batch, |r| vec![r.loss(r.x)])?;
        Ok(self.run_checked("value", &program, x, batch, &[])?.0)
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
        let program = self.program("value and gradient", batch, |r| {
            let loss = r.loss(r.x);
            vec![loss, loss.grad(r.x)]
        })?;
        let (loss, mut outputs) = self.run_checked(of, &program, x, batch, &[])?;
        Ok((loss, outputs.swap_remove(1)))
    }

    /// The primitive that makes the gradient infinite or NaN, if it is one of the plain gradient's.
    pub(crate) fn gradient_cause(
        &self,
        x: &Array,
        batch: &[Array],
    ) -> Option<Box<burlap_autodiff::Error>> {
        let program = self.program("value and gradient", batch, |r| {
            let loss = r.loss(r.x);
            vec![loss, loss.grad(r.x)]
        });
        let inputs: Vec<&Array> = std::iter::once(x).chain(batch).collect();
        program.ok()?.find_non_finite(&inputs).ok()?.map(Box::new)
    }

    /// The program of L, ∇L and ∇²L v: inputs x, batch, v.
    pub(crate) fn hvp_program(&self, batch: &[Array]) -> Result<Rc<Program>> {
        self.program("hessian-vector product", batch, |r| {
            let all = r.loss(r.x).value_grad_hvp(r.x, r.vector("v"));
            vec![all.value, all.grad, all.hvp]
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
        let program = self.hvp_program(batch)?;
        let (loss, mut outputs) =
            self.run_checked("hessian-vector product", &program, x, batch, &[v])?;
        let hvp = outputs.swap_remove(2);
        Ok((loss, outputs.swap_remove(1), hvp))
    }

    /// The curvature ½vᵀ∇²L(x)v and its gradient with respect to x, v held fixed.
    ///
    /// # Errors
    /// As [`Objective::value`].
    pub fn curvature(&self, x: &Array, batch: &[Array], v: &Array) -> Result<(f64, Array)> {
        let program = self.program("curvature", batch, |r| {
            let (q, gradient) = r.loss(r.x).second_directional_grad(r.x, r.vector("v"));
            vec![0.5 * q, 0.5 * gradient]
        })?;
        let (q, mut outputs) = self.run_checked("curvature", &program, x, batch, &[v])?;
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
