//! Samples at a point: curvatures, and what their gradients are made of.

use super::directions::Drawn;
use super::sharpness::Drawing;
use super::{Estimator, Sharpness};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::programs::Key;
use crate::objective::recording::Recording;
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

/// The curvatures of samples, and the logarithms of their weights.
#[derive(Default)]
pub(super) struct Curvatures {
    pub(super) values: Vec<f64>,
    pub(super) log_weights: Vec<f64>,
}

impl Sharpness {
    /// Whether curvatures are differences to the loss at the point itself.
    pub(super) fn needs_loss(&self) -> bool {
        matches!(self.estimator, Estimator::OneSided | Estimator::Central)
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

    /// How many numbers a sample has.
    fn numbers_each(&self) -> usize {
        if self.estimator == Estimator::Central { 2 } else { 1 }
    }

    /// The numbers of one sample, the gradient of their sum where it is wanted, and the sample's
    /// log-weight where it has one.
    fn outputs(&self, r: &Recording<'_>, drawn: Drawn, gradient: bool) -> Vec<Var> {
        let numbers = self.numbers(r, drawn.sample);
        let total = numbers.iter().copied().reduce(|a, b| a + b);
        let gradient = total.filter(|_| gradient).map(|total| total.grad(r.x));
        numbers.into_iter().chain(gradient).chain(drawn.log_weight).collect()
    }

    fn program(&self, at: &Point<'_>, drawing: &Drawing, gradient: bool) -> Result<Rc<Program>> {
        let count = drawing.count;
        let keys = drawing.log_weights.is_none();
        let (of, estimator) = (self.id, self.estimator);
        let key = Key::Samples { of, estimator, from_keys: keys, gradient, count };
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
            // All that is of one kind, sample by sample, then all of the next.
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
        if self.estimator == Estimator::HvpNorm && !at.objective.is_whole(at.batch)? {
            return Err(Error::Setting {
                of: self.name.clone(),
                name: "the estimator",
                value: self.estimator.name().into(),
                expected: "linear in the loss for batches in pieces, which ‖Hv‖² is not: \
                    one-sided, central or exact",
            });
        }
        let program = |batch: &[Array]| self.program(&Point { batch, ..*at }, drawing, gradient);
        let rho = at.objective.number(self.rho);
        let both = [&drawing.input, &rho];
        let rest = if self.needs_loss() { &both[..] } else { &both[..1] };
        let count = drawing.count;
        let numbers = count * self.numbers_each();
        let linear = numbers + if gradient { count } else { 0 };
        // Log-weights, which are not linear in the loss, are the same in all pieces.
        let point = (at.x, at.batch, rest);
        let (_, mut outputs) = at.objective.averaged(&self.name, point, linear, program)?;
        let items = |arrays: &[Array]| {
            arrays.iter().map(Array::item).collect::<std::result::Result<Vec<_>, _>>()
        };
        let log_weights = items(&outputs.split_off(linear))?;
        let gradients = outputs.split_off(numbers);
        let numbers = items(&outputs)?;
        let square = self.rho * self.rho;
        // Each difference by itself, before they are added: their leading terms cancel.
        found.values.extend((0..count).map(|i| match self.estimator {
            Estimator::OneSided => (numbers[i] - at.loss) / square,
            Estimator::Central => {
                ((numbers[i] - at.loss) + (numbers[count + i] - at.loss)) / (2.0 * square)
            }
            Estimator::Exact | Estimator::HvpNorm => numbers[i],
        }));
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
