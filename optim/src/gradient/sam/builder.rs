//! The family as a [`Method`]: a perturbation, a combination, and the options of the step.

use super::draws::Draws;
use super::formulas::{Combination, Perturbation, Preparing};
use super::radius::Radius;
use crate::error::{Error, Result, fraction, not_negative, positive_count};
use crate::gradient::{Evaluation, Method};
use crate::objective::Objective;
use crate::objective::batch::description;
use crate::objective::cache::next_id;
use crate::state::State;
use burlap_autodiff::{Array, DType};
use std::ops::Range;

/// Sharpness-aware minimisation with a [perturbation](Perturbation) ε and a
/// [combination](Combination) of the gradients at x and at perturbed points.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Method, Objective, Sam};
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
/// let found = Sam::new(0.5)?.evaluate(&objective, &Array::vector([1.0]), &[], 0)?;
/// // ∇L(1 + 0.5) = 3
/// assert_eq!(found.gradient.to_string(), "[3]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Sam {
    pub(super) rule: Box<dyn Perturbation>,
    pub(super) combination: Option<Box<dyn Combination>>,
    pub(super) name: String,
    /// Of this rule, combination and ranges; rules of one name may differ in their settings.
    pub(super) id: u64,
    pub(super) radius: Option<Radius>,
    pub(super) ranges: Option<Vec<Range<usize>>>,
    pub(super) m_sharpness: Option<usize>,
    pub(super) selected: f64,
    pub(super) seed: u64,
    pub(super) norm_offset: f64,
    pub(super) draws: Option<Draws>,
    /// The state arrays of rule and combination; none before the first step.
    pub(super) state: Vec<Array>,
    /// The type and number of parameters that the state is known to fit.
    fits: Option<(DType, usize)>,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.id)
    }
}

impl Sam {
    /// Any perturbation rule. The gradient is the one at the perturbed point.
    ///
    /// # Errors
    /// What the rule's check reports.
    pub fn with_rule(rule: impl Perturbation + 'static) -> Result<Sam> {
        rule.check()?;
        Ok(Sam {
            name: rule.name().to_owned(),
            rule: Box::new(rule),
            combination: None,
            id: next_id(),
            radius: None,
            ranges: None,
            m_sharpness: None,
            selected: 1.0,
            seed: 0,
            norm_offset: 0.0,
            draws: None,
            state: Vec::new(),
            fits: None,
        })
    }

    /// The same with another combination of the gradients. On SAM's own rule it gives the
    /// method its name.
    ///
    /// # Errors
    /// What the combination's check reports, and [`Error::State`] where a state array of its has the
    /// name of one of the rule's.
    pub fn combined(mut self, combination: impl Combination + 'static) -> Result<Sam> {
        combination.check()?;
        let names = combination.state_names();
        if let Some(name) = self.rule.state_names().iter().find(|name| names.contains(name)) {
            let of = format!("{} with {}", combination.name(), self.rule.name());
            let problem = format!("two of its state arrays are named {name:?}");
            return Err(Error::State { of, problem });
        }
        self.name = match self.rule.name() {
            "sam" => combination.name().to_owned(),
            rule => format!("{} with {rule}", combination.name()),
        };
        self.combination = Some(Box::new(combination));
        // Programs and state arrays were those of another formula.
        (self.id, self.state) = (next_id(), Vec::new());
        Ok(self)
    }

    /// The same with a radius that follows a schedule.
    #[must_use]
    pub fn with_radius(mut self, radius: Radius) -> Sam {
        self.radius = Some(radius);
        self
    }

    /// The same with perturbations of some ranges of the parameter vector only: some layers, or
    /// all weights and no biases. The rule sees a gradient that is zero elsewhere, so that norms
    /// are those of the perturbed part. The gradients that are combined are whole.
    ///
    /// # Errors
    /// [`Error::Setting`] unless ranges ascend without overlapping and none is empty.
    pub fn over(mut self, ranges: Vec<Range<usize>>) -> Result<Sam> {
        let ascending = ranges.windows(2).all(|w| w[0].end <= w[1].start);
        if !ascending || ranges.is_empty() || ranges.iter().any(|r| r.start >= r.end) {
            return Err(self.wrong_ranges(&ranges, "at least one range, ascending, none empty"));
        }
        (self.ranges, self.id) = (Some(ranges), next_id());
        Ok(self)
    }

    /// m-sharpness: the batch in parts of at most m examples, each with a perturbation of its
    /// own, and the gradients averaged by the parts' sizes (Foret et al., arXiv 2010.01412,
    /// section 3; Andriushchenko and Flammarion, arXiv 2206.06232), or by their denominators where
    /// the loss is a [ratio](crate::Loss::Ratio). State arrays are averaged,
    /// too: a running mean of gradients is then that of the batch's gradient. Batches are cut as
    /// into [micro-batches](Objective::with_micro_batch_size).
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of 0.
    pub fn with_m_sharpness(mut self, m: usize) -> Result<Sam> {
        positive_count(&self.name, "m-sharpness", m)?;
        self.m_sharpness = Some(m);
        Ok(self)
    }

    /// Sharpness-sensitive data selection (Du et al., arXiv 2110.03141, section 3.2): gradients at
    /// perturbed points are taken on the ⌊γn⌋ examples (at least one) whose loss rises most from
    /// x to x + ε, taken by [itself](Objective::per_example_gradients). For batches of at most 4 arrays
    /// of examples; a batch of no arrays stays whole. It takes two
    /// evaluations of the losses besides, which are compared on the host. (The published code leaves out one example more, that
    /// at the threshold.)
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < γ ≤ 1.
    pub fn with_selection(mut self, gamma: f64) -> Result<Sam> {
        fraction(&self.name, "selected-fraction", gamma)?;
        self.selected = gamma;
        Ok(self)
    }

    /// The seed of random masks and start vectors, 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Sam {
        self.seed = seed;
        self
    }

    /// The same with perturbations divided by ‖·‖ + δ in place of the norm, as published codes do
    /// lest they divide by zero (which gives no perturbation here in any case): δ = 10⁻⁷ in
    /// github.com/dbahri/universal_sam, SSAM's masks among it, 10⁻¹² in github.com/davda54/sam,
    /// 10⁻¹⁶ in github.com/SamsungLabs/ASAM. Where gradients are no longer than δ, perturbations
    /// are shorter than ρ.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative or infinite offset.
    pub fn with_norm_offset(mut self, offset: f64) -> Result<Sam> {
        not_negative(&self.name, "the norm offset", offset)?;
        (self.norm_offset, self.id) = (offset, next_id());
        Ok(self)
    }

    /// The same with given vectors in place of random ones, in order: to hold a step against
    /// another code's. A rule's numbers are uniform in [0, 1), or serve as such:
    ///
    /// - [`Esam`](super::Esam) and rules of one's own take one vector a step, or one for each part
    ///   of an m-sharpness, so that step t of p parts takes those from tp on;
    /// - [`SsamD`](super::SsamD), [`SsamF`](super::SsamF) and [`EigenSam`](super::EigenSam) take
    ///   theirs when they renew their masks and eigenvectors, as they say.
    ///
    /// A step whose vectors are missing or have another length is an error.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::sam::Esam;
    /// use burlap_optim::{Method, Objective, Sam};
    /// let loss = |x: Var, _: &[Var]| 0.5 * x.square().sum();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let x = Array::vector([3.0, 4.0]);
    /// // β = ½ keeps the first: ε = (ρ/β) m ⊙ g/‖g‖ = 2 · [3, 0]/5, and ∇L(x + ε) = x + ε.
    /// let draws = vec![Array::vector([0.3, 0.8])];
    /// let mut esam = Sam::with_rule(Esam { rho: 1.0, keep_probability: 0.5 })?.with_draws(draws)?;
    /// assert_eq!(esam.evaluate(&objective, &x, &[], 0)?.gradient.to_string(), "[4.2, 4]");
    /// let error = esam.evaluate(&objective, &x, &[], 1).unwrap_err().to_string();
    /// assert_eq!(error, "draws of esam: expected at least 2 vectors, found 1");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a rule that draws nothing.
    pub fn with_draws(mut self, draws: Vec<Array>) -> Result<Sam> {
        if !self.rule.draws() && !self.rule.draws_on_host() {
            let (of, value) = (self.name.clone(), draws.len().to_string());
            let expected = "0: its perturbation has nothing random";
            return Err(Error::Setting { of, name: "the number of draws", value, expected });
        }
        self.draws = Some(Draws::new(&self.name, draws));
        self.id = next_id();
        Ok(self)
    }

    fn wrong_ranges(&self, ranges: &[Range<usize>], expected: &'static str) -> Error {
        let (of, value) = (self.name.clone(), format!("{ranges:?}"));
        Error::Setting { of, name: "ranges", value, expected }
    }

    /// The state arrays before the first step: the rule's, then the combination's.
    pub(super) fn zeros(&self, objective: &Objective) -> Vec<Array> {
        let (dtype, dim) = (objective.dtype(), objective.dim());
        let mut zeros = self.rule.zeros(dtype, dim);
        zeros.extend(self.combination.iter().flat_map(|c| c.zeros(dtype, dim)));
        zeros
    }

    pub(super) fn state_names(&self) -> Vec<&'static str> {
        let combination: &[&str] = self.combination.as_ref().map_or(&[], |c| c.state_names());
        [self.rule.state_names(), combination].concat()
    }

    /// The step on a batch, after the rule's preparation.
    fn prepared(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        objective.check_vector(&self.name, "parameters", x)?;
        let first = self.state.is_empty();
        let size = (objective.dtype(), objective.dim());
        if first {
            self.state = self.zeros(objective);
        } else if self.fits != Some(size) {
            for (array, like) in self.state.iter().zip(&self.zeros(objective)) {
                check_like(&self.name, array, like)?;
            }
        }
        self.fits = Some(size);
        for array in &mut self.state {
            *array = objective.resident(array)?;
        }
        if let Some(ranges) = &self.ranges
            && ranges.last().is_some_and(|r| r.end > objective.dim())
        {
            return Err(self.wrong_ranges(ranges, "within the parameter vector"));
        }
        let preparing = Preparing {
            objective,
            x,
            batch,
            step,
            seed: self.seed,
            first,
            ranges: self.ranges.as_deref(),
            draws: self.draws.as_ref(),
        };
        let own = self.rule.state_names().len();
        let taken = self.rule.prepare(&preparing, &mut self.state[..own])?;
        let mut found = self.averaged(objective, x, batch, step)?;
        if !found.state.is_empty() {
            self.state = found.state;
        }
        found.evaluation.gradients += taken;
        Ok(found.evaluation)
    }
}

/// Checks that a restored array can take the place of `like`.
fn check_like(label: &str, array: &Array, like: &Array) -> Result<()> {
    if array.dtype() == like.dtype() && array.shape() == like.shape() {
        return Ok(());
    }
    let [expected, found] = [like, array].map(description);
    Err(Error::Vector { of: format!("{label}, state"), expected, found })
}

impl Method for Sam {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> String {
        let Sam { rule, combination, radius, ranges, m_sharpness, selected, .. } = self;
        let Sam { seed, norm_offset, draws, .. } = self;
        let draws = draws.is_some();
        format!(
            "{}: {rule:?}, {combination:?}, radius {radius:?}, ranges {ranges:?}, m {m_sharpness:?}, \
             selected {selected}, seed {seed}, offset {norm_offset}, given draws {draws}",
            self.name
        )
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        let previous = self.state.clone();
        let found = self.prepared(objective, x, batch, step);
        if found.is_err() {
            self.state = previous;
        }
        found.map_err(|error| objective.on_batch(error, batch))
    }

    fn state(&self) -> State {
        // None before the first step.
        let count = self.rule.state_names().len().min(self.state.len());
        let (own, others) = self.state.split_at(count);
        let mut state = self.rule.save(own);
        if let Some(combination) = &self.combination {
            state.arrays.extend(combination.save(others).arrays);
        }
        if self.rule.draws() {
            state.numbers.insert("seed".into(), self.seed);
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let theirs = self.combination.as_ref().map_or(&[][..], |c| c.state_names());
        let is_theirs = |name: &String| theirs.contains(&name.as_str());
        let (others, own) = state.arrays.clone().into_iter().partition(|(name, _)| is_theirs(name));
        let [own, others] = [own, others].map(|arrays| State { arrays, ..State::default() });
        let mut arrays = self.rule.restore(&self.name, &own)?;
        if let Some(combination) = &self.combination {
            arrays.extend(combination.restore(&self.name, &others)?);
        }
        if !arrays.is_empty() && arrays.len() != self.state_names().len() {
            let problem = "the state arrays of rule or combination are missing".into();
            return Err(Error::State { of: self.name.clone(), problem });
        }
        if self.rule.draws() {
            self.seed = state.number(&self.name, "seed")?;
        }
        (self.state, self.fits) = (arrays, None);
        Ok(())
    }
}
