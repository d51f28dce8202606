//! One sample at a time: curvatures, and what their gradients are made of.

use super::{Estimator, Sharpness};
use crate::error::Result;
use crate::objective::{Objective, Recording};
use burlap_autodiff::{Array, Program, Var};
use std::rc::Rc;

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
    fn numbers(&self, r: &Recording<'_>) -> Vec<Var> {
        let z = r.vector("sample");
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

    fn program(
        &self,
        objective: &Objective,
        batch: &[Array],
        gradient: bool,
    ) -> Result<Rc<Program>> {
        let what = if gradient { "gradients" } else { "values" };
        let name = format!("sharpness {} {} {what}", self.id, self.estimator.name());
        objective.program(&name, batch, |r| {
            let mut outputs = self.numbers(r);
            if gradient && let Some(total) = outputs.iter().copied().reduce(|a, b| a + b) {
                outputs.push(total.grad(r.x));
            }
            outputs
        })
    }

    fn run(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        sample: &Array,
        base: f64,
        gradient: bool,
    ) -> Result<(f64, Vec<Array>)> {
        let program = self.program(objective, batch, gradient)?;
        let rho = objective.number(self.rho);
        let rest: &[&Array] = if self.needs_loss() { &[sample, &rho] } else { &[sample] };
        let (first, outputs) = objective.run_checked(&self.name, &program, x, batch, rest)?;
        let square = self.rho * self.rho;
        // Each difference by itself, before they are added: their leading terms cancel.
        let curvature = match self.estimator {
            Estimator::OneSided => (first - base) / square,
            Estimator::Central => ((first - base) + (outputs[1].item()? - base)) / (2.0 * square),
            Estimator::Exact | Estimator::HvpNorm => first,
        };
        Ok((curvature, outputs))
    }

    /// The curvature of one sample; `base` is L(x).
    pub(super) fn curvature(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        sample: &Array,
        base: f64,
    ) -> Result<f64> {
        Ok(self.run(objective, x, batch, sample, base, false)?.0)
    }

    /// The curvature of one sample and its gradient.
    pub(super) fn curvature_gradient(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        sample: &Array,
        base: f64,
    ) -> Result<Sampled> {
        let (curvature, mut outputs) = self.run(objective, x, batch, sample, base, true)?;
        let total = outputs.swap_remove(outputs.len() - 1);
        Ok(Sampled { curvature, total })
    }
}
