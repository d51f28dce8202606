//! Trace, Frobenius norm and largest eigenvalue of the Hessian at a solution.

use crate::data::pieces;
use crate::progress::watched;
use anyhow::Result;
use burlap::autodiff::Array;
use burlap::nn::data::Dataset;
use burlap::optim::Objective;
use burlap::optim::curvature::{
    Eigenpair, Estimated, HessianOperator, Lanczos, Probes, frobenius_norm, trace,
};

/// Examples of the training set on which curvature is measured, at most.
pub const CURVATURE_EXAMPLES: usize = 2048;

/// The Hessian of the mean loss of the first `limit` examples of a data set at a point.
///
/// # Errors
/// What the engine reports.
pub(crate) fn hessian_of_first<'a>(
    limit: usize,
    data: &Dataset,
    objective: &'a Objective,
    x: &Array,
) -> Result<HessianOperator<'a>> {
    let batches = pieces(data, limit, limit)?;
    let batches: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
    Ok(HessianOperator::new(objective, x, &batches)?)
}

/// What is measured of a Hessian.
#[derive(Clone, Debug)]
pub struct Curvature {
    /// tr H.
    pub trace: Estimated,
    /// ‖H‖_F.
    pub frobenius: Estimated,
    /// The largest eigenvalue.
    pub top: Eigenpair,
}

impl Curvature {
    /// Of the mean loss of the first [`CURVATURE_EXAMPLES`] of a data set at a point.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn measure(
        objective: &Objective,
        x: &Array,
        data: &Dataset,
        probes: usize,
        seed: u64,
    ) -> Result<Curvature> {
        let hessian = hessian_of_first(CURVATURE_EXAMPLES, data, objective, x)?;
        let lanczos = Lanczos { max_matvecs: 60, tolerance: 1e-4 };
        let total = probes.saturating_mul(2).saturating_add(lanczos.max_matvecs);
        let mut hessian = watched(hessian, "curvature", total)?;
        Ok(Curvature {
            trace: trace(&mut hessian, Probes::Rademacher, probes, seed)?,
            frobenius: frobenius_norm(&mut hessian, Probes::Rademacher, probes, seed)?,
            top: lanczos.largest(&mut hessian, seed)?,
        })
    }
}
