//! Where directions come from: μ.

use crate::error::{Result, positive};
use crate::objective::Objective;
use crate::random::Draw;
use crate::state::State;
use burlap_autodiff::{Array, DType, Var};

/// What a measure may look at before it draws.
#[derive(Debug)]
pub struct DrawContext<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// The parameters.
    pub x: &'a Array,
    /// The batch.
    pub batch: &'a [Array],
    /// ∇L(x), where it is known already.
    pub gradient: Option<&'a Array>,
    /// Names the draws of this step.
    pub draw: Draw,
    /// How many there are.
    pub samples: usize,
}

/// What a recorded sample is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The key of random primitives, of type `U32` and shape `[2]`.
    pub key: Var,
    /// The parameters' element type.
    pub dtype: DType,
    /// The number of parameters.
    pub dim: usize,
}

impl Source {
    fn normal(&self) -> Var {
        self.key.normal(0, self.dtype, [self.dim])
    }

    fn uniform(&self) -> Var {
        self.key.uniform(0, self.dtype, [self.dim])
    }
}

/// A recorded sample.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// The sample, shape `[dim]`.
    pub sample: Var,
    /// The logarithm of its weight dμ/dp, a scalar of type `F64`; none for samples of μ itself.
    pub log_weight: Option<Var>,
}

impl From<Var> for Drawn {
    fn from(sample: Var) -> Drawn {
        Drawn { sample, log_weight: None }
    }
}

/// A measure μ on directions, which draws samples: as formulas of a key, or on the host.
pub trait Measure {
    /// The name.
    fn name(&self) -> &str;

    /// Looks at the point at which directions will be drawn.
    ///
    /// # Errors
    /// What evaluating the objective reports.
    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// A sample as a formula of a key: equal keys give equal samples. What is recorded runs
    /// where the loss does, and no vector comes from the host.
    fn record(&self, source: &Source) -> Option<Drawn> {
        let _ = source;
        None
    }

    /// A sample of `dim` elements made on the host, and the logarithm of its weight dμ/dp: 0 when
    /// it is drawn from μ itself. Equal draws give equal samples. None where samples are recorded.
    fn draw(&self, draw: Draw, dim: usize) -> Option<(Vec<f64>, f64)> {
        let _ = (draw, dim);
        None
    }

    /// The logarithm of the weight dμ/dp that a sample has which it is
    /// [given](super::Sharpness::with_draws): 0, by default, for one of μ itself.
    fn log_weight(&self, sample: &[f64]) -> f64 {
        let _ = sample;
        0.0
    }

    /// The direction v as a formula of the parameters and the sample; the sample itself by
    /// default.
    fn direction(&self, x: Var, sample: Var) -> Var {
        let _ = x;
        sample
    }

    /// Checks the measure's settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for one outside its range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What must be kept to go on, such as the vector that a next iteration begins with.
    fn state(&self) -> State {
        State::default()
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) when it does not fit.
    fn restore(&mut self, state: &State) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

impl Measure for Box<dyn Measure> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        (**self).prepare(context)
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        (**self).record(source)
    }

    fn draw(&self, draw: Draw, dim: usize) -> Option<(Vec<f64>, f64)> {
        (**self).draw(draw, dim)
    }

    fn log_weight(&self, sample: &[f64]) -> f64 {
        (**self).log_weight(sample)
    }

    fn direction(&self, x: Var, sample: Var) -> Var {
        (**self).direction(x, sample)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn state(&self) -> State {
        (**self).state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        (**self).restore(state)
    }
}

/// N(0, σ²I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// The standard deviation σ.
    pub sigma: f64,
}

impl Gaussian {
    /// N(0, I).
    pub const STANDARD: Gaussian = Gaussian { sigma: 1.0 };
}

impl Measure for Gaussian {
    fn name(&self) -> &str {
        "gaussian"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        Some((self.sigma * source.normal()).into())
    }

    fn check(&self) -> Result<()> {
        positive("gaussian", "sigma", self.sigma)
    }
}

/// The uniform distribution on the unit sphere of the whole parameter space.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sphere;

/// A point of the unit sphere.
fn on_sphere(source: &Source) -> Var {
    let z = source.normal();
    // The norm is 0 with probability 0 only, and no sooner than that for one parameter.
    z / z.norm().max(f64::from(f32::MIN_POSITIVE))
}

impl Measure for Sphere {
    fn name(&self) -> &str {
        "sphere"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        Some(on_sphere(source).into())
    }
}

/// The uniform distribution in the unit ball.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ball;

impl Measure for Ball {
    fn name(&self) -> &str {
        "ball"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        // The radius is U^(1/d), with U in (0, 1] from a stream of its own.
        let u = 1.0 - source.key.uniform(1, DType::F64, ());
        let radius = (u.log() * (1.0 / source.dim.max(1) as f64)).exp();
        Some((radius.cast(source.dtype) * on_sphere(source)).into())
    }
}

/// Independent signs ±1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rademacher;

impl Measure for Rademacher {
    fn name(&self) -> &str {
        "rademacher"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        let u = source.uniform();
        Some(u.lt(0.5).select(u.constant_like(1.0), u.constant_like(-1.0)).into())
    }
}

/// A constant of type `F64` on the tape of `like`.
fn in_double(like: Var, value: f64) -> Var {
    like.at(0).cast(DType::F64).constant_like(value)
}

/// The cube [−h, h]ᵈ, with Lebesgue measure (total mass (2h)ᵈ) or normalised to mass 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cube {
    /// Half the side, h.
    pub half_side: f64,
    /// Whether the mass is 1.
    pub normalised: bool,
}

impl Cube {
    /// The logarithm of the mass.
    fn log_mass(&self, dim: usize) -> f64 {
        if self.normalised { 0.0 } else { dim as f64 * (2.0 * self.half_side).ln() }
    }
}

impl Measure for Cube {
    fn name(&self) -> &str {
        "cube"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        let sample = self.half_side * (2.0 * source.uniform() - 1.0);
        let mass = || in_double(source.key, self.log_mass(source.dim));
        Some(Drawn { sample, log_weight: (!self.normalised).then(mass) })
    }

    fn log_weight(&self, sample: &[f64]) -> f64 {
        self.log_mass(sample.len())
    }

    fn check(&self) -> Result<()> {
        positive("cube", "half side", self.half_side)
    }
}

/// Lebesgue measure on the whole space, sampled from N(0, σ²I): the weights are the inverse
/// density. σ² should be of the size of the Hessian's inverse eigenvalues, and must exceed
/// half the largest of them for the weights to have a variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// The standard deviation σ of the samples.
    pub sigma: f64,
}

impl Importance {
    /// ½d log 2πσ²: the logarithm of the inverse density at 0.
    fn log_inverse_density(&self, dim: usize) -> f64 {
        0.5 * dim as f64 * (std::f64::consts::TAU * self.sigma * self.sigma).ln()
    }
}

impl Measure for Importance {
    fn name(&self) -> &str {
        "lebesgue"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        let z = source.normal();
        // In double precision: it grows with the dimension, and differences count.
        let square = z.cast(DType::F64).square().sum();
        let log_weight = Some(0.5 * square + self.log_inverse_density(source.dim));
        Some(Drawn { sample: self.sigma * z, log_weight })
    }

    fn log_weight(&self, sample: &[f64]) -> f64 {
        let square: f64 = sample.iter().map(|v| (v / self.sigma).powi(2)).sum();
        0.5 * square + self.log_inverse_density(sample.len())
    }

    fn check(&self) -> Result<()> {
        positive("lebesgue", "sigma", self.sigma)
    }
}

/// Another measure pushed forward by v ↦ |x| ⊙ v: what S measures then does not change when
/// a parameter's scale does and the loss is invariant to that.
pub struct ScaledByParameters(pub Box<dyn Measure>);

impl Measure for ScaledByParameters {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        self.0.prepare(context)
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        self.0.record(source)
    }

    fn draw(&self, draw: Draw, dim: usize) -> Option<(Vec<f64>, f64)> {
        self.0.draw(draw, dim)
    }

    fn log_weight(&self, sample: &[f64]) -> f64 {
        self.0.log_weight(sample)
    }

    fn direction(&self, x: Var, sample: Var) -> Var {
        x.abs() * self.0.direction(x, sample)
    }

    fn check(&self) -> Result<()> {
        self.0.check()
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.0.restore(state)
    }
}
