//! Directions at a point that steps need, made where the backend computes.

use super::lanczos::{Lanczos, Which};
use super::space::{Host, Resident, Space};
use super::{HessianOperator, LinearOperator};
use crate::error::Result;
use crate::objective::Objective;
use burlap_autodiff::{Array, DType};

/// The unit eigenvector of the largest eigenvalue of ∇²L(x; batch), of type `F64`, and the number of
/// products that it took; none for no parameters. `start` may be of any type. Where the backend has
/// a device no vector leaves that.
pub(crate) fn top_eigenvector(
    lanczos: &Lanczos,
    (objective, x, batch): (&Objective, &Array, &[Array]),
    start: Option<&Array>,
    seed: u64,
) -> Result<Option<(Array, usize)>> {
    let mut operator = HessianOperator::new(objective, x, &[batch])?;
    if objective.backend().holds(&Array::scalar(0.0)) {
        let start = start.map(|start| start.download().map(|start| start.to_f64_vec()));
        let start: Option<Vec<f64>> = start.transpose()?;
        let found = lanczos.top(&mut operator, 1, start.as_deref(), seed)?;
        let vector = found.into_iter().next().map(|pair| Array::vector(pair.vector));
        return Ok(vector.map(|vector| (vector, operator.num_matvecs())));
    }
    let start = start.map(|start| objective.cast(start, DType::F64)).transpose()?;
    let size = (objective.dim(), operator.epsilon());
    let product = |v: &Array| operator.apply_resident(v);
    let wanted = Which::Largest(1);
    let found = lanczos.iterate(Resident(objective), size, product, wanted, (start, seed))?;
    Ok(found.into_iter().next().map(|pair| (pair.vector, operator.num_matvecs())))
}

/// g/‖g‖ of type `F64`, zero where g is zero.
pub(crate) fn unit_vector(objective: &Objective, gradient: &Array) -> Result<Array> {
    fn unit<S: Space>(space: &S, mut v: S::Vector) -> Result<S::Vector> {
        let length = space.norm(&v)?;
        if length > 0.0 {
            space.divide(&mut v, length)?;
        }
        Ok(v)
    }
    match gradient.is_on_host() {
        true => Ok(Array::vector(unit(&Host, gradient.to_f64_vec())?)),
        false => unit(&Resident(objective), objective.cast(gradient, DType::F64)?),
    }
}
