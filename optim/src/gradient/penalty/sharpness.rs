//! A sharpness measure as an estimate: value, standard error, and weights of the samples.

use super::directions::{DirectionDistribution, ScaledByParameters};
use super::estimators::{CurvatureEstimator, CurvaturePoint, Exact, curvature};
use super::functionals::{Functional, Samples};
use super::given_draws::GivenDraws;
use super::sampling::{Curvatures, Point};
use crate::curvature::{Curvature, Hessian};
use crate::error::{Error, Result, positive};
use crate::objective::Objective;
use crate::objective::cache::next_id;
use crate::random::{Draw, Purpose};
use burlap_autodiff::{Array, DType, Program, Tape, Var};
use std::cell::RefCell;
use std::sync::Arc;

/// A sharpness measure of the universal class: a functional of the curvatures ½vᵀCv of a matrix C
/// in random directions v, and an estimator of these. C is the Hessian unless
/// [another](Sharpness::with_curvature) is chosen.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Objective, Sharpness};
/// // H = diag(1, 3): tr H = 4, whatever the point.
/// let loss = |x: Var, _: &[Var]| 0.5 * (x.at(0).square() + 3.0 * x.at(1).square());
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
/// let mut trace = Sharpness::trace();
/// let estimate = trace.estimate(&objective, &Array::vector([1.0, 1.0]), &[], 10_000, 1)?;
/// assert!((estimate.value - 4.0).abs() < 3.0 * estimate.standard_error);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Sharpness {
    pub(super) name: String,
    pub(super) functional: Box<dyn Functional>,
    pub(super) directions: Box<dyn DirectionDistribution>,
    pub(super) estimator: Box<dyn CurvatureEstimator>,
    pub(super) curvature: Box<dyn Curvature>,
    pub(super) rho: f64,
    /// Distinguishes programs of different measures at one objective.
    pub(super) id: u64,
    /// The state arrays of the directions; none before they were first prepared.
    pub(super) state: Vec<Array>,
    weights: RefCell<Option<(usize, usize, Arc<Program>)>>,
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
        let Sharpness { name, functional, directions, estimator, .. } = self;
        write!(f, "{name}: {functional:?} on {directions:?}, {}", estimator.name())
    }
}

impl Sharpness {
    /// A measure from its parts, with the exact estimator of the Hessian's curvatures; finite
    /// differences have ρ = 0.01.
    pub fn new(
        name: &str,
        functional: impl Functional + 'static,
        directions: impl DirectionDistribution + 'static,
    ) -> Sharpness {
        Sharpness {
            name: name.to_owned(),
            functional: Box::new(functional),
            directions: Box::new(directions),
            estimator: Box::new(Exact),
            curvature: Box::new(Hessian),
            rho: 0.01,
            id: next_id(),
            state: Vec::new(),
            weights: RefCell::default(),
        }
    }

    /// The same with another name.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Sharpness {
        name.clone_into(&mut self.name);
        self
    }

    /// The same with another estimator of the curvatures: one of the named
    /// [estimators](super::Estimator), or your own.
    #[must_use]
    pub fn with_estimator(mut self, estimator: impl CurvatureEstimator + 'static) -> Sharpness {
        (self.estimator, self.id) = (Box::new(estimator), next_id());
        self
    }

    /// The same of another matrix than the Hessian: the
    /// [Gauss-Newton matrix](crate::curvature::Ggn), the
    /// [empirical Fisher matrix](crate::curvature::EmpiricalFisher), or your own. Finite
    /// differences of the loss estimate the Hessian's curvatures only.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::curvature::EmpiricalFisher;
    /// use burlap_optim::{Objective, Sharpness};
    /// // ½(aᵢx)²: gᵢ = aᵢ²x, and the mean of gᵢ² is ½(1 + 16)·4 = 34 at x = 2.
    /// let loss = |x: Var, batch: &[Var]| 0.5 * (batch[0] * x.at(0)).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss);
    /// let (x, batch) = (Array::vector([2.0]), [Array::vector([1.0, 2.0])]);
    /// let mut trace = Sharpness::trace_on_sphere().with_curvature(EmpiricalFisher);
    /// assert_eq!(trace.estimate(&objective, &x, &batch, 1, 0)?.value, 34.0);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[must_use]
    pub fn with_curvature(mut self, curvature: impl Curvature) -> Sharpness {
        (self.curvature, self.id) = (Box::new(curvature), next_id());
        self
    }

    /// The same with another radius ρ of the finite differences.
    #[must_use]
    pub fn with_rho(mut self, rho: f64) -> Sharpness {
        self.rho = rho;
        self
    }

    /// The same functional of directions from another distribution: of your own, say.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::penalty::{DirectionDistribution, HostDraw};
    /// use burlap_optim::{Objective, Sharpness, Stateful};
    /// /// One axis after the other, √d long: vᵀHv is d times an element of the diagonal.
    /// struct Axes;
    /// impl Stateful for Axes {}
    /// impl DirectionDistribution for Axes {
    ///     fn name(&self) -> &str {
    ///         "axes"
    ///     }
    ///     fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
    ///         let mut v = vec![0.0; at.dim];
    ///         v[at.draw.sample as usize % at.dim] = (at.dim as f64).sqrt();
    ///         Some((v, 0.0))
    ///     }
    /// }
    /// let loss = |x: Var, _: &[Var]| 0.5 * (x.at(0).square() + 3.0 * x.at(1).square());
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let mut trace = Sharpness::trace().with_directions(Axes);
    /// let found = trace.estimate(&objective, &Array::vector([1.0, 1.0]), &[], 2, 1)?;
    /// assert!((found.value - 4.0).abs() < 1e-12);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[must_use]
    pub fn with_directions(self, directions: impl DirectionDistribution + 'static) -> Sharpness {
        self.map_directions(|_| Box::new(directions))
    }

    /// The same measure of DHD with D = diag|x|, unchanged when a parameter's scale changes and
    /// the loss is invariant to that.
    #[must_use]
    pub fn scale_invariant(self) -> Sharpness {
        let mut scaled = self.map_directions(|of| Box::new(ScaledByParameters(of)));
        scaled.name = format!("scale-invariant {}", scaled.name);
        scaled
    }

    /// The same with given samples in place of random ones: of n samples a step, step t takes vectors
    /// tn, …, tn + n − 1. A sample's weight and direction are those of the distribution; a step whose
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
        self.map_directions(|of| Box::new(GivenDraws::new(of, draws)))
    }

    fn map_directions(
        mut self,
        f: impl FnOnce(Box<dyn DirectionDistribution>) -> Box<dyn DirectionDistribution>,
    ) -> Sharpness {
        // Programs and state arrays were those of other directions.
        (self.directions, self.id, self.state) = (f(self.directions), next_id(), Vec::new());
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The estimator.
    pub fn estimator(&self) -> &dyn CurvatureEstimator {
        &*self.estimator
    }

    /// The radius ρ of finite differences.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// Checks settings and the number of samples.
    pub(super) fn check(&self, samples: usize) -> Result<()> {
        let wrong = |expected| {
            let (of, value) = (self.name.clone(), self.estimator.name().into());
            Err(Error::Setting { of, name: "the estimator", value, expected })
        };
        let squared = self.estimator.is_squared_product();
        if squared != self.functional.takes_squared_products() {
            return wrong(if squared {
                "one-sided, central or exact: only ‖H‖²_F is a mean of ‖Hv‖²"
            } else {
                "hvp: this form of ‖H‖²_F is a mean of ‖Hv‖²"
            });
        }
        if !self.curvature.is_hessian() && !self.estimator.takes_any_matrix() {
            return wrong("exact or hvp: differences of the loss are curvatures of the Hessian");
        }
        positive(&self.name, "rho", self.rho)?;
        self.directions.check()?;
        self.functional.check(samples)
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

    fn weigh_program(&self, count: usize, dim: usize) -> Result<Arc<Program>> {
        if let Some((n, d, program)) = &*self.weights.borrow()
            && (*n, *d) == (count, dim)
        {
            return Ok(Arc::clone(program));
        }
        let tape = Tape::new();
        let curvatures = tape.input("curvatures", DType::F64, [count]);
        let log_weights = tape.input("log-weights", DType::F64, [count]);
        let s = self.functional.record(&Samples { curvatures, log_weights, count, dim });
        let mut outputs = vec![s];
        outputs.extend(s.grads(&[curvatures, log_weights]));
        // A handful of scalars: not worth any thread.
        let program = Arc::new(tape.compile(&burlap_autodiff::Cpu::with_threads(1)?, &outputs)?);
        *self.weights.borrow_mut() = Some((count, dim, Arc::clone(&program)));
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
        self.prepare((objective, x, batch), None, (draw, samples))?;
        let loss = if self.needs_loss() { objective.value(x, batch)? } else { 0.0 };
        let at = Point { objective, x, batch, loss };
        let mut found = Curvatures::default();
        let together = self.together();
        for first in (0..samples).step_by(together) {
            let draw = Draw { sample: first as u32, ..draw };
            let count = together.min(samples - first);
            let drawing = self.samples(objective, draw, (count, samples))?;
            self.curvatures(&at, &drawing, &mut found)?;
        }
        let (value, _, influence) =
            self.weigh(&found.values, &found.log_weights, objective.dim())?;
        Ok(Estimate { value, standard_error: delta_error(&influence), samples })
    }

    /// S as one expression of the parameters, for given samples and log-weights: the reference for
    /// the accumulated gradient, and a building block of your own objectives. Of a function alone
    /// it is a measure of the Hessian; of another matrix compiling it fails.
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
        let (count, dim) = (samples.len(), x.shape().count());
        self.functional.record(&Samples { curvatures: joined, log_weights, count, dim })
    }

    /// One curvature as an expression, by this measure's estimator.
    fn record_curvature(&self, loss: &dyn Fn(Var) -> Var, x: Var, z: Var) -> Var {
        if !self.curvature.is_hessian() {
            let name = self.curvature.name();
            return x.sum().fail("sharpness", format!("a function alone has no {name}"));
        }
        let at = CurvaturePoint {
            x,
            v: self.directions.direction(x, z),
            loss,
            scaled: &|v| self.rho * v,
            quadratic: &|v| loss(x).second_directional(x, v),
            product: &|v| loss(x).hvp(x, v),
        };
        let numbers = self.estimator.record(&at).into_iter();
        let divisor = self.estimator.divisor(self.rho);
        curvature(numbers, loss(x), divisor).unwrap_or_else(|| x.constant_like(0.0).sum())
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
