//! Trace, Frobenius norm and largest eigenvalue of a curvature matrix.

use super::Result;
use crate::optim::curvature::{
    Eigenpair, Estimated, Lanczos, LinearOperator, Probes, frobenius_norm, trace,
};

/// tr A, ‖A‖_F and λ_max(A) of a symmetric operator A, such as the Hessian of a loss.
///
/// ```
/// use burlap::optim::curvature::{HessianOperator, Probes};
/// use burlap::prelude::*;
/// use burlap::report::CurvatureSummary;
///
/// // H = diag(1, 2, 3) at every point.
/// let loss = |x: Var, batch: &[Var]| 0.5 * (batch[0] * x.square()).sum();
/// let objective = Objective::new(Cpu::new(), DType::F64, 3, loss);
/// let batch = [Array::vector([1.0, 2.0, 3.0])];
/// let mut hessian = HessianOperator::new(&objective, &Array::vector([0.0; 3]), &[&batch])?;
/// let summary = CurvatureSummary::measure(&mut hessian, 4, 1)?;
/// assert_eq!(summary.trace.value.round(), 6.0);
/// assert_eq!(summary.top.value.round(), 3.0);
/// # Ok::<(), burlap::report::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CurvatureSummary {
    /// tr A.
    pub trace: Estimated,
    /// ‖A‖_F.
    pub frobenius: Estimated,
    /// The largest eigenvalue, with its eigenvector.
    pub top: Eigenpair,
}

/// Lanczos for the largest eigenvalue.
const LANCZOS: Lanczos = Lanczos { max_matvecs: 60, tolerance: 1e-4 };

impl CurvatureSummary {
    /// Trace and Frobenius norm by `probes` Rademacher vectors each, the largest eigenvalue by
    /// Lanczos.
    ///
    /// # Errors
    /// What the operator and the estimators report.
    pub fn measure<A: LinearOperator>(
        operator: &mut A,
        probes: usize,
        seed: u64,
    ) -> Result<CurvatureSummary> {
        Ok(CurvatureSummary {
            trace: trace(operator, Probes::Rademacher, probes, seed)?,
            frobenius: frobenius_norm(operator, Probes::Rademacher, probes, seed)?,
            top: LANCZOS.largest(operator, seed)?,
        })
    }

    /// The largest number of products that a measurement takes, for progress bars.
    #[must_use]
    pub fn max_matvecs(probes: usize) -> usize {
        probes.saturating_mul(2).saturating_add(LANCZOS.max_matvecs)
    }
}
