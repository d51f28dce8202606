//! A sharpness measure as an estimate: value, standard error, and weights of the samples.

use super::Estimator;
use super::evaluate::Point;
use super::functional::{Functional, Samples};
use super::measure::{DrawContext, Measure};
use crate::error::{Error, Result, positive};
use crate::objective::Objective;
use crate::random::{Draw, Purpose};
use burlap_autodiff::{Array, DType, Program, Tape, Var};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A member of the universal class: functional, measure, estimator.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Estimator, Objective, Sharpness};
/// // H = diag(1, 3): tr H = 4, whatever the point.
/// let loss = |x: Var, _: &[Var]| 0.5 * (x.at(0).square() + 3.0 * x.at(1).square());
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
/// let mut trace = Sharpness::trace().with_estimator(Estimator::Exact);
/// let estimate = trace.estimate(&objective, &Array::vector([1.0, 1.0]), &[], 10_000, 1)?;
/// assert!((estimate.value - 4.0).abs() < 3.0 * estimate.standard_error);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Sharpness {
    pub(super) name: String,
    pub(super) functional: Box<dyn Functional>,
    pub(super) measure: Box<dyn Measure>,
    pub(super) estimator: Estimator,
    pub(super) rho: f64,
    /// Distinguishes programs of different measures at one objective.
    pub(super) id: u64,
    weights: RefCell<Option<(usize, usize, Rc<Program>)>>,
}

/// An estimated quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error; 0 where it is exact, infinite where one sample gives no notion of it.
    pub standard_error: f64,
    /// The number of samples.
    pub samples: usize,
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.value, self.standard_error)
    }
}

impl std::fmt::Debug for Sharpness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}, {}", self.name, self.measure.name(), self.estimator.name())
    }
}

impl Sharpness {
    /// A measure from its parts, with the one-sided estimator at ρ = 0.01.
    pub fn new(
        name: &str,
        functional: impl Functional + 'static,
        measure: impl Measure + 'static,
    ) -> Sharpness {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Sharpness {
            name: name.to_owned(),
            functional: Box::new(functional),
            measure: Box::new(measure),
            estimator: Estimator::OneSided,
            rho: 0.01,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            weights: RefCell::default(),
        }
    }

    /// The same with another estimator of the curvatures.
    #[must_use]
    pub fn with_estimator(mut self, estimator: Estimator) -> Sharpness {
        self.estimator = estimator;
        self
    }

    /// The same with another radius ρ of the finite differences.
    #[must_use]
    pub fn with_rho(mut self, rho: f64) -> Sharpness {
        self.rho = rho;
        self
    }

    pub(super) fn map_measure(
        mut self,
        f: impl FnOnce(Box<dyn Measure>) -> Box<dyn Measure>,
    ) -> Sharpness {
        self.measure = f(self.measure);
        self.name = format!("scale-invariant {}", self.name);
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The estimator.
    pub fn estimator(&self) -> Estimator {
        self.estimator
    }

    /// The radius ρ of finite differences.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// Checks settings and the number of samples.
    pub(super) fn check(&self, samples: usize) -> Result<()> {
        let squared = self.estimator == Estimator::HvpNorm;
        if squared != self.functional.takes_squared_products() {
            return Err(Error::Setting {
                of: self.name.clone(),
                name: "the estimator",
                value: self.estimator.name().into(),
                expected: if squared {
                    "one-sided, central or exact: only ‖H‖²_F is a mean of ‖Hv‖²"
                } else {
                    "hvp: this form of ‖H‖²_F is a mean of ‖Hv‖²"
                },
            });
        }
        positive(&self.name, "rho", self.rho)?;
        self.measure.check()?;
        self.functional.check(samples)
    }

    /// `count` samples, rounded to the objective's type, from the one that `draw` names: shape
    /// `[dim]` for one, `[count, dim]` for more. Their log-weights are appended.
    pub(super) fn samples(
        &self,
        objective: &Objective,
        draw: Draw,
        count: usize,
        log_weights: &mut Vec<f64>,
    ) -> Array {
        let dim = objective.dim();
        let mut values = vec![0.0; count * dim];
        for i in 0..count {
            let draw = Draw { sample: draw.sample + i as u32, ..draw };
            log_weights.push(self.measure.draw(draw, &mut values[i * dim..][..dim]));
        }
        let mut samples = objective.rows(count);
        samples.fill_from_f64(&values);
        samples
    }

    /// The samples that a [`SharpnessMethod`](super::SharpnessMethod) of this seed draws at a
    /// step, with their log-weights: to look at them, or to record S with [`Sharpness::record`].
    ///
    /// # Errors
    /// What preparing the measure reports.
    pub fn draw(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        samples: usize,
        (seed, step): (u64, u64),
    ) -> Result<Vec<(Array, f64)>> {
        self.check(samples)?;
        let draw = Draw { seed, purpose: Purpose::Direction, step, sample: 0 };
        self.measure.prepare(&DrawContext { objective, x, batch, gradient: None, draw })?;
        let mut log_weights = Vec::with_capacity(samples);
        let mut one =
            |i| self.samples(objective, Draw { sample: i as u32, ..draw }, 1, &mut log_weights);
        let drawn: Vec<Array> = (0..samples).map(&mut one).collect();
        Ok(drawn.into_iter().zip(log_weights).collect())
    }

    /// S, ∂S/∂qᵢ and ∂S/∂log wᵢ from curvatures and log-weights, in double precision.
    pub(super) fn weigh(
        &self,
        curvatures: &[f64],
        log_weights: &[f64],
        dim: usize,
    ) -> Result<(f64, Vec<f64>, Vec<f64>)> {
        let count = curvatures.len();
        let program = self.weigh_program(count, dim)?;
        let outputs = program.run(&[&Array::vector(curvatures), &Array::vector(log_weights)])?;
        let value = outputs[0].item()?;
        let weights = outputs[1].to_f64_vec();
        if !value.is_finite() || weights.iter().any(|w| !w.is_finite()) {
            return Err(Error::NonFiniteSharpness { of: self.name.clone(), samples: count, value });
        }
        Ok((value, weights, outputs[2].to_f64_vec()))
    }

    fn weigh_program(&self, count: usize, dim: usize) -> Result<Rc<Program>> {
        if let Some((n, d, program)) = &*self.weights.borrow()
            && (*n, *d) == (count, dim)
        {
            return Ok(Rc::clone(program));
        }
        let tape = Tape::new();
        let curvatures = tape.input("curvatures", DType::F64, [count]);
        let log_weights = tape.input("log-weights", DType::F64, [count]);
        let s = self.functional.record(&Samples { curvatures, log_weights, count, dim });
        let mut outputs = vec![s];
        outputs.extend(s.grads(&[curvatures, log_weights]));
        // A handful of scalars: not worth any thread.
        let program = Rc::new(tape.compile(&burlap_autodiff::Cpu::with_threads(1)?, &outputs)?);
        *self.weights.borrow_mut() = Some((count, dim, Rc::clone(&program)));
        Ok(program)
    }

    /// Estimates S at a point from `samples` directions, with its standard error by the delta
    /// method. For finite-difference estimators this is R_ρ, which has their error besides.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::NonFiniteLoss`], [`Error::NonFiniteSharpness`], or what the
    /// engine reports.
    pub fn estimate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        samples: usize,
        seed: u64,
    ) -> Result<Estimate> {
        self.check(samples)?;
        objective.check_vector(&self.name, x)?;
        let draw = Draw { seed, purpose: Purpose::Direction, step: 0, sample: 0 };
        self.measure.prepare(&DrawContext { objective, x, batch, gradient: None, draw })?;
        let loss = if self.needs_loss() { objective.value(x, batch)? } else { 0.0 };
        let at = Point { objective, x, batch, loss };
        let mut curvatures = Vec::with_capacity(samples);
        let mut log_weights = Vec::with_capacity(samples);
        let together = self.together();
        for first in (0..samples).step_by(together) {
            let count = together.min(samples - first);
            let draw = Draw { sample: first as u32, ..draw };
            let z = self.samples(objective, draw, count, &mut log_weights);
            curvatures.extend(self.curvatures(&at, &z, count)?);
        }
        let (value, _, influence) = self.weigh(&curvatures, &log_weights, objective.dim())?;
        Ok(Estimate { value, standard_error: delta_error(&influence), samples })
    }

    /// S as one expression of the parameters, for given samples and log-weights: what the
    /// accumulated gradient is checked against, and a building block of your own objectives.
    pub fn record(
        &self,
        loss: &dyn Fn(Var) -> Var,
        x: Var,
        samples: &[Var],
        log_weights: Var,
    ) -> Var {
        let curvatures: Vec<Var> =
            samples.iter().map(|&z| self.record_curvature(loss, x, z).expand_dims(0)).collect();
        let Some((&first, rest)) = curvatures.split_first() else {
            return x.constant_like(0.0).sum();
        };
        let joined = first.join(rest, 0);
        let dim = x.shape().count();
        self.functional.record(&Samples {
            curvatures: joined,
            log_weights,
            count: samples.len(),
            dim,
        })
    }

    /// One curvature as an expression, by this measure's estimator.
    fn record_curvature(&self, loss: &dyn Fn(Var) -> Var, x: Var, z: Var) -> Var {
        let v = self.measure.direction(x, z);
        let base = loss(x);
        let rho = self.rho;
        match self.estimator {
            Estimator::OneSided => (loss(x + rho * v) - base) * (1.0 / (rho * rho)),
            Estimator::Central => {
                ((loss(x + rho * v) - base) + (loss(x - rho * v) - base)) * (0.5 / (rho * rho))
            }
            Estimator::Exact => 0.5 * base.second_directional(x, v),
            Estimator::HvpNorm => base.hvp(x, v).square().sum(),
        }
    }
}

/// √Var of an estimate from its derivatives with respect to the samples' log-weights.
fn delta_error(influence: &[f64]) -> f64 {
    let n = influence.len() as f64;
    if influence.len() < 2 {
        return f64::INFINITY;
    }
    let mean = influence.iter().sum::<f64>() / n;
    let square: f64 = influence.iter().map(|i| (i - mean).powi(2)).sum();
    (square * n / (n - 1.0)).sqrt()
}
