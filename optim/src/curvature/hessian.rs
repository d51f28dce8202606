//! The Hessian of an objective.

use super::staged::{Curvature, CurvatureOperator};
use crate::objective::recording::Recording;
use burlap_autodiff::Var;

/// The Hessian ∇²L(x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hessian;

impl Curvature for Hessian {
    fn name(&self) -> &'static str {
        "hessian"
    }

    fn product(&self, r: &Recording<'_>, v: Var) -> Var {
        r.loss(r.x).hvp(r.x, v)
    }

    fn quadratic(&self, r: &Recording<'_>, v: Var) -> Var {
        r.loss(r.x).second_directional(r.x, v)
    }

    fn is_hessian(&self) -> bool {
        true
    }
}

/// The Hessian ∇²L(x) of an objective, averaged over batches by their sizes.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::Objective;
/// use burlap_optim::curvature::{HessianOperator, LinearOperator};
/// let loss = |x: Var, _: &[Var]| x.at(0).square() * x.at(1);
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
/// let mut hessian = HessianOperator::new(&objective, &Array::vector([1.0, 3.0]), &[&[]])?;
/// let mut out = [0.0; 4];
/// hessian.matmat(&[1.0, 0.0, 0.0, 1.0], &mut out)?;
/// assert_eq!((out, hessian.num_matvecs()), ([6.0, 2.0, 2.0, 0.0], 2));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub type HessianOperator<'a> = CurvatureOperator<'a, Hessian>;
