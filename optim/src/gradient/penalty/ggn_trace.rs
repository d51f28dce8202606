//! The trace of the Gauss-Newton matrix.

use super::Sharpness;
use super::instances::samples;
use crate::curvature::Ggn;
use crate::registry::{Member, Setting};

pub(crate) const GGN_TRACE_SAM: Member = Member::exact_penalty(
    "ggn-trace-sam",
    "Schraudolph, Neural Computation 14, 2002",
    "∇(L + λρ² tr G), G = Jᵀ∇²ℓJ",
    &[samples(1), Setting::number("lambda", 30.0, "weight λ of the penalty λρ²S")],
    |_| Ok(Sharpness::ggn_trace()),
);

impl Sharpness {
    /// tr G of the generalised Gauss-Newton matrix G = Jᵀ∇²ℓJ in place of the Hessian's trace: never
    /// negative where the loss ℓ of the model's output is convex, and tr H less the curvature of the
    /// model. For objectives of a [model and a loss](crate::Objective::model_and_loss) and the exact
    /// estimator: a directional derivative of the model for each sample.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::{Objective, Sharpness};
    /// // ½(x₀x₁ − 1)²: J = [x₁, x₀], ∇²ℓ = 1, tr G = x₀² + x₁².
    /// let model = |x: Var, _: &[Var]| x.at(0) * x.at(1);
    /// let loss = |output: Var, _: &[Var]| 0.5 * (output - 1.0).square();
    /// let objective = Objective::model_and_loss(Cpu::new(), DType::F64, 2, model, loss);
    /// let found = Sharpness::ggn_trace().estimate(&objective, &Array::vector([2.0, 3.0]), &[], 4000, 1)?;
    /// assert!((found.value - 13.0).abs() < 3.0 * found.standard_error);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    pub fn ggn_trace() -> Sharpness {
        Sharpness::trace().with_name("ggn trace").with_curvature(Ggn)
    }
}
