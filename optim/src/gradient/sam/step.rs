//! The step of all members, a loop over points: the gradient at x, at the points on which the rule
//! decides, at x + cε, and their combination.

use super::builder::Sam;
use super::draws::Draws;
use super::formulas::{Combined, Combining, Perturbing};
use crate::error::Result;
use crate::gradient::Evaluation;
use crate::objective::Objective;
use crate::objective::cache::Key;
use crate::objective::chunks::Chunk;
use crate::objective::recording::Recording;
use crate::random::{Draw, Purpose};
use burlap_autodiff::{Array, Var};

/// Beyond the samples that users name their own keys by.
const KEYS: u32 = 0x00ff_0000;

/// A part of a step's batch.
#[derive(Clone, Copy)]
struct Place {
    step: u64,
    part: u32,
    parts: u32,
}

/// The result on a batch or a part of it.
pub(super) struct Found {
    pub(super) evaluation: Evaluation,
    /// The new state arrays; none where they stay.
    pub(super) state: Vec<Array>,
}

/// The results of the pass at x and of climbs, and the points x + cε.
pub(super) struct Ascended {
    pub(super) loss: f64,
    pub(super) points: Points,
    pub(super) gradient: Option<Array>,
    pub(super) buffers: Vec<Array>,
    pub(super) climbed: Vec<Array>,
}

/// The last points of a step.
pub(super) enum Points {
    /// x + cε.
    At(Vec<Array>),
    /// None: x serves as each of them.
    Skipped,
}

/// As keys hold numbers.
pub(super) fn bits(points: &[f64]) -> Vec<u64> {
    points.iter().map(|factor| factor.to_bits()).collect()
}

/// x + cε.
pub(super) fn along(x: Var, epsilon: Var, factors: &[f64]) -> impl Iterator<Item = Var> {
    factors.iter().map(move |&c| x + if c == 1.0 { epsilon } else { c * epsilon })
}

impl Sam {
    /// The state of the rule, and that of the combination.
    pub(super) fn parted<'a, T>(&self, state: &'a [T]) -> (&'a [T], &'a [T]) {
        state.split_at(self.rule.state_names().len())
    }

    /// Declares the state arrays.
    fn state_inputs(&self, r: &Recording<'_>) -> Vec<Var> {
        let names = self.state_names();
        let input =
            |(name, array): (&&str, &Array)| r.tape.input(name, array.dtype(), array.shape());
        names.iter().zip(&self.state).map(input).collect()
    }

    /// `v` with zeros outside the ranges.
    fn restricted(&self, v: Var) -> Var {
        let Some(ranges) = &self.ranges else {
            return v;
        };
        let n = v.shape().count();
        let zeros = |from: usize, to: usize| {
            (from < to).then(|| v.slice_axis(0, from, to).constant_like(0.0))
        };
        let (mut parts, mut end) = (Vec::new(), 0);
        for range in ranges {
            parts.extend(zeros(end, range.start));
            parts.push(v.slice_axis(0, range.start, range.end));
            end = range.end;
        }
        parts.extend(zeros(end, n));
        parts[0].join(&parts[1..], 0)
    }

    /// The draws that are given in place of the formula's random numbers.
    fn given(&self) -> Option<&Draws> {
        self.draws.as_ref().filter(|_| !self.rule.draws_on_host())
    }

    /// ε; declares radius, key or draws, and state arrays.
    pub(super) fn record_epsilon(
        &self,
        r: &Recording<'_>,
        gradient: Var,
        (round, offset): (usize, Var),
    ) -> Var {
        let radius = r.scalar("radius");
        let source = if self.given().is_some() { r.vector("draw") } else { r.key("key") };
        let state = self.state_inputs(r);
        let at = Perturbing {
            parameters: r.x,
            gradient: self.restricted(gradient),
            offset,
            round,
            radius,
            state: self.parted(&state).0,
            source,
            norm_offset: self.norm_offset,
        };
        self.restricted(self.rule.record(&at))
    }

    /// The points x + cε; declares as [`Sam::record_epsilon`] does.
    fn record_points(&self, r: &Recording<'_>, gradient: Var, factors: &[f64]) -> Vec<Var> {
        let none = r.x.constant_like(0.0);
        let epsilon = self.record_epsilon(r, gradient, (0, none));
        along(r.x, epsilon, factors).collect()
    }

    /// The combined gradient (the decoupled part second) and the new state arrays.
    fn record_combination(&self, r: &Recording<'_>, points: &[f64], climbs: usize) -> Vec<Var> {
        let count = points.len();
        let losses: Vec<Var> = (0..count).map(|i| r.scalar(&format!("loss {i}"))).collect();
        let loss = r.scalar("loss");
        let perturbed: Vec<Var> = (0..count).map(|i| r.vector(&format!("gradient {i}"))).collect();
        let climbed: Vec<Var> = (0..climbs).map(|i| r.vector(&format!("climb {i}"))).collect();
        let state = self.state_inputs(r);
        let (own, others) = self.parted(&state);
        let see = |state| Combining {
            loss,
            gradient: r.x,
            points,
            losses: &losses,
            perturbed: &perturbed,
            climbed: &climbed,
            state,
        };
        let combined: Combined = match &self.combination {
            Some(combination) => combination.record(&see(others)),
            None => perturbed[0].into(),
        };
        let kept = self.rule.remember(&see(own));
        let first = [Some(combined.gradient), combined.decoupled].into_iter().flatten();
        first.chain(kept).chain(combined.state).collect()
    }

    /// Radius, key or draws, and state arrays, as programs take them.
    fn inputs(&self, objective: &Objective, place: Place) -> Result<Vec<Array>> {
        let Place { step, part, parts } = place;
        let radius = self.radius.as_ref().map_or(self.rule.radius(), |r| r.at(step));
        let source = match self.given() {
            Some(draws) => {
                let before = step.saturating_mul(u64::from(parts));
                draws.take(objective, before.saturating_add(u64::from(part)))?
            }
            None if self.rule.draws() => {
                let (seed, sample) = (self.seed, KEYS + part);
                Array::vector(Draw { seed, purpose: Purpose::Key, step, sample }.key())
            }
            None => Array::vector([0u32, 0]),
        };
        let mut inputs = vec![objective.number(radius), source];
        inputs.extend(self.state.iter().cloned());
        Ok(inputs)
    }

    /// Loss, perturbed points, gradient where it is `wanted`, and buffers. In one piece, all of
    /// it is one program.
    fn ascend(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        (inputs, points, wanted): (&[Array], &[f64], bool),
    ) -> Result<Ascended> {
        let rest: Vec<&Array> = inputs.iter().collect();
        let count = points.len();
        objective.check_vector(&self.name, "parameters", x)?;
        if objective.batches.is_whole(batch)? {
            let program = objective.program_of(self.points_key(points, true), batch, |r| {
                let (loss, buffers) = r.loss_and_buffers(r.x);
                let gradient = loss.grad(r.x);
                let mut outputs = vec![loss];
                outputs.extend(self.record_points(r, gradient, points));
                outputs.extend(wanted.then_some(gradient));
                outputs.extend(buffers);
                outputs
            })?;
            let (loss, mut points) =
                objective.run_checked(&self.name, &program, x, batch, &rest)?;
            let buffers = points.split_off(1 + count + usize::from(wanted));
            let gradient = if wanted { points.pop() } else { None };
            points.remove(0);
            let points = Points::At(points);
            return Ok(Ascended { loss, points, gradient, buffers, climbed: Vec::new() });
        }
        let (loss, gradient, buffers) = objective.value_grad_buffers_for(&self.name, x, batch)?;
        let points = Points::At(self.points_from(objective, x, &gradient, (&rest, points))?);
        Ok(Ascended { loss, points, gradient: Some(gradient), buffers, climbed: Vec::new() })
    }

    fn points_key(&self, points: &[f64], with_loss: bool) -> Key {
        Key::Points { of: self.id, with_loss, factors: bits(points) }
    }

    /// The perturbed points by a gradient that is known.
    fn points_from(
        &self,
        objective: &Objective,
        x: &Array,
        gradient: &Array,
        (rest, points): (&[&Array], &[f64]),
    ) -> Result<Vec<Array>> {
        let program = objective.algebra(self.points_key(points, false), |r| {
            let gradient = r.vector("gradient");
            self.record_points(r, gradient, points)
        })?;
        let inputs: Vec<&Array> = [x, gradient].into_iter().chain(rest.iter().copied()).collect();
        Ok(program.run(&inputs)?)
    }

    /// The examples on which gradients at perturbed points are taken.
    fn select(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        point: &Array,
    ) -> Result<Option<Vec<Array>>> {
        if self.selected == 1.0 {
            return Ok(None);
        }
        let Some(n) = objective.batches.examples(batch)? else {
            return Ok(None);
        };
        let count = ((n as f64 * self.selected) as usize).max(1);
        let before = objective.example_losses(&self.name, x, batch)?;
        let after = objective.example_losses(&self.name, point, batch)?;
        let mut order: Vec<usize> = (0..n).collect();
        // An example that counts for nothing comes last.
        let rise = |i: usize| match (after[i], before[i]) {
            (Some(after), Some(before)) => after - before,
            _ => f64::NEG_INFINITY,
        };
        order.sort_by(|&a, &b| rise(b).total_cmp(&rise(a)));
        order.truncate(count);
        // In the batch's order, so that sums are those of the batch where all are chosen.
        order.sort_unstable();
        Ok(Some(objective.gather_rows(batch, &order)?))
    }

    /// The step on a batch or a part of it.
    fn on_part(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        place: Place,
    ) -> Result<Found> {
        let step = place.step;
        let factors: &[f64] = self.combination.as_ref().map_or(&[1.0], |c| c.points(step));
        let inputs = self.inputs(objective, place)?;
        // Whether anything follows the last gradient.
        let ends = self.combination.is_none() && !self.rule.remembers();
        if !self.rule.needs_gradient() && self.combination.is_none() {
            let none = objective.zero_vector()?;
            let rest: Vec<&Array> = inputs.iter().collect();
            let at = self.points_from(objective, x, &none, (&rest, factors))?;
            let chosen = self.select(objective, x, batch, &at[0])?;
            let batch = chosen.as_deref().unwrap_or(batch);
            let (loss, gradient, buffers) =
                objective.value_grad_buffers_for(&self.name, &at[0], batch)?;
            let perturbed = vec![(loss, gradient.clone())];
            let (points, gradient) = (Points::At(at), Some(gradient));
            let ascended = Ascended { loss, points, gradient, buffers, climbed: Vec::new() };
            return self.combine(objective, ascended, perturbed, (factors, 1));
        }
        if factors.is_empty() {
            let (loss, gradient, buffers) =
                objective.value_grad_buffers_for(&self.name, x, batch)?;
            let (points, gradient) = (Points::At(Vec::new()), Some(gradient));
            let ascended = Ascended { loss, points, gradient, buffers, climbed: Vec::new() };
            return self.combine(objective, ascended, Vec::new(), (&[], 1));
        }
        let ascended = if self.rule.decides() {
            self.walk(objective, x, batch, (&inputs, factors, step))?
        } else {
            self.ascend(objective, x, batch, (&inputs, factors, !ends))?
        };
        let mut gradients = 1 + ascended.climbed.len();
        let mut perturbed = match &ascended.points {
            Points::At(points) => {
                gradients += points.len();
                self.at_points(objective, x, batch, points)?
            }
            Points::Skipped => {
                let gradient = ascended.gradient.clone();
                let gradient = gradient.map_or_else(|| objective.zero_vector(), Ok)?;
                vec![(ascended.loss, gradient); factors.len()]
            }
        };
        if ends {
            let (_, gradient) = perturbed.swap_remove(0);
            let buffers = ascended.buffers;
            let evaluation =
                Evaluation { buffers, gradients, ..Evaluation::new(ascended.loss, gradient) };
            return Ok(Found { evaluation, state: Vec::new() });
        }
        self.combine(objective, ascended, perturbed, (factors, gradients))
    }

    /// Losses and gradients at points, on the selected examples.
    fn at_points(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        points: &[Array],
    ) -> Result<Vec<(f64, Array)>> {
        let chosen = match points.first() {
            Some(point) => self.select(objective, x, batch, point)?,
            None => None,
        };
        let batch = chosen.as_deref().unwrap_or(batch);
        let at = |point: &Array| objective.value_grad_for(&self.name, point, batch);
        points.iter().map(at).collect()
    }

    fn combine(
        &self,
        objective: &Objective,
        ascended: Ascended,
        perturbed: Vec<(f64, Array)>,
        (factors, gradients): (&[f64], usize),
    ) -> Result<Found> {
        let Ascended { loss, gradient, buffers, climbed, .. } = ascended;
        let key = Key::Combine { of: self.id, climbs: climbed.len(), factors: bits(factors) };
        let program =
            objective.algebra(key, |r| self.record_combination(r, factors, climbed.len()))?;
        let gradient = gradient.map_or_else(|| objective.zero_vector(), Ok)?;
        let losses: Vec<Array> = perturbed
            .iter()
            .map(|(loss, _)| *loss)
            .chain([loss])
            .map(|loss| objective.number(loss))
            .collect();
        let inputs: Vec<&Array> = std::iter::once(&gradient)
            .chain(&losses)
            .chain(perturbed.iter().map(|(_, gradient)| gradient))
            .chain(&climbed)
            .chain(&self.state)
            .collect();
        let mut outputs = program.run(&inputs)?;
        let state = outputs.split_off(outputs.len() - self.state.len());
        let decoupled = if outputs.len() > 1 { outputs.pop() } else { None };
        let gradient = outputs.swap_remove(0);
        let evaluation =
            Evaluation { decoupled, buffers, gradients, ..Evaluation::new(loss, gradient) };
        Ok(Found { evaluation, state })
    }

    /// The step on each part of an m-sharpness, averaged by the parts' weights in the loss.
    pub(super) fn averaged(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Found> {
        let Some(chunks) = objective.chunks(&self.name, x, batch, self.m_sharpness)? else {
            return self.on_part(objective, x, batch, Place { step, part: 0, parts: 1 });
        };
        let count = chunks.len() as u32;
        let (mut loss, mut gradients) = (0.0, 0);
        let (mut main, mut buffers, mut state) = (Vec::new(), Vec::new(), Vec::new());
        for (i, Chunk { indices, weight, of_examples }) in chunks.into_iter().enumerate() {
            let part = objective.gather_rows(batch, &indices)?;
            if weight == 0.0 {
                // Where no example counts there is no gradient.
                objective.add_weighted(
                    &mut buffers,
                    of_examples,
                    objective.new_buffers(x, &part)?,
                )?;
                continue;
            }
            let place = Place { step, part: i as u32, parts: count };
            let found = self.on_part(objective, x, &part, place)?;
            let e = found.evaluation;
            loss += weight * e.loss;
            gradients = e.gradients;
            objective.add_weighted(
                &mut main,
                weight,
                std::iter::once(e.gradient).chain(e.decoupled).collect(),
            )?;
            objective.add_weighted(&mut buffers, of_examples, e.buffers)?;
            objective.add_weighted(&mut state, weight, found.state)?;
        }
        let decoupled = if main.len() > 1 { main.pop() } else { None };
        let gradient = main.swap_remove(0);
        let evaluation =
            Evaluation { decoupled, buffers, gradients, ..Evaluation::new(loss, gradient) };
        Ok(Found { evaluation, state })
    }
}
