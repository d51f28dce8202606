//! The generalised Gauss-Newton matrix of a composed objective.

use super::staged::{Curvature, CurvatureOperator};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::recording::Recording;
use burlap_autodiff::{Array, Var};

/// The generalised Gauss-Newton matrix Jᵀ ∇²ℓ J, with J = ∂f/∂x of the model f and the Hessian
/// ∇²ℓ of the loss in the model's outputs (Schraudolph, Neural Computation 14, 2002).
#[derive(Clone, Copy, Debug)]
pub struct Ggn;

const PIECE: &str = "a loss in one piece";
const COMPOSED: &str = "a model and a loss of its outputs (Objective::composed)";

impl Curvature for Ggn {
    const NAME: &'static str = "generalised Gauss-Newton";

    fn record(r: &Recording<'_>, v: Var) -> Var {
        let Some((outputs, loss)) = r.parts(r.x) else {
            return v.fail(Ggn::NAME, format!("the objective is {PIECE}, but must be {COMPOSED}"));
        };
        let along = outputs.jvp(r.x, v);
        outputs.vjp(r.x, loss.hvp(outputs, along))
    }

    fn check(objective: &Objective, _: &[Array]) -> Result<()> {
        if objective.is_composed() {
            return Ok(());
        }
        let (of, value) = (Ggn::NAME.into(), PIECE.into());
        Err(Error::Setting { of, name: "the objective", value, expected: COMPOSED })
    }
}

/// The generalised Gauss-Newton matrix Jᵀ ∇²ℓ J of an objective made by
/// [`Objective::composed`], averaged over batches by their sizes: the Hessian without
/// Σ ∂ℓ/∂fᵢ ∇²fᵢ. It is positive semidefinite where ℓ is convex, and the Hessian where f is linear
/// in the parameters.
///
/// A product is a directional derivative of the model, a Hessian-vector product of the loss, and
/// a vector-Jacobian product of the model.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::Objective;
/// use burlap_optim::curvature::{GgnOperator, LinearOperator};
/// // ½(x₀x₁ − 1)²: J = [x₁, x₀], ∇²ℓ = 1.
/// let model = |x: Var, _: &[Var]| x.at(0) * x.at(1);
/// let loss = |output: Var, _: &[Var]| 0.5 * (output - 1.0).square();
/// let objective = Objective::composed(Cpu::new(), DType::F64, 2, model, loss);
/// let mut ggn = GgnOperator::new(&objective, &Array::vector([2.0, 3.0]), &[&[]])?;
/// let mut out = [0.0; 4];
/// ggn.apply_many(&[1.0, 0.0, 0.0, 1.0], &mut out)?;
/// assert_eq!(out, [9.0, 6.0, 6.0, 4.0]);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub type GgnOperator<'a> = CurvatureOperator<'a, Ggn>;
