//! A loss recorded once a batch shape; value, gradient, Hessian-vector and curvature
//! programs compiled from it when first asked for.

mod arithmetic;
pub(crate) mod batch;
pub(crate) mod buffers;
pub(crate) mod cache;
pub(crate) mod chunks;
pub(crate) mod loss;
pub(crate) mod model_and_loss;
pub(crate) mod per_example;
pub(crate) mod programs;
pub(crate) mod recording;
pub(crate) mod run;
mod selection;

pub use batch::{BatchSpec, Role};
pub use loss::Loss;
pub use recording::Recording;

use crate::error::Result;
use crate::parameters::Parameter;
use batch::BatchLayout;
use buffers::Buffers;
use burlap_autodiff::{Array, At, Backend, DType, Program, Var};
use cache::{Key, ProgramCache};
use loss::LossFormula;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::sync::Arc;

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
    pub(crate) loss: LossFormula,
    backend: Box<dyn Backend>,
    dtype: DType,
    dim: usize,
    pub(crate) at: At,
    pub(crate) programs: ProgramCache,
    pub(crate) buffers: Buffers,
    pub(crate) batches: BatchLayout,
    pub(crate) layout: Arc<[Parameter]>,
    /// Arrays in the backend's memory that steps need again.
    kept: RefCell<FxHashMap<arithmetic::Kept, Array>>,
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
        loss: impl Fn(Var, &[Var]) -> L + Send + 'static,
    ) -> Objective {
        let loss = LossFormula::of_batch(loss);
        Objective::build(Box::new(backend), dtype, dim, Buffers::default(), loss)
    }

    #[track_caller]
    fn build(
        backend: Box<dyn Backend>,
        dtype: DType,
        dim: usize,
        buffers: Buffers,
        loss: LossFormula,
    ) -> Objective {
        let at = At::caller();
        let (programs, batches) = (ProgramCache::default(), BatchLayout::default());
        let (layout, kept) = (Arc::default(), RefCell::default());
        Objective { loss, backend, dtype, dim, at, programs, buffers, batches, layout, kept }
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

    /// Zero vectors like the parameters: shape `[dim]` for one, `[count, dim]` for more.
    pub(crate) fn zero_vectors(&self, count: usize) -> Array {
        match count {
            1 => Array::zeros(self.dtype, [self.dim]),
            _ => Array::zeros(self.dtype, [count, self.dim]),
        }
    }

    /// L(x).
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`](crate::Error::NonFiniteLoss), [`Error::Vector`](crate::Error::Vector) for vectors that are none of the parameters',
    /// [`Error::Batch`](crate::Error::Batch) for a batch that is not as declared or cannot be cut,
    /// [`Error::Denominator`](crate::Error::Denominator) for a ratio by nothing, or what the engine reports.
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

    pub(crate) fn gradient_program(&self, batch: &[Array]) -> Result<Arc<Program>> {
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
