//! Random directions: distributions whose samples are recorded.

use super::directions::{DirectionDistribution, Drawn, Source};
use crate::error::{Result, positive};
use crate::state::Stateful;
use burlap_autodiff::{DType, Var};

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

impl Stateful for Gaussian {}

impl DirectionDistribution for Gaussian {
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

impl Stateful for Sphere {}

impl DirectionDistribution for Sphere {
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

impl Stateful for Ball {}

impl DirectionDistribution for Ball {
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

impl Stateful for Rademacher {}

impl DirectionDistribution for Rademacher {
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

impl Stateful for Cube {}

impl DirectionDistribution for Cube {
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

impl Stateful for Importance {}

impl DirectionDistribution for Importance {
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
