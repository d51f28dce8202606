//! What a member of the family consists of: a rule for the perturbation, and one for what is
//! made of the gradients.

use super::draws::Draws;
use crate::error::Result;
use crate::objective::Objective;
use crate::random::{Draw, Purpose};
use burlap_autodiff::{Array, Operand, Var};
use rand_distr::{Distribution, StandardUniform};
use std::ops::Range;

/// What a perturbation's formula sees. All vectors have the shape of the parameters.
#[derive(Debug)]
pub struct Perturbing<'a> {
    /// The parameters.
    pub parameters: Var,
    /// The gradient g = ∇L(x), zero outside the [chosen ranges](super::Sam::over).
    pub gradient: Var,
    /// The radius ρ of this step, a scalar.
    pub radius: Var,
    /// The rule's state vectors.
    pub state: &'a [Var],
    /// The key of random numbers, or the numbers themselves.
    pub(super) source: Var,
    pub(super) norm_offset: f64,
}

impl Perturbing<'_> {
    /// Numbers uniform in [0, 1), one for each parameter; other numbers at each step and in
    /// each micro-batch, the same ones when the step is repeated. Where draws are
    /// [given](super::Sam::with_draws), they are these.
    pub fn uniform(&self) -> Var {
        let (dtype, shape) = (self.parameters.dtype(), self.parameters.shape());
        if self.source.dtype() == dtype {
            return self.source;
        }
        self.source.uniform(0, dtype, shape)
    }

    /// `length` times `v`/(‖`of`‖ + δ) with the [offset](super::Sam::with_norm_offset) δ, 0 by
    /// default; zero where the denominator is.
    pub fn rescaled(&self, v: Var, of: Var, length: impl Into<Operand>) -> Var {
        let norm = of.norm();
        let offset = self.norm_offset;
        divided(v, if offset == 0.0 { norm } else { norm + offset }, length)
    }
}

/// `length` times `v`/`norm`; zero where the norm is.
fn divided(v: Var, norm: Var, length: impl Into<Operand>) -> Var {
    let vanishes = norm.equal(0.0);
    // Divided first: a quotient of lengths could overflow.
    v / vanishes.select(1.0, norm) * vanishes.select(0.0, norm.constant_like(1.0) * length.into())
}

/// `length` times `v`/‖`of`‖; zero where the norm is.
pub(super) fn rescaled(v: Var, of: Var, length: impl Into<Operand>) -> Var {
    divided(v, of.norm(), length)
}

/// What the gradients' formulas see. Gradients are of the whole space, whatever is perturbed.
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
    /// The state vectors of the rule that is asked.
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

/// What a rule may look at, on the host, before its formula is evaluated.
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
    /// What is perturbed of the parameter vector; all of it if `None`.
    pub ranges: Option<&'a [Range<usize>]>,
    pub(super) draws: Option<&'a Draws>,
}

impl Preparing<'_> {
    /// Whether it is time for what happens every so many steps.
    pub fn due(&self, every: u64) -> bool {
        self.first || self.step.is_multiple_of(every)
    }

    /// Numbers uniform in [0, 1), one for each parameter: others at each step and for each
    /// `sample`. Where draws are [given](super::Sam::with_draws), vector `number` of these.
    ///
    /// # Errors
    /// [`Error::Vector`](crate::Error::Vector) where there are not so many.
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
    /// [`Error::Vector`](crate::Error::Vector) where there are not so many.
    pub fn given(&self, number: u64) -> Result<Option<Vec<f64>>> {
        let Some(draws) = self.draws else {
            return Ok(None);
        };
        Ok(Some(draws.take(self.objective, number)?.to_f64_vec()))
    }

    /// The numbers of the parameters that are perturbed.
    pub fn admitted(&self) -> Vec<usize> {
        match self.ranges {
            None => (0..self.objective.dim()).collect(),
            Some(ranges) => ranges.iter().cloned().flatten().collect(),
        }
    }
}

/// How far and where to step before the second gradient.
pub trait Perturbation {
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

    /// ε as a formula; it must be zero where the gradient is.
    fn record(&self, at: &Perturbing<'_>) -> Var;

    /// The names of the rule's state vectors, which are zero at first.
    fn state_names(&self) -> &[&'static str] {
        &[]
    }

    /// Looks at the point and changes the state vectors, in the order of their names. Returns
    /// how many gradients (or Hessian-vector products) it took.
    ///
    /// # Errors
    /// What evaluating the objective reports.
    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        let _ = (at, state);
        Ok(0)
    }

    /// Whether the gradients change the state vectors, as [`remember`](Perturbation::remember)
    /// says.
    fn remembers(&self) -> bool {
        false
    }

    /// The state vectors after the step, as formulas of the gradient at the parameters or of the
    /// [perturbed one](Combining::perturbed_gradient); what they were by default.
    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        at.state.to_vec()
    }

    /// Whether ε depends on the gradient; if not, none is computed for it.
    fn needs_gradient(&self) -> bool {
        true
    }

    /// Whether there are random numbers in it.
    fn draws(&self) -> bool {
        false
    }

    /// Whether [`prepare`](Perturbation::prepare) takes these, or what is
    /// [given](super::Sam::with_draws) in the place of its numbers, and not the formula.
    fn draws_on_host(&self) -> bool {
        false
    }
}

/// What [`Combination`] makes of the gradients.
#[derive(Debug)]
pub struct Combined {
    /// The gradient that the optimizer gets.
    pub gradient: Var,
    /// What is subtracted from the parameters besides, times the learning rate, past the
    /// optimizer's momenta.
    pub decoupled: Option<Var>,
    /// The new state vectors.
    pub state: Vec<Var>,
}

/// What becomes of the gradients at x and at perturbed points.
pub trait Combination {
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

    /// The names of the state vectors, which are zero at first.
    fn state_names(&self) -> &[&'static str] {
        &[]
    }

    /// The formula.
    fn record(&self, at: &Combining<'_>) -> Combined;
}
