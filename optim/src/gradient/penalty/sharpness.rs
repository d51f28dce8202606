//! A sharpness measure as an estimate: value, standard error, and weights of the samples.

use super::Estimator;
use super::directions::{DrawContext, Drawn, Measure, Source};
use super::functionals::{Functional, Samples};
use super::given_draws::Given;
use super::sampling::{Curvatures, Point};
use crate::error::{Error, Result, positive};
use crate::objective::Objective;
use crate::objective::programs::next_id;
use crate::random::{Draw, Purpose};
use burlap_autodiff::{Array, DType, Program, Tape, Var};
use std::cell::RefCell;
use std::rc::Rc;

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

/// Samples as programs take them.
pub(super) struct Drawing {
    /// Vectors from the host, shape `[dim]` for one and `[count, dim]` for more, rounded to the
    /// objective's type; or keys.
    pub(super) input: Array,
    /// The vectors' log-weights; none for keys.
    pub(super) log_weights: Option<Vec<f64>>,
    /// The number of samples.
    pub(super) count: usize,
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
        Sharpness {
            name: name.to_owned(),
            functional: Box::new(functional),
            measure: Box::new(measure),
            estimator: Estimator::OneSided,
            rho: 0.01,
            id: next_id(),
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

    /// The same functional of directions from another measure: of your own, say.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::random::Draw;
    /// use burlap_optim::penalty::Measure;
    /// use burlap_optim::{Estimator, Objective, Sharpness};
    /// /// One axis after the other, √d long: vᵀHv is d times an element of the diagonal.
    /// struct Axes;
    /// impl Measure for Axes {
    ///     fn name(&self) -> &str {
    ///         "axes"
    ///     }
    ///     fn draw(&self, draw: Draw, dim: usize) -> Option<(Vec<f64>, f64)> {
    ///         let mut v = vec![0.0; dim];
    ///         v[draw.sample as usize % dim] = (dim as f64).sqrt();
    ///         Some((v, 0.0))
    ///     }
    /// }
    /// let loss = |x: Var, _: &[Var]| 0.5 * (x.at(0).square() + 3.0 * x.at(1).square());
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let mut trace = Sharpness::trace().with_measure(Axes).with_estimator(Estimator::Exact);
    /// let found = trace.estimate(&objective, &Array::vector([1.0, 1.0]), &[], 2, 1)?;
    /// assert!((found.value - 4.0).abs() < 1e-12);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[must_use]
    pub fn with_measure(self, measure: impl Measure + 'static) -> Sharpness {
        self.map_measure(|_| Box::new(measure))
    }

    /// The same with given samples in place of random ones: of n samples a step, step t takes vectors
    /// tn, …, tn + n − 1. A sample's weight and direction are those of the measure; a step whose
    /// vectors are missing or have another length is an error.
    ///
    /// So a step can be held against another code's, with the draws of either.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::{Method, Objective, Sharpness, SharpnessMethod};
    /// // L = ⅓ Σ xᵢ³, ∇L = x².
    /// let loss = |x: Var, _: &[Var]| x.powi(3).sum() / 3.0;
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let (x, v) = (Array::vector([1.0, 2.0]), Array::vector([1.0, -1.0]));
    /// let trace = Sharpness::published_trace().with_rho(0.1).with_draws(vec![v]);
    /// let step = SharpnessMethod::new(trace, 2.0, 1, 7)?.evaluate(&objective, &x, &[], 0)?;
    /// // ∇L(x) + λ (∇L(x + ρv) − ∇L(x)) = [1, 4] + 2 ([1.21, 3.61] − [1, 4]).
    /// let found: Vec<String> = step.gradient.to_f64_vec().iter().map(|g| format!("{g:.6}")).collect();
    /// assert_eq!(found, ["1.420000", "3.220000"]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[must_use]
    pub fn with_draws(self, draws: Vec<Array>) -> Sharpness {
        self.map_measure(|measure| Box::new(Given::new(measure, draws)))
    }

    pub(super) fn map_measure(
        mut self,
        f: impl FnOnce(Box<dyn Measure>) -> Box<dyn Measure>,
    ) -> Sharpness {
        // Programs of before are not those of now.
        (self.measure, self.id) = (f(self.measure), next_id());
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

    fn prepare(
        &mut self,
        (objective, x, batch): (&Objective, &Array, &[Array]),
        draw: Draw,
        samples: usize,
    ) -> Result<()> {
        let gradient = None;
        self.measure.prepare(&DrawContext { objective, x, batch, gradient, draw, samples })
    }

    /// `count` samples from the one that `draw` names.
    pub(super) fn samples(
        &self,
        objective: &Objective,
        draw: Draw,
        count: usize,
    ) -> Result<Drawing> {
        let (mut values, mut log_weights, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..count {
            let draw = Draw { sample: draw.sample + i as u32, ..draw };
            match self.measure.draw(draw, objective.dim()) {
                Some((sample, log_weight)) => {
                    if sample.len() != objective.dim() {
                        return Err(Error::Vector {
                            of: self.measure.name().to_owned(),
                            expected: format!("a sample of {} elements", objective.dim()),
                            found: format!("one of {}", sample.len()),
                        });
                    }
                    values.extend(sample);
                    log_weights.push(log_weight);
                }
                None => keys.extend(draw.key()),
            }
        }
        if log_weights.len() == count {
            let mut samples = objective.rows(count);
            samples.fill_from_f64(&values);
            return Ok(Drawing { input: samples, log_weights: Some(log_weights), count });
        }
        let input = match count {
            1 => Array::vector(keys),
            _ => Array::from_vec([count, 2], keys)?,
        };
        Ok(Drawing { input, log_weights: None, count })
    }

    /// A sample of this measure from a key.
    pub(super) fn record_sample(&self, key: Var, dtype: DType, dim: usize) -> Drawn {
        match self.measure.record(&Source { key, dtype, dim }) {
            Some(drawn) => drawn,
            None => {
                let name = self.measure.name();
                let problem = format!("{name}: samples are neither recorded nor drawn on the host");
                key.fail("measure", problem).into()
            }
        }
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
        objective.check_vector(&self.name, "parameters", x)?;
        let draw = Draw { seed, purpose: Purpose::Direction, step, sample: 0 };
        self.prepare((objective, x, batch), draw, samples)?;
        let tape = Tape::new();
        let key = tape.input("key", DType::U32, [2]);
        let mut program = None;
        let mut one = |i| {
            let draw = Draw { sample: i as u32, ..draw };
            let Drawing { input, log_weights, .. } = self.samples(objective, draw, 1)?;
            if let Some(log_weights) = log_weights {
                return Ok((input, log_weights[0]));
            }
            let program: &Program = match &program {
                Some(program) => program,
                None => {
                    let drawn = self.record_sample(key, objective.dtype(), objective.dim());
                    let outputs: Vec<Var> =
                        std::iter::once(drawn.sample).chain(drawn.log_weight).collect();
                    program.insert(tape.compile(objective.backend(), &outputs)?)
                }
            };
            let mut outputs = program.run(&[&input])?;
            let log_weight = outputs.get(1).map_or(Ok(0.0), Array::item)?;
            Ok((outputs.swap_remove(0), log_weight))
        };
        (0..samples).map(&mut one).collect()
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
        objective.check_vector(&self.name, "parameters", x)?;
        let draw = Draw { seed, purpose: Purpose::Direction, step: 0, sample: 0 };
        self.prepare((objective, x, batch), draw, samples)?;
        let loss = if self.needs_loss() { objective.value(x, batch)? } else { 0.0 };
        let at = Point { objective, x, batch, loss };
        let mut found = Curvatures::default();
        let together = self.together();
        for first in (0..samples).step_by(together) {
            let draw = Draw { sample: first as u32, ..draw };
            let drawing = self.samples(objective, draw, together.min(samples - first))?;
            self.curvatures(&at, &drawing, &mut found)?;
        }
        let (value, _, influence) =
            self.weigh(&found.values, &found.log_weights, objective.dim())?;
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
