//! The step that all members share: the gradient, a perturbation, gradients there, and what is
//! made of them.

use super::builder::Sam;
use super::draws::Draws;
use super::formulas::{Combined, Combining, Perturbing};
use crate::error::Result;
use crate::gradient::Evaluation;
use crate::objective::Objective;
use crate::objective::chunks::Part;
use crate::objective::programs::Key;
use crate::objective::recording::Recording;
use crate::random::{Draw, Purpose};
use burlap_autodiff::{Array, Program, Var};
use std::rc::Rc;

/// Beyond the samples that users name their own keys by.
const KEYS: u32 = 0x00ff_0000;

/// Which part of which step's batch it is.
#[derive(Clone, Copy)]
struct Place {
    step: u64,
    part: u32,
    parts: u32,
}

/// What was found on a batch or micro-batch.
pub(super) struct Found {
    pub(super) evaluation: Evaluation,
    /// The new state vectors; none where they stay.
    pub(super) vectors: Vec<Array>,
}

/// Perturbed points, and what the pass at the parameters gave.
struct Ascended {
    loss: f64,
    points: Vec<Array>,
    gradient: Option<Array>,
    buffers: Vec<Array>,
}

/// As keys hold numbers.
fn bits(points: &[f64]) -> Vec<u64> {
    points.iter().map(|factor| factor.to_bits()).collect()
}

impl Sam {
    /// The part of the state vectors that is the rule's, then the combination's.
    fn parted<'a, T>(&self, vectors: &'a [T]) -> (&'a [T], &'a [T]) {
        vectors.split_at(self.rule.state_names().len())
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

    /// What is given in place of the formula's random numbers.
    fn given(&self) -> Option<&Draws> {
        self.draws.as_ref().filter(|_| !self.rule.draws_on_host())
    }

    /// The points x + cε; declares radius, key or draws, and state vectors.
    fn record_points(&self, r: &Recording<'_>, gradient: Var, points: &[f64]) -> Vec<Var> {
        let radius = r.scalar("radius");
        let source = if self.given().is_some() { r.vector("draw") } else { r.key("key") };
        let state: Vec<Var> = self.state_names().iter().map(|name| r.vector(name)).collect();
        let at = Perturbing {
            parameters: r.x,
            gradient: self.restricted(gradient),
            radius,
            state: self.parted(&state).0,
            source,
            norm_offset: self.norm_offset,
        };
        let epsilon = self.restricted(self.rule.record(&at));
        points.iter().map(|&c| r.x + if c == 1.0 { epsilon } else { c * epsilon }).collect()
    }

    /// What the gradients become (the decoupled part second) and the new state vectors.
    fn record_combination(&self, r: &Recording<'_>, points: &[f64]) -> Vec<Var> {
        let count = points.len();
        let losses: Vec<Var> = (0..count).map(|i| r.scalar(&format!("loss {i}"))).collect();
        let loss = r.scalar("loss");
        let perturbed: Vec<Var> = (0..count).map(|i| r.vector(&format!("gradient {i}"))).collect();
        let state: Vec<Var> = self.state_names().iter().map(|name| r.vector(name)).collect();
        let (own, others) = self.parted(&state);
        let see = |state| Combining {
            loss,
            gradient: r.x,
            points,
            losses: &losses,
            perturbed: &perturbed,
            state,
        };
        let combined = match &self.combination {
            Some(combination) => combination.record(&see(others)),
            None => Combined { gradient: perturbed[0], decoupled: None, state: Vec::new() },
        };
        let kept = self.rule.remember(&see(own));
        let first = [Some(combined.gradient), combined.decoupled].into_iter().flatten();
        first.chain(kept).chain(combined.state).collect()
    }

    /// Radius, key or draws, and state vectors, as programs take them.
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
        inputs.extend(self.vectors.iter().cloned());
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
        if objective.is_whole(batch)? {
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
            return Ok(Ascended { loss, points, gradient, buffers });
        }
        let (loss, gradient, buffers) = objective.value_grad_buffers_for(&self.name, x, batch)?;
        let points = self.points_from(objective, x, &gradient, (&rest, points))?;
        Ok(Ascended { loss, points, gradient: Some(gradient), buffers })
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
        let Some(n) = objective.examples(batch)? else {
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
        Ok(Some(objective.take(batch, &order)?))
    }

    /// The step on a batch or a micro-batch.
    fn two_point(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        place: Place,
    ) -> Result<Found> {
        let step = place.step;
        let points: &[f64] = self.combination.as_ref().map_or(&[1.0], |c| c.points(step));
        let inputs = self.inputs(objective, place)?;
        // Whether anything follows the last gradient.
        let ends = self.combination.is_none() && !self.rule.remembers();
        if !self.rule.needs_gradient() && self.combination.is_none() {
            let none = objective.zero_vector()?;
            let rest: Vec<&Array> = inputs.iter().collect();
            let at = self.points_from(objective, x, &none, (&rest, points))?;
            let chosen = self.select(objective, x, batch, &at[0])?;
            let batch = chosen.as_deref().unwrap_or(batch);
            let (loss, gradient, buffers) =
                objective.value_grad_buffers_for(&self.name, &at[0], batch)?;
            let ascended = Ascended { loss, points: at, gradient: Some(gradient.clone()), buffers };
            return self.combine(objective, ascended, vec![(loss, gradient)], (points, 1));
        }
        if points.is_empty() {
            let (loss, gradient, buffers) =
                objective.value_grad_buffers_for(&self.name, x, batch)?;
            let points = Vec::new();
            let ascended = Ascended { loss, points, gradient: Some(gradient), buffers };
            return self.combine(objective, ascended, Vec::new(), (&[], 1));
        }
        let ascended = self.ascend(objective, x, batch, (&inputs, points, !ends))?;
        let chosen = match ascended.points.first() {
            Some(point) => self.select(objective, x, batch, point)?,
            None => None,
        };
        let batch = chosen.as_deref().unwrap_or(batch);
        let at = |point: &Array| objective.value_grad_for(&self.name, point, batch);
        let mut perturbed = ascended.points.iter().map(at).collect::<Result<Vec<_>>>()?;
        let gradients = 1 + perturbed.len();
        if ends {
            let (_, gradient) = perturbed.swap_remove(0);
            let buffers = ascended.buffers;
            let evaluation =
                Evaluation { buffers, gradients, ..Evaluation::new(ascended.loss, gradient) };
            return Ok(Found { evaluation, vectors: Vec::new() });
        }
        self.combine(objective, ascended, perturbed, (points, gradients))
    }

    fn combine(
        &self,
        objective: &Objective,
        ascended: Ascended,
        perturbed: Vec<(f64, Array)>,
        (points, gradients): (&[f64], usize),
    ) -> Result<Found> {
        let program = self.combine_program(objective, points)?;
        let Ascended { loss, gradient, buffers, .. } = ascended;
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
            .chain(&self.vectors)
            .collect();
        let mut outputs = program.run(&inputs)?;
        let vectors = outputs.split_off(outputs.len() - self.vectors.len());
        let decoupled = if outputs.len() > 1 { outputs.pop() } else { None };
        let gradient = outputs.swap_remove(0);
        let evaluation =
            Evaluation { decoupled, buffers, gradients, ..Evaluation::new(loss, gradient) };
        Ok(Found { evaluation, vectors })
    }

    fn combine_program(&self, objective: &Objective, points: &[f64]) -> Result<Rc<Program>> {
        let key = Key::Combine { of: self.id, factors: bits(points) };
        objective.algebra(key, |r| self.record_combination(r, points))
    }

    /// Each micro-batch by itself, averaged by its share in the loss.
    pub(super) fn averaged(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Found> {
        let Some(parts) = objective.parts(&self.name, x, batch, self.micro_batch)? else {
            return self.two_point(objective, x, batch, Place { step, part: 0, parts: 1 });
        };
        let count = parts.len() as u32;
        let (mut loss, mut gradients) = (0.0, 0);
        let (mut main, mut buffers, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (i, Part { indices, share, of_examples }) in parts.into_iter().enumerate() {
            let part = objective.take(batch, &indices)?;
            if share == 0.0 {
                // Where no example counts there is no gradient.
                objective.add_shares(
                    &mut buffers,
                    of_examples,
                    objective.new_buffers(x, &part)?,
                )?;
                continue;
            }
            let place = Place { step, part: i as u32, parts: count };
            let found = self.two_point(objective, x, &part, place)?;
            let e = found.evaluation;
            loss += share * e.loss;
            gradients = e.gradients;
            objective.add_shares(
                &mut main,
                share,
                std::iter::once(e.gradient).chain(e.decoupled).collect(),
            )?;
            objective.add_shares(&mut buffers, of_examples, e.buffers)?;
            objective.add_shares(&mut vectors, share, found.vectors)?;
        }
        let decoupled = if main.len() > 1 { main.pop() } else { None };
        let gradient = main.swap_remove(0);
        let evaluation =
            Evaluation { decoupled, buffers, gradients, ..Evaluation::new(loss, gradient) };
        Ok(Found { evaluation, vectors })
    }
}
