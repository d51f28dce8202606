//! What a member of the family consists of: a rule for the perturbation, and one for what is
//! made of the gradients.

use crate::error::Result;
use crate::objective::Objective;
use burlap_autodiff::{Array, Var};
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
    pub(super) key: Var,
}

impl Perturbing<'_> {
    /// Numbers uniform in [0, 1), one for each parameter; other numbers at each step and in
    /// each micro-batch, the same ones when the step is repeated.
    pub fn uniform(&self) -> Var {
        self.key.uniform(0, self.parameters.dtype(), self.parameters.shape())
    }
}

/// What the gradients' formulas see. Gradients are of the whole space, whatever is perturbed.
#[derive(Debug)]
pub struct Combining<'a> {
    /// L(x).
    pub loss: Var,
    /// g = ∇L(x). For a rule that [needs none](Perturbation::needs_gradient), the first
    /// perturbed one.
    pub gradient: Var,
    /// The losses at x + cε for the [factors](Combination::points) c.
    pub losses: &'a [Var],
    /// The gradients there.
    pub perturbed: &'a [Var],
    /// The state vectors of the rule that is asked.
    pub state: &'a [Var],
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
}

impl Preparing<'_> {
    /// Whether it is time for what happens every so many steps.
    pub fn due(&self, every: u64) -> bool {
        self.first || self.step.is_multiple_of(every)
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

    /// The state vectors after the step, as formulas; what they were by default.
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
