//! Samples at a point: their curvatures, and the terms of their gradients.

use super::Sharpness;
use super::directions::Drawn;
use super::drawing::Drawing;
use super::estimators::{CurvaturePoint, curvature};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::cache::Key;
use crate::objective::recording::Recording;
use burlap_autodiff::{Array, Program, Var, map_rows};
use std::sync::Arc;

/// The point of curvatures.
pub(super) struct Point<'a> {
    pub(super) objective: &'a Objective,
    pub(super) x: &'a Array,
    pub(super) batch: &'a [Array],
    /// L(x), for estimators that [need it](Sharpness::needs_loss).
    pub(super) loss: f64,
}

/// The curvatures of samples, and the logarithms of their weights.
#[derive(Default)]
pub(super) struct Curvatures {
    pub(super) values: Vec<f64>,
    pub(super) log_weights: Vec<f64>,
}

impl Sharpness {
    /// Whether curvatures are differences to the loss at the point itself.
    pub(super) fn needs_loss(&self) -> bool {
        self.estimator.divisor(self.rho).is_some()
    }

    /// How many samples share a program, since derivatives at one point have much in common and
    /// side by side no thread waits for work: with it a step of one-sided Frob-SAM (two directions,
    /// the six-layer network, batch 128) fell from 4.7 to 3.7 plain steps; four exact curvatures with
    /// gradients cost 0.85 to 0.92 of four times one (batches of 32 and 128), and eight no less.
    pub(super) fn together(&self) -> usize {
        4
    }

    /// How often ∇L(x) is subtracted from a sample's gradient, and the divisor.
    pub(super) fn gradient_form(&self) -> (f64, f64) {
        match self.estimator.divisor(self.rho) {
            Some(divisor) => (self.estimator.count() as f64, divisor),
            None => (0.0, 1.0),
        }
    }

    /// The numbers of one sample, the gradient of their sum where it is wanted, and the sample's
    /// log-weight where it has one.
    fn outputs(&self, r: &Recording<'_>, drawn: Drawn, gradient: bool) -> Vec<Var> {
        let at = CurvaturePoint {
            x: r.x,
            v: self.directions.direction(r.x, drawn.sample),
            loss: &|p| r.loss(p),
            scaled: &|v| r.scalar("rho") * v,
            quadratic: &|v| self.curvature.quadratic(r, v),
            product: &|v| self.curvature.product(r, v),
        };
        let numbers = self.estimator.record(&at);
        let total = numbers.iter().copied().reduce(|a, b| a + b);
        let gradient = total.filter(|_| gradient).map(|total| total.grad(r.x));
        numbers.into_iter().chain(gradient).chain(drawn.log_weight).collect()
    }

    fn program(&self, at: &Point<'_>, drawing: &Drawing, gradient: bool) -> Result<Arc<Program>> {
        let count = drawing.count;
        let keys = drawing.log_weights.is_none();
        let key = Key::Samples { of: self.id, from_keys: keys, gradient, count };
        at.objective.program_of(key, at.batch, |r| {
            let from_key = |key: Var| {
                let drawn = self.record_sample(key, r.x.dtype(), r.x.shape().count());
                self.outputs(r, drawn, gradient)
            };
            let from_vector = |z: Var| self.outputs(r, z.into(), gradient);
            let all = match (keys, count) {
                (true, 1) => return from_key(r.key("key")),
                (false, 1) => return from_vector(r.vector("sample")),
                (true, _) => map_rows([r.keys("keys", count)], |[key]| from_key(key)),
                (false, _) => map_rows([r.vectors("samples", count)], |[z]| from_vector(z)),
            };
            // One kind of output of all samples, then the next kind.
            all.into_iter().flat_map(|rows| (0..count).map(move |i| rows.at(i))).collect()
        })
    }

    /// Appends the curvatures and log-weights of samples, of which there are at most
    /// [`Sharpness::together`], and returns the gradients where they are wanted.
    fn run(
        &self,
        at: &Point<'_>,
        drawing: &Drawing,
        gradient: bool,
        found: &mut Curvatures,
    ) -> Result<Vec<Array>> {
        if self.estimator.is_squared_product() && !at.objective.batches.is_whole(at.batch)? {
            return Err(Error::Setting {
                of: self.name.clone(),
                name: "the estimator",
                value: self.estimator.name().into(),
                expected: "linear in the loss for batches in micro-batches, which ‖Hv‖² is not: \
                    one-sided, central or exact",
            });
        }
        let program = |batch: &[Array]| self.program(&Point { batch, ..*at }, drawing, gradient);
        let rho = at.objective.number(self.rho);
        let both = [&drawing.input, &rho];
        let rest = if self.needs_loss() { &both[..] } else { &both[..1] };
        let count = drawing.count;
        let each = self.estimator.count();
        let numbers = count * each;
        let linear = numbers + if gradient { count } else { 0 };
        // Log-weights, which are not linear in the loss, are the same in all micro-batches.
        let point = (at.x, at.batch, rest);
        let (_, mut outputs) = at.objective.averaged(&self.name, point, linear, program)?;
        let items = |arrays: &[Array]| {
            arrays.iter().map(Array::item).collect::<std::result::Result<Vec<_>, _>>()
        };
        let log_weights = items(&outputs.split_off(linear))?;
        let gradients = outputs.split_off(numbers);
        let numbers = items(&outputs)?;
        let divisor = self.estimator.divisor(self.rho);
        let of_sample = |i: usize| numbers[i..].iter().step_by(count).copied();
        found.values.extend((0..count).filter_map(|i| curvature(of_sample(i), at.loss, divisor)));
        match &drawing.log_weights {
            Some(given) => found.log_weights.extend(given),
            None if log_weights.is_empty() => {
                found.log_weights.resize(found.values.len(), 0.0);
            }
            None => found.log_weights.extend(&log_weights),
        }
        Ok(gradients)
    }

    /// Appends the curvatures of at most [`Sharpness::together`] samples.
    pub(super) fn curvatures(
        &self,
        at: &Point<'_>,
        drawing: &Drawing,
        found: &mut Curvatures,
    ) -> Result<()> {
        self.run(at, drawing, false, found).map(|_| ())
    }

    /// Appends the curvatures of at most [`Sharpness::together`] samples; returns sums g whose
    /// curvature has the gradient (g − `of_base`·∇L)/`divisor` with the
    /// [form](Sharpness::gradient_form)'s numbers.
    pub(super) fn curvature_gradients(
        &self,
        at: &Point<'_>,
        drawing: &Drawing,
        found: &mut Curvatures,
    ) -> Result<Vec<Array>> {
        self.run(at, drawing, true, found)
    }
}
