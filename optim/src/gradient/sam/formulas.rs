//! A member of the family: a formula of the perturbation ε, and a formula that combines the
//! gradients at the perturbed points.

use super::draws::Draws;
use crate::error::Result;
use crate::objective::Objective;
use crate::objective::cache::Key;
use crate::random::{Draw, Purpose};
use crate::state::Stateful;
use burlap_autodiff::{Array, Operand, Var};
use rand_distr::{Distribution, StandardUniform};
use std::ops::Range;

/// The arguments of a perturbation's formula. All vectors have the shape of the parameters.
#[derive(Debug)]
pub struct Perturbing<'a> {
    /// The parameters x.
    pub parameters: Var,
    /// The gradient at the last point visited, zero outside the [chosen ranges](super::Sam::over):
    /// g = ∇L(x), or ∇L(x + ε) with the previous ε after a [climb](Next::Climb).
    pub gradient: Var,
    /// The perturbation ε of the last point visited: 0 at x itself.
    pub offset: Var,
    /// The number of [climbs](Next::Climb) so far.
    pub round: usize,
    /// The radius ρ of this step, a scalar.
    pub radius: Var,
    /// The rule's state vectors.
    pub state: &'a [Var],
    /// The key of random numbers, or the numbers themselves.
    pub(super) source: Var,
    pub(super) norm_offset: f64,
}

impl Perturbing<'_> {
    /// Numbers uniform in [0, 1), one for each parameter; other numbers at each step, in each
    /// round and each micro-batch, the same ones when the step is repeated. Where draws are
    /// [given](super::Sam::with_draws), they are these.
    pub fn uniform(&self) -> Var {
        let (dtype, shape) = (self.parameters.dtype(), self.parameters.shape());
        if self.source.dtype() == dtype {
            return self.source;
        }
        self.source.uniform(self.round as u32, dtype, shape)
    }

    /// `length` · `v`/(‖`u`‖ + δ) with the [offset](super::Sam::with_norm_offset) δ, 0 by
    /// default; zero where the denominator is zero.
    pub fn with_norm(&self, v: Var, u: Var, length: impl Into<Operand>) -> Var {
        let norm = u.norm();
        let offset = self.norm_offset;
        divided(v, if offset == 0.0 { norm } else { norm + offset }, length)
    }
}

/// `length` · `v`/`norm`; zero where the norm is zero.
fn divided(v: Var, norm: Var, length: impl Into<Operand>) -> Var {
    let vanishes = norm.equal(0.0);
    // Divided first: a quotient of lengths could overflow.
    v / vanishes.select(1.0, norm) * vanishes.select(0.0, norm.constant_like(1.0) * length.into())
}

/// `length` · `v`/‖`u`‖; zero where the norm is zero.
pub(super) fn with_norm(v: Var, u: Var, length: impl Into<Operand>) -> Var {
    divided(v, u.norm(), length)
}

/// The component of `v` orthogonal to `u`; `v` itself where `u` is zero.
pub(super) fn orthogonal_component(v: Var, u: Var) -> Var {
    let unit = with_norm(u, u, 1.0);
    v - v.dot(unit) * unit
}

/// The arguments of a combination's formula. Gradients are of the whole space, whatever is
/// perturbed.
#[derive(Debug)]
pub struct Combining<'a> {
    /// L(x).
    pub loss: Var,
    /// g = ∇L(x). A rule that [needs none](Perturbation::needs_gradient) cannot rely on it: alone,
    /// it is given the perturbed one.
    pub gradient: Var,
    /// The [factors](Combination::points) c of the points x + cε.
    pub points: &'a [f64],
    /// The losses there.
    pub losses: &'a [Var],
    /// The gradients there.
    pub perturbed: &'a [Var],
    /// The gradients at the points of [climbs](Next::Climb), in their order.
    pub climbed: &'a [Var],
    /// The state vectors of the formula that is asked.
    pub state: &'a [Var],
}

impl Combining<'_> {
    /// ĝ = ∇L(x + ε): of the perturbed gradients that of the factor 1, or the first where there is
    /// none; in a step that perturbs nothing, where ε is 0, g.
    pub fn perturbed_gradient(&self) -> Var {
        let at = self.points.iter().position(|&c| c == 1.0).unwrap_or(0);
        self.perturbed.get(at).copied().unwrap_or(self.gradient)
    }
}

/// The point and batch of a step, for a rule's preparation.
#[derive(Debug)]
pub struct Preparing<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// The parameters.
    pub x: &'a Array,
    /// The batch.
    pub batch: &'a [Array],
    /// The number of the step, from 0.
    pub step: u64,
    /// The seed of random draws.
    pub seed: u64,
    /// Whether the state vectors are still the zeros that they begin with.
    pub first: bool,
    /// The ranges of the parameter vector that are perturbed; all of it if `None`.
    pub ranges: Option<&'a [Range<usize>]>,
    pub(super) draws: Option<&'a Draws>,
}

impl Preparing<'_> {
    /// Whether this is one of every `every` steps, the first among them.
    pub fn due(&self, every: u64) -> bool {
        self.first || self.step.is_multiple_of(every)
    }

    /// Numbers uniform in [0, 1), one for each parameter: others at each step and for each
    /// `sample`. Where draws are [given](super::Sam::with_draws), vector `number` of these.
    ///
    /// # Errors
    /// [`Error::Vector`](crate::Error::Vector) where there are too few.
    pub fn uniform(&self, sample: u32, number: u64) -> Result<Vec<f64>> {
        if let Some(given) = self.given(number)? {
            return Ok(given);
        }
        let mut numbers = vec![0.0; self.objective.dim()];
        Draw { seed: self.seed, purpose: Purpose::Direction, step: self.step, sample }
            .fill(&mut numbers, |stream| StandardUniform.sample(stream));
        Ok(numbers)
    }

    /// Vector `number` of the draws, where they are [given](super::Sam::with_draws).
    ///
    /// # Errors
    /// [`Error::Vector`](crate::Error::Vector) where there are too few.
    pub fn given(&self, number: u64) -> Result<Option<Vec<f64>>> {
        let Some(draws) = self.draws else {
            return Ok(None);
        };
        Ok(Some(draws.take(self.objective, number)?.to_f64_vec()))
    }

    /// The indices of the parameters that are perturbed.
    pub fn admitted(&self) -> Vec<usize> {
        match self.ranges {
            None => (0..self.objective.dim()).collect(),
            Some(ranges) => ranges.iter().cloned().flatten().collect(),
        }
    }
}

/// The points visited so far in a step, for a rule that [decides](Perturbation::decides) on the
/// next one.
#[derive(Debug)]
pub struct Progress<'a> {
    /// The number of the step, from 0.
    pub step: u64,
    /// The number of climbs so far.
    pub round: usize,
    /// L(x), and the losses at the points of climbs.
    pub losses: &'a [f64],
    /// The rule's state arrays.
    pub state: &'a [Array],
    pub(super) objective: &'a Objective,
    pub(super) gradient: &'a Array,
}

impl Progress<'_> {
    /// ‖∇L‖ at the last point visited.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn gradient_norm(&self) -> Result<f64> {
        let program = self.objective.algebra(Key::Norm, |r| vec![r.x.norm()])?;
        Ok(program.run(&[self.gradient])?[0].item()?)
    }
}

/// The next point of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The last ones: the gradients at x + cε for the combination's factors c, and the end.
    Combine,
    /// The gradient at x + ε, after which ε is recorded again: one step of an ascent of several.
    Climb,
    /// No further gradient: the step goes on as if ε were 0, with g in place of each ĝ.
    Skip,
}

/// The formula of the perturbation ε.
///
/// A step takes the gradient at x, then at x + ε. A rule may go by more points: it
/// [decides](Perturbation::decides) after each gradient on the [next](Next) point.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::sam::{Next, Perturbation, Perturbing, Progress};
/// use burlap_optim::{Method, Objective, Result, Sam, Stateful};
/// /// Two ascents of length ½ρ.
/// #[derive(Debug)]
/// struct TwoSteps;
/// impl Stateful for TwoSteps {}
/// impl Perturbation for TwoSteps {
///     fn name(&self) -> &str {
///         "two steps"
///     }
///     fn check(&self) -> Result<()> {
///         Ok(())
///     }
///     fn record(&self, at: &Perturbing<'_>) -> Var {
///         at.offset + at.with_norm(at.gradient, at.gradient, 0.5 * at.radius)
///     }
///     fn decides(&self) -> bool {
///         true
///     }
///     fn next(&self, at: &Progress<'_>) -> Result<Next> {
///         Ok(if at.round < 1 { Next::Climb } else { Next::Combine })
///     }
/// }
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
/// let step = Sam::with_rule(TwoSteps)?.evaluate(&objective, &Array::vector([1.0]), &[], 0)?;
/// // ∇L(1 + ½ + ½) = 4
/// assert_eq!((step.gradient.to_string(), step.gradients), ("[4]".into(), 3));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub trait Perturbation: Stateful + std::fmt::Debug + Send {
    /// The name.
    fn name(&self) -> &str;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for one outside its range.
    fn check(&self) -> Result<()>;

    /// The radius ρ that [`Perturbing::radius`] holds, unless a schedule says it; 1 by default.
    fn radius(&self) -> f64 {
        1.0
    }

    /// ε as a formula; it must be zero where the gradient is zero.
    fn record(&self, at: &Perturbing<'_>) -> Var;

    /// Updates the state arrays, in the order of their names, before the formula runs. What the host
    /// puts there is uploaded, on a backend that has a device: better are arrays that programs made.
    /// Returns the number of gradients (or Hessian-vector products) that it took.
    ///
    /// # Errors
    /// What evaluating the objective reports.
    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        let _ = (at, state);
        Ok(0)
    }

    /// Whether [`next`](Perturbation::next) is asked for the points of a step. It is asked once the
    /// gradient at x is known, so by no rule alone that [needs none](Perturbation::needs_gradient).
    fn decides(&self) -> bool {
        false
    }

    /// The next point, after the gradient at the last one.
    ///
    /// # Errors
    /// What evaluating something of the points reports.
    fn next(&self, at: &Progress<'_>) -> Result<Next> {
        let _ = at;
        Ok(Next::Combine)
    }

    /// Whether the gradients change the state arrays, by the formula
    /// [`remember`](Perturbation::remember).
    fn remembers(&self) -> bool {
        false
    }

    /// The state arrays after the step, as formulas of the gradient at the parameters or of the
    /// [perturbed one](Combining::perturbed_gradient); unchanged by default.
    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        at.state.to_vec()
    }

    /// Whether ε depends on the gradient; if not, none is computed for it.
    fn needs_gradient(&self) -> bool {
        true
    }

    /// Whether ε depends on random numbers.
    fn draws(&self) -> bool {
        false
    }

    /// Whether [`prepare`](Perturbation::prepare), and not the formula, uses the random numbers or
    /// the [given](super::Sam::with_draws) ones.
    fn draws_on_host(&self) -> bool {
        false
    }
}

/// The result of a [`Combination`].
#[derive(Debug)]
pub struct Combined {
    /// The gradient that the optimizer gets.
    pub gradient: Var,
    /// A vector whose product with the learning rate is subtracted from the parameters besides,
    /// past the optimizer's momenta.
    pub decoupled: Option<Var>,
    /// The new state arrays.
    pub state: Vec<Var>,
}

impl From<Var> for Combined {
    fn from(gradient: Var) -> Combined {
        Combined { gradient, decoupled: None, state: Vec::new() }
    }
}

/// The formula of the optimizer's gradient, of the gradients at x and at perturbed points.
pub trait Combination: Stateful + std::fmt::Debug + Send {
    /// The name.
    fn name(&self) -> &str;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for one outside its range.
    fn check(&self) -> Result<()>;

    /// The factors c of the points x + cε at which gradients are taken at this step; 1 alone
    /// by default.
    fn points(&self, step: u64) -> &[f64] {
        let _ = step;
        &[1.0]
    }

    /// The formula.
    fn record(&self, at: &Combining<'_>) -> Combined;
}

/// The trait of a member for one in a box, so that a member may be chosen while running.
macro_rules! boxed {
    ($trait:ident { $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }) => {
        impl<T: $trait + ?Sized> $trait for Box<T> {
            $(fn $name(&self, $($arg: $type),*) -> $result {
                (**self).$name($($arg),*)
            })*
        }
    };
}

boxed!(Perturbation {
    name() -> &str;
    check() -> Result<()>;
    radius() -> f64;
    record(at: &Perturbing<'_>) -> Var;
    prepare(at: &Preparing<'_>, state: &mut [Array]) -> Result<usize>;
    decides() -> bool;
    next(at: &Progress<'_>) -> Result<Next>;
    remembers() -> bool;
    remember(at: &Combining<'_>) -> Vec<Var>;
    needs_gradient() -> bool;
    draws() -> bool;
    draws_on_host() -> bool;
});

boxed!(Combination {
    name() -> &str;
    check() -> Result<()>;
    points(step: u64) -> &[f64];
    record(at: &Combining<'_>) -> Combined;
});
