//! SSAM-D.

use super::masks::{by_scores, masked};
use super::{Perturbation, Perturbing, Preparing, Sam};
use crate::error::{Result, below_one, fraction, positive, positive_count};
use crate::objective::cache::Key;
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::{Array, DType, Var};

pub(crate) const SSAM_D: Member = Member::sam(
    "ssam-d",
    "Mi et al., arXiv 2210.05177",
    "ĝ with ε = ρ m ⊙ g/‖g‖, m random, dropped by |g|",
    &[
        Setting::number("rho", 0.1, "radius ρ of the perturbation"),
        Setting::number("sparsity", 0.5, "part of the parameters that is not perturbed"),
        Setting::number("drop-fraction", 0.5, "part of the mask that is dropped each time")
            .formerly("alpha"),
        Setting::count("every", 100, "number of steps k between two masks"),
    ],
    |s| {
        let (sparsity, drop) = (s.number("sparsity")?, s.number("drop-fraction")?);
        Sam::ssam_d(s.number("rho")?, sparsity, drop, s.count("every")?)
    },
);

/// The scores by which a dynamic mask drops and grows.
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
/// sparsity gives itself; two, for dropping and growing, where both are random. Random scores are
/// drawn on the host; on a backend with a device they are uploaded when a mask is renewed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SsamD {
    /// The length ρ.
    pub rho: f64,
    /// The sparsity s: the part of the parameters that is not perturbed.
    pub sparsity: f64,
    /// The part f₀ of the mask that is dropped.
    pub drop_fraction: f64,
    /// The scores of dropping.
    pub drop_by: Score,
    /// The scores of growing.
    pub grow_by: Score,
    /// The number of steps k between two masks.
    pub every: u64,
    /// The number of steps T after which nothing changes any more.
    pub horizon: Option<u64>,
}

impl SsamD {
    fn part(&self, step: u64) -> f64 {
        let cosine = |t: u64| {
            let part = (step as f64 / t.max(1) as f64).min(1.0);
            0.5 * (1.0 + (std::f64::consts::PI * part).cos())
        };
        self.drop_fraction * self.horizon.map_or(1.0, cosine)
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

impl Stateful for SsamD {
    fn state_names(&self) -> &[&'static str] {
        &["dynamic mask"]
    }
}

impl Perturbation for SsamD {
    fn name(&self) -> &str {
        "ssam-d"
    }

    fn check(&self) -> Result<()> {
        positive("ssam-d", "rho", self.rho)?;
        below_one("ssam-d", "sparsity", self.sparsity)?;
        fraction("ssam-d", "drop-fraction", self.drop_fraction)?;
        positive_count("ssam-d", "every", self.every as usize)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        masked(at)
    }

    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        if !at.due(self.every) {
            return Ok(0);
        }
        if at.first {
            state[0] = by_scores(at, &self.random_scores(at, 1)?, self.sparsity)?;
            return Ok(0);
        }
        let objective = at.objective;
        let by_gradient = [self.drop_by, self.grow_by].contains(&Score::Gradient);
        let gradient = match by_gradient {
            true => Some(objective.value_grad_for(self.name(), at.x, at.batch)?.1),
            false => None,
        };
        let admitted = objective.within(at.ranges)?;
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

impl Sam {
    /// SSAM-D with radius ρ, sparsity s, the part f₀ that is dropped, and a new mask every k steps, as
    /// [`SsamD`] says: dropped by gradients, grown at random, no horizon.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn ssam_d(rho: f64, sparsity: f64, drop_fraction: f64, every: u64) -> Result<Sam> {
        Sam::with_rule(SsamD {
            rho,
            sparsity,
            drop_fraction,
            drop_by: Score::Gradient,
            grow_by: Score::Random,
            every,
            horizon: None,
        })
    }
}
