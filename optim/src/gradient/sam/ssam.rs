//! Sparse SAM: ε = ρ m ⊙ g/‖g‖ with a mask m of ones and zeros that is renewed now and then
//! (Mi et al., arXiv 2210.05177, algorithms 1 and 2).

use super::formulas::{Perturbation, Perturbing, Preparing};
use crate::error::{Result, below_one, fraction, positive, positive_count};
use crate::objective::programs::Key;
use burlap_autodiff::{Array, DType, Var};

/// How many of n parameters a mask of this sparsity keeps.
fn kept(n: usize, sparsity: f64) -> usize {
    n - ((n as f64 * sparsity).ceil() as usize).min(n)
}

fn masked(at: &Perturbing<'_>) -> Var {
    at.rescaled(at.state[0] * at.gradient, at.gradient, at.radius)
}

/// SSAM-F: the mask holds the 1 − s of the parameters with the largest empirical Fisher
/// information, the sum of squared gradients of the loss on single examples, weighted by the
/// denominators of a [ratio](crate::Loss::Ratio) (option I of the
/// paper's algorithm 2; the labels are those of the data, as in the published code). The mask is renewed every k steps
/// from the first examples of that step's batch, before it is used; the published code, which
/// renews it after the first step of an epoch, perturbs nothing in the very first step. A loss
/// without examples counts as one example. Of [given draws](super::Sam::with_draws) each renewal
/// takes one in place of the information, so that a mask of the wanted sparsity gives itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FisherMask {
    /// The length ρ.
    pub rho: f64,
    /// The sparsity s: the part of the parameters that is not perturbed.
    pub sparsity: f64,
    /// How many examples the information is estimated from.
    pub samples: usize,
    /// The number of steps k between two masks.
    pub every: u64,
}

impl FisherMask {
    /// The mask by scores of type `F64`.
    fn by(&self, at: &Preparing<'_>, scores: &Array) -> Result<Array> {
        let admitted = at.objective.within(at.ranges)?;
        let count = kept(at.objective.count(&admitted)?, self.sparsity);
        at.objective.rounded(&at.objective.largest(scores, &admitted, count)?)
    }
}

impl Perturbation for FisherMask {
    fn name(&self) -> &str {
        "ssam-f"
    }

    fn check(&self) -> Result<()> {
        positive("ssam-f", "rho", self.rho)?;
        below_one("ssam-f", "sparsity", self.sparsity)?;
        positive_count("ssam-f", "samples", self.samples)?;
        positive_count("ssam-f", "every", self.every as usize)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        masked(at)
    }

    fn state_names(&self) -> &[&'static str] {
        &["fisher mask"]
    }

    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        if !at.due(self.every) {
            return Ok(0);
        }
        if let Some(scores) = at.given(at.step / self.every)? {
            state[0] = self.by(at, &Array::vector(scores))?;
            return Ok(0);
        }
        let mut information = Vec::new();
        let n = at.objective.examples(at.batch)?;
        let count = n.map_or(1, |n| n.min(self.samples));
        let first = at.objective.take(at.batch, &(0..count).collect::<Vec<_>>())?;
        let mut add = |batch: &[Array], weight: f64| -> Result<()> {
            let (_, gradient) = at.objective.value_grad_for(self.name(), at.x, batch)?;
            let squares = at
                .objective
                .of_vectors(Key::Squares, &[&gradient], |g| g[0].cast(DType::F64).square())?;
            at.objective.add_shares(&mut information, weight, vec![squares])
        };
        match at.objective.parts(self.name(), at.x, &first, Some(1))? {
            None => add(&first, 1.0)?,
            // One at a time: a gradient of the network's size for each would be much memory.
            Some(parts) => {
                for part in parts.iter().filter(|part| part.share != 0.0) {
                    add(&at.objective.take(&first, &part.indices)?, part.share)?;
                }
            }
        }
        // Of no example that counts, none at all.
        let information = match information.pop() {
            Some(information) => information,
            None => at.objective.cast(&at.objective.zero_vector()?, DType::F64)?,
        };
        state[0] = self.by(at, &information)?;
        Ok(count)
    }

    fn draws_on_host(&self) -> bool {
        true
    }
}

/// What a dynamic mask drops and grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// |g|: the perturbation's size, too.
    Gradient,
    /// |x|.
    Weight,
    /// Random numbers.
    Random,
}

/// SSAM-D: a random mask at first, of which every k steps a part f of the ones is dropped, those
/// with the smallest scores, and as many of the other parameters are taken in (option II of
/// the paper's algorithm 2: dropped by |g|, grown at random; the published code offers all three scores for
/// both). The part falls along half a cosine, f = ½ f₀ (1 + cos πt/T), if a horizon T is set.
/// The mask is renewed before it is used, as in the paper; scores by gradients take one more of
/// them in that step. Of [given draws](super::Sam::with_draws) each renewal takes one vector of
/// scores, at first those of which the largest are the mask, so that a mask of the wanted
/// sparsity gives itself; two, for dropping and growing, where both are random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DynamicMask {
    /// The length ρ.
    pub rho: f64,
    /// The sparsity s: the part of the parameters that is not perturbed.
    pub sparsity: f64,
    /// The part f₀ of the mask that is dropped.
    pub drop: f64,
    /// What is dropped by.
    pub drop_by: Score,
    /// What is grown by.
    pub grow_by: Score,
    /// The number of steps k between two masks.
    pub every: u64,
    /// The number of steps T after which nothing changes any more.
    pub horizon: Option<u64>,
}

impl DynamicMask {
    fn part(&self, step: u64) -> f64 {
        let cosine = |t: u64| {
            let part = (step as f64 / t.max(1) as f64).min(1.0);
            0.5 * (1.0 + (std::f64::consts::PI * part).cos())
        };
        self.drop * self.horizon.map_or(1.0, cosine)
    }

    fn scores(
        &self,
        at: &Preparing<'_>,
        by: Score,
        gradient: Option<&Array>,
        sample: u32,
    ) -> Result<Array> {
        let of = match by {
            Score::Random => return self.random_scores(at, sample),
            Score::Gradient => gradient.unwrap_or(at.x),
            Score::Weight => at.x,
        };
        at.objective.of_vectors(Key::Sizes, &[of], |v| v[0].cast(DType::F64).abs())
    }

    /// Sample 0 is for dropping, 1 for growing; the first mask is a growth. Of given draws each
    /// renewal has one, or two where both are random.
    fn random_scores(&self, at: &Preparing<'_>, sample: u32) -> Result<Array> {
        let both = [self.drop_by, self.grow_by] == [Score::Random; 2];
        let renewal = at.step / self.every;
        let number = match both {
            true => renewal.saturating_mul(2).saturating_add(u64::from(sample)),
            false => renewal,
        };
        Ok(Array::vector(at.uniform(sample, number)?))
    }
}

impl Perturbation for DynamicMask {
    fn name(&self) -> &str {
        "ssam-d"
    }

    fn check(&self) -> Result<()> {
        positive("ssam-d", "rho", self.rho)?;
        below_one("ssam-d", "sparsity", self.sparsity)?;
        fraction("ssam-d", "drop", self.drop)?;
        positive_count("ssam-d", "every", self.every as usize)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        masked(at)
    }

    fn state_names(&self) -> &[&'static str] {
        &["dynamic mask"]
    }

    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        if !at.due(self.every) {
            return Ok(0);
        }
        let objective = at.objective;
        let admitted = objective.within(at.ranges)?;
        let count = kept(objective.count(&admitted)?, self.sparsity);
        if at.first {
            let scores = self.random_scores(at, 1)?;
            state[0] = objective.rounded(&objective.largest(&scores, &admitted, count)?)?;
            return Ok(0);
        }
        let by_gradient = [self.drop_by, self.grow_by].contains(&Score::Gradient);
        let gradient = match by_gradient {
            true => Some(objective.value_grad_for(self.name(), at.x, at.batch)?.1),
            false => None,
        };
        let part = |inside: bool| {
            objective.of_vectors(Key::Inside(inside), &[&admitted, &state[0]], |v| {
                let mask = if inside { v[1].not_equal(0.0) } else { v[1].equal(0.0) };
                v[0].min(mask)
            })
        };
        let (inside, outside) = (part(true)?, part(false)?);
        let ones = objective.count(&inside)?;
        let dropped = ((ones as f64 * self.part(at.step)) as usize).min(objective.count(&outside)?);
        let stay = self.scores(at, self.drop_by, gradient.as_ref(), 0)?;
        let grow = self.scores(at, self.grow_by, gradient.as_ref(), 1)?;
        let stays = objective.largest(&stay, &inside, ones - dropped)?;
        let grows = objective.largest(&grow, &outside, dropped)?;
        let mask = objective.of_vectors(Key::Union, &[&stays, &grows], |v| v[0].max(v[1]))?;
        state[0] = objective.rounded(&mask)?;
        Ok(usize::from(by_gradient))
    }

    fn draws(&self) -> bool {
        true
    }

    fn draws_on_host(&self) -> bool {
        true
    }
}
