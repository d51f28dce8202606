//! The generalised Gauss-Newton matrix of a model and a loss.

use super::staged::{Curvature, CurvatureOperator};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::recording::Recording;
use burlap_autodiff::{Array, Var};

/// The generalised Gauss-Newton matrix Jᵀ ∇²ℓ J, with J = ∂f/∂x of the model f and the Hessian
/// ∇²ℓ of the loss in the model's outputs (Schraudolph, Neural Computation 14, 2002).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ggn;

const NAME: &str = "generalised Gauss-Newton";
const WHOLE: &str = "a loss alone";
const IN_TWO: &str = "a model and a loss of its output (Objective::model_and_loss)";

/// What `f` records of the output, its loss and the output's derivative along v.
fn along(r: &Recording<'_>, v: Var, f: impl FnOnce(Var, Var, Var) -> Var) -> Var {
    match r.output_and_loss(r.x) {
        Some((output, loss)) => f(output, loss, output.jvp(r.x, v)),
        None => v.fail(NAME, format!("the objective is {WHOLE}, but must be {IN_TWO}")),
    }
}

impl Curvature for Ggn {
    fn name(&self) -> &'static str {
        NAME
    }

    fn product(&self, r: &Recording<'_>, v: Var) -> Var {
        along(r, v, |output, loss, jv| output.vjp(r.x, loss.hvp(output, jv)))
    }

    /// (Jv)ᵀ ∇²ℓ (Jv): no derivative goes back through the model.
    fn quadratic(&self, r: &Recording<'_>, v: Var) -> Var {
        along(r, v, |output, loss, jv| loss.second_directional(output, jv))
    }

    fn check(&self, objective: &Objective, _: &[Array]) -> Result<()> {
        if objective.has_model() {
            return Ok(());
        }
        let (of, value) = (NAME.into(), WHOLE.into());
        Err(Error::Setting { of, name: "the objective", value, expected: IN_TWO })
    }
}

/// The generalised Gauss-Newton matrix Jᵀ ∇²ℓ J of an objective made by
/// [`Objective::model_and_loss`], averaged over batches by their sizes: the Hessian without
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
/// let objective = Objective::model_and_loss(Cpu::new(), DType::F64, 2, model, loss);
/// let mut ggn = GgnOperator::new(&objective, &Array::vector([2.0, 3.0]), &[&[]])?;
/// let mut out = [0.0; 4];
/// ggn.matmat(&[1.0, 0.0, 0.0, 1.0], &mut out)?;
/// assert_eq!(out, [9.0, 6.0, 6.0, 4.0]);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub type GgnOperator<'a> = CurvatureOperator<'a, Ggn>;
