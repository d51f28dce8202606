//! The points of a step on which a rule decides: climbs, and the last ones.

use super::Sam;
use super::formulas::{Next, Progress};
use super::step::{Ascended, Points, along, bits};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::cache::Key;
use burlap_autodiff::Array;

/// Climbs of one step after which a rule is taken to have no end.
const MOST_CLIMBS: usize = 1000;

/// The points x + cε of a round in which the rule decides.
struct Round {
    /// x + ε.
    climb: Array,
    offset: Array,
    points: Vec<Array>,
}

impl Sam {
    /// Loss, gradient and buffers at x, gradients at the points of climbs, and the last points.
    pub(super) fn walk(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        (inputs, factors, step): (&[Array], &[f64], u64),
    ) -> Result<Ascended> {
        let (loss, gradient, buffers) = objective.value_grad_buffers_for(&self.name, x, batch)?;
        let (mut losses, mut climbed) = (vec![loss], Vec::<Array>::new());
        let mut offset = objective.zero_vector()?;
        let points = loop {
            let (round, last) = (climbed.len(), climbed.last().unwrap_or(&gradient));
            let state = self.parted(&self.state).0;
            let progress =
                Progress { step, round, losses: &losses, state, objective, gradient: last };
            let next = self.rule.next(&progress)?;
            if next == Next::Skip {
                break Points::Skipped;
            }
            let found = self.round(objective, [x, last, &offset], (inputs, factors, round))?;
            if next == Next::Combine {
                break Points::At(found.points);
            }
            if round == MOST_CLIMBS {
                let of = self.name.clone();
                let (name, value) = ("the number of climbs in a step", (round + 1).to_string());
                return Err(Error::Setting { of, name, value, expected: "at most 1000" });
            }
            let (loss, gradient) = objective.value_grad_for(&self.name, &found.climb, batch)?;
            losses.push(loss);
            climbed.push(gradient);
            offset = found.offset;
        };
        Ok(Ascended { loss, points, gradient: Some(gradient), buffers, climbed })
    }

    /// The points of a round, from x, the last gradient and the last ε.
    fn round(
        &self,
        objective: &Objective,
        at: [&Array; 3],
        (inputs, factors, round): (&[Array], &[f64], usize),
    ) -> Result<Round> {
        let key = Key::Round { of: self.id, round, factors: bits(factors) };
        let program = objective.algebra(key, |r| {
            let (gradient, offset) = (r.vector("gradient"), r.vector("offset"));
            let epsilon = self.record_epsilon(r, gradient, (round, offset));
            [r.x + epsilon, epsilon].into_iter().chain(along(r.x, epsilon, factors)).collect()
        })?;
        let inputs: Vec<&Array> = at.into_iter().chain(inputs).collect();
        let mut outputs = program.run(&inputs)?;
        let points = outputs.split_off(2);
        let offset = outputs.swap_remove(1);
        Ok(Round { climb: outputs.swap_remove(0), offset, points })
    }
}
