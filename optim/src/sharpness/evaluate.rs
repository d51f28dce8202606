//! Samples at a point: curvatures, and what their gradients are made of.

use super::{Estimator, Sharpness};
use crate::error::{Error, Result};
use crate::objective::{Objective, Recording};
use burlap_autodiff::{Array, Program, Var, map_rows};
use std::rc::Rc;

/// Where curvatures are taken.
pub(super) struct Point<'a> {
    pub(super) objective: &'a Objective,
    pub(super) x: &'a Array,
    pub(super) batch: &'a [Array],
    /// L(x), for estimators that [need it](Sharpness::needs_loss).
    pub(super) loss: f64,
}

/// A sample's curvature, and its gradient as (`total` − `of_base`·∇L)/`scale`.
pub(super) struct Sampled {
    pub(super) curvature: f64,
    pub(super) total: Array,
}

impl Sharpness {
    /// Whether curvatures are differences to the loss at the point itself.
    pub(super) fn needs_loss(&self) -> bool {
        matches!(self.estimator, Estimator::OneSided | Estimator::Central)
    }

    /// How many samples share a program. Losses at perturbed points have nothing in common;
    /// derivatives at one point do: four of the six-layer network cost 0.74 to 0.83 of the time
    /// for values, 0.85 to 0.92 with gradients (batches of 32 and 128), and eight no less.
    pub(super) fn together(&self) -> usize {
        if self.needs_loss() { 1 } else { 4 }
    }

    /// How often ∇L(x) is subtracted from a sample's gradient, and the divisor.
    pub(super) fn gradient_form(&self) -> (f64, f64) {
        let square = self.rho * self.rho;
        match self.estimator {
            Estimator::OneSided => (1.0, square),
            Estimator::Central => (2.0, 2.0 * square),
            Estimator::Exact | Estimator::HvpNorm => (0.0, 1.0),
        }
    }

    /// The numbers whose sum of gradients is wanted: losses at perturbed parameters, or the
    /// curvature itself.
    fn numbers(&self, r: &Recording<'_>, z: Var) -> Vec<Var> {
        let v = self.measure.direction(r.x, z);
        match self.estimator {
            Estimator::OneSided => vec![r.loss(r.x + r.scalar("rho") * v)],
            Estimator::Central => {
                let step = r.scalar("rho") * v;
                vec![r.loss(r.x + step), r.loss(r.x - step)]
            }
            Estimator::Exact => vec![0.5 * r.loss(r.x).second_directional(r.x, v)],
            // ‖Hv‖² has the gradient 2∇(uᵀHv) at u = Hv held fixed; the tape finds it by itself.
            Estimator::HvpNorm => vec![r.loss(r.x).hvp(r.x, v).square().sum()],
        }
    }

    /// The numbers of one sample, and the gradient of their sum where it is wanted.
    fn outputs(&self, r: &Recording<'_>, z: Var, gradient: bool) -> Vec<Var> {
        let mut outputs = self.numbers(r, z);
        if gradient && let Some(total) = outputs.iter().copied().reduce(|a, b| a + b) {
            outputs.push(total.grad(r.x));
        }
        outputs
    }

    fn program(&self, at: &Point<'_>, count: usize, gradient: bool) -> Result<Rc<Program>> {
        let what = if gradient { "gradients" } else { "values" };
        let name = format!("sharpness {} {} {what} of {count}", self.id, self.estimator.name());
        at.objective.program(&name, at.batch, |r| {
            if count == 1 {
                return self.outputs(r, r.vector("sample"), gradient);
            }
            let all = map_rows([r.vectors("samples", count)], |[z]| self.outputs(r, z, gradient));
            // The curvatures, then the gradients, each an output of its own.
            all.into_iter().flat_map(|rows| (0..count).map(move |i| rows.at(i))).collect()
        })
    }

    /// The curvatures of `count` samples, as [`Sharpness::samples`] gives them, and all outputs.
    fn run(
        &self,
        at: &Point<'_>,
        samples: &Array,
        count: usize,
        gradient: bool,
    ) -> Result<(Vec<f64>, Vec<Array>)> {
        if self.estimator == Estimator::HvpNorm && !at.objective.is_whole(at.batch) {
            return Err(Error::Setting {
                of: self.name.clone(),
                name: "the estimator",
                value: self.estimator.name().into(),
                expected: "linear in the loss for batches in pieces, which ‖Hv‖² is not: \
                    one-sided, central or exact",
            });
        }
        let program = |batch: &[Array]| self.program(&Point { batch, ..*at }, count, gradient);
        let rho = at.objective.number(self.rho);
        let rest: &[&Array] = if self.needs_loss() { &[samples, &rho] } else { &[samples] };
        let (first, outputs) = at.objective.averaged(&self.name, at.x, at.batch, rest, program)?;
        let square = self.rho * self.rho;
        // Each difference by itself, before they are added: their leading terms cancel.
        let curvatures = match self.estimator {
            Estimator::OneSided => vec![(first - at.loss) / square],
            Estimator::Central => {
                vec![((first - at.loss) + (outputs[1].item()? - at.loss)) / (2.0 * square)]
            }
            Estimator::Exact | Estimator::HvpNorm => {
                outputs[..count].iter().map(Array::item).collect::<std::result::Result<_, _>>()?
            }
        };
        Ok((curvatures, outputs))
    }

    /// The curvatures of at most [`Sharpness::together`] samples.
    pub(super) fn curvatures(
        &self,
        at: &Point<'_>,
        samples: &Array,
        count: usize,
    ) -> Result<Vec<f64>> {
        Ok(self.run(at, samples, count, false)?.0)
    }

    /// The curvatures of at most [`Sharpness::together`] samples and their gradients.
    pub(super) fn curvature_gradients(
        &self,
        at: &Point<'_>,
        samples: &Array,
        count: usize,
    ) -> Result<Vec<Sampled>> {
        let (curvatures, mut outputs) = self.run(at, samples, count, true)?;
        let totals = outputs.split_off(outputs.len() - count);
        let pairs = curvatures.into_iter().zip(totals);
        Ok(pairs.map(|(curvature, total)| Sampled { curvature, total }).collect())
    }
}
