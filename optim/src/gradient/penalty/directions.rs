//! Distributions μ of the directions v in which curvatures are sampled.

use crate::error::Result;
use crate::objective::Objective;
use crate::random::Draw;
use crate::state::{Stateful, forward_state};
use burlap_autodiff::{Array, DType, Var};

/// The point and batch at which directions are drawn.
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
    /// The name of the draws of this step.
    pub draw: Draw,
    /// The number of samples.
    pub samples: usize,
    /// Whether the state arrays are still the zeros that they begin with.
    pub first: bool,
}

/// One sample that is to be made on the host.
#[derive(Debug)]
pub struct HostDraw<'a> {
    /// The name of the draw; it numbers the sample, too.
    pub draw: Draw,
    /// The number of parameters.
    pub dim: usize,
    /// The number of samples of this step.
    pub samples: usize,
    /// The distribution's state arrays.
    pub state: &'a [Array],
}

/// The source of a recorded sample.
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
    pub(super) fn normal(&self) -> Var {
        self.key.normal(0, self.dtype, [self.dim])
    }

    pub(super) fn uniform(&self) -> Var {
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

/// A distribution μ of directions, whose samples are formulas of a key, a state array, or made on the
/// host.
pub trait DirectionDistribution: Stateful + std::fmt::Debug + Send {
    /// The name.
    fn name(&self) -> &str;

    /// Updates the state arrays before directions are drawn at a point.
    ///
    /// # Errors
    /// What evaluating the objective reports.
    fn prepare(&self, context: &DrawContext<'_>, state: &mut [Array]) -> Result<()> {
        let _ = (context, state);
        Ok(())
    }

    /// A sample as a formula of a key: equal keys give equal samples. The formula runs where the
    /// loss runs, and no vector comes from the host.
    fn record(&self, source: &Source) -> Option<Drawn> {
        let _ = source;
        None
    }

    /// A sample of `dim` elements made on the host, and the logarithm of its weight dμ/dp: 0 when
    /// it is drawn from μ itself. Equal draws give equal samples. None where samples are recorded.
    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        let _ = at;
        None
    }

    /// The state array that is the sample, of weight 1, where the distribution has only this one: it
    /// stays where it lives, of type `F64` and shape `[dim]`. None by default.
    fn held<'a>(&self, state: &'a [Array]) -> Option<&'a Array> {
        let _ = state;
        None
    }

    /// The logarithm of the weight dμ/dp of a [given](super::Sharpness::with_draws) sample: 0, by
    /// default, for one of μ itself.
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

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for one outside its range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl<T: DirectionDistribution + ?Sized> DirectionDistribution for Box<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn prepare(&self, context: &DrawContext<'_>, state: &mut [Array]) -> Result<()> {
        (**self).prepare(context, state)
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        (**self).record(source)
    }

    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        (**self).draw(at)
    }

    fn held<'a>(&self, state: &'a [Array]) -> Option<&'a Array> {
        (**self).held(state)
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
}

/// Another distribution pushed forward by v ↦ |x| ⊙ v: the measure then does not change when a
/// parameter's scale does and the loss is invariant to that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaledByParameters<D>(pub D);

forward_state!([D: DirectionDistribution] ScaledByParameters<D>, |scaled| scaled.0);

impl<D: DirectionDistribution> DirectionDistribution for ScaledByParameters<D> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn prepare(&self, context: &DrawContext<'_>, state: &mut [Array]) -> Result<()> {
        self.0.prepare(context, state)
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        self.0.record(source)
    }

    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        self.0.draw(at)
    }

    fn held<'a>(&self, state: &'a [Array]) -> Option<&'a Array> {
        self.0.held(state)
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
}
