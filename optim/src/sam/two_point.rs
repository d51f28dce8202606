//! The step that all members share: the gradient, a perturbation, gradients there, and what is
//! made of them.

use super::radius::Radius;
use super::rule::{Combination, Combined, Combining, Perturbation, Perturbing, Preparing};
use super::rules::Ascent;
use crate::error::{Error, Result, fraction, positive_count};
use crate::method::{Evaluation, Method};
use crate::objective::{Objective, Recording};
use crate::pieces::{add_share, examples, split, take};
use crate::random::{Draw, Purpose};
use crate::state::State;
use burlap_autodiff::{Array, DType, Program, Var};
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Beyond the samples that users name their own keys by.
const KEYS: u32 = 0x00ff_0000;

/// Sharpness-aware minimisation with a perturbation rule, and what it makes of the gradients.
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
    rule: Box<dyn Perturbation>,
    combination: Option<Box<dyn Combination>>,
    name: String,
    /// Rules of one name may differ in their settings; their programs must not be shared.
    id: u64,
    radius: Option<Radius>,
    ranges: Option<Vec<Range<usize>>>,
    micro_batch: Option<usize>,
    selected: f64,
    seed: u64,
    /// The state vectors of rule and combination; none before the first step.
    vectors: Vec<Array>,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.id)
    }
}

/// What was found on a batch or micro-batch.
struct Found {
    evaluation: Evaluation,
    /// The new state vectors; none where they stay.
    vectors: Vec<Array>,
}

/// Perturbed points, and what the pass at the parameters gave.
struct Ascended {
    loss: f64,
    points: Vec<Array>,
    gradient: Option<Array>,
    buffers: Vec<Array>,
}

impl Sam {
    /// SAM: ε = ρ g/‖g‖, as [`Ascent`] says.
    ///
    /// # Errors
    /// [`Error::Setting`] unless ρ is positive and finite.
    pub fn new(rho: f64) -> Result<Sam> {
        Sam::with_rule(Ascent { rho })
    }

    /// Any perturbation rule. The gradient is the one at the perturbed point.
    ///
    /// # Errors
    /// What the rule's check reports.
    pub fn with_rule(rule: impl Perturbation + 'static) -> Result<Sam> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        rule.check()?;
        Ok(Sam {
            name: rule.name().to_owned(),
            rule: Box::new(rule),
            combination: None,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            radius: None,
            ranges: None,
            micro_batch: None,
            selected: 1.0,
            seed: 0,
            vectors: Vec::new(),
        })
    }

    /// The same with another combination of the gradients. On SAM's own rule it gives the
    /// method its name.
    ///
    /// # Errors
    /// What the combination's check reports.
    pub fn combined(mut self, combination: impl Combination + 'static) -> Result<Sam> {
        combination.check()?;
        self.name = match self.rule.name() {
            "sam" => combination.name().to_owned(),
            rule => format!("{} with {rule}", combination.name()),
        };
        self.combination = Some(Box::new(combination));
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
    /// are those of what is perturbed. The gradients that are combined are whole.
    ///
    /// # Errors
    /// [`Error::Setting`] unless ranges ascend without overlapping and none is empty.
    pub fn over(mut self, ranges: Vec<Range<usize>>) -> Result<Sam> {
        let ascending = ranges.windows(2).all(|w| w[0].end <= w[1].start);
        if !ascending || ranges.is_empty() || ranges.iter().any(|r| r.start >= r.end) {
            return Err(self.wrong_ranges(&ranges, "at least one range, ascending, none empty"));
        }
        self.ranges = Some(ranges);
        Ok(self)
    }

    /// m-sharpness: the batch in parts of at most m examples, each with a perturbation of its
    /// own, and the gradients averaged by the parts' sizes (Foret et al., arXiv 2010.01412,
    /// section 3; Andriushchenko and Flammarion, arXiv 2206.06232). State vectors are averaged,
    /// too: a running mean of gradients is then that of the batch's gradient.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of 0.
    pub fn with_micro_batches(mut self, m: usize) -> Result<Sam> {
        positive_count(&self.name, "the size of micro-batches", m)?;
        self.micro_batch = Some(m);
        Ok(self)
    }

    /// Sharpness-sensitive data selection (Du et al., arXiv 2110.03141, section 3.2): gradients at
    /// perturbed points are taken on the ⌊γn⌋ examples (at least one) whose loss rises most from
    /// x to x + ε. For losses that are means over examples, of batches of at most 4 arrays that
    /// all have an axis of examples; a batch of no arrays stays whole. It takes two
    /// evaluations of the losses besides. (The published code leaves out one example more, that
    /// at the threshold.)
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < γ ≤ 1.
    pub fn with_selection(mut self, gamma: f64) -> Result<Sam> {
        fraction(&self.name, "gamma", gamma)?;
        self.selected = gamma;
        Ok(self)
    }

    /// The seed of random masks and start vectors, 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Sam {
        self.seed = seed;
        self
    }

    fn wrong_ranges(&self, ranges: &[Range<usize>], expected: &'static str) -> Error {
        let (of, value) = (self.name.clone(), format!("{ranges:?}"));
        Error::Setting { of, name: "ranges", value, expected }
    }

    fn state_names(&self) -> Vec<&'static str> {
        let combination: &[&str] = self.combination.as_ref().map_or(&[], |c| c.state_names());
        [self.rule.state_names(), combination].concat()
    }

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

    /// The points x + cε; declares radius, key and state vectors.
    fn record_points(&self, r: &Recording<'_>, gradient: Var, points: &[f64]) -> Vec<Var> {
        let radius = r.scalar("radius");
        let key = r.tape.input("key", DType::U32, [2]);
        let state: Vec<Var> = self.state_names().iter().map(|name| r.vector(name)).collect();
        let at = Perturbing {
            parameters: r.x,
            gradient: self.restricted(gradient),
            radius,
            state: self.parted(&state).0,
            key,
        };
        let epsilon = self.restricted(self.rule.record(&at));
        points.iter().map(|&c| r.x + if c == 1.0 { epsilon } else { c * epsilon }).collect()
    }

    /// What the gradients become (the decoupled part second) and the new state vectors.
    fn record_combination(&self, r: &Recording<'_>, points: usize) -> Vec<Var> {
        let losses: Vec<Var> = (0..points).map(|i| r.scalar(&format!("loss {i}"))).collect();
        let loss = r.scalar("loss");
        let perturbed: Vec<Var> = (0..points).map(|i| r.vector(&format!("gradient {i}"))).collect();
        let state: Vec<Var> = self.state_names().iter().map(|name| r.vector(name)).collect();
        let (own, others) = self.parted(&state);
        let see = |state| Combining {
            loss,
            gradient: r.x,
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

    /// Radius, key and state vectors, as programs take them.
    fn inputs(&self, objective: &Objective, step: u64, part: u32) -> Vec<Array> {
        let radius = self.radius.as_ref().map_or(self.rule.radius(), |r| r.at(step));
        let draw = Draw { seed: self.seed, purpose: Purpose::Key, step, sample: KEYS + part };
        let key = if self.rule.draws() { draw.key() } else { [0, 0] };
        let mut inputs = vec![objective.number(radius), Array::vector(key)];
        inputs.extend(self.vectors.iter().cloned());
        inputs
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
        let named = |what: &str| format!("{what} {} of {count}", self.id);
        if objective.is_whole(batch) {
            let program = objective.program(&named("perturbed with loss"), batch, |r| {
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

    /// The perturbed points by a gradient that is known.
    fn points_from(
        &self,
        objective: &Objective,
        x: &Array,
        gradient: &Array,
        (rest, points): (&[&Array], &[f64]),
    ) -> Result<Vec<Array>> {
        let name = format!("perturbed {} of {}", self.id, points.len());
        let program = objective.algebra(&name, |r| {
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
        let Some(n) = examples(batch).filter(|_| self.selected < 1.0) else {
            return Ok(None);
        };
        let count = ((n as f64 * self.selected) as usize).max(1);
        let before = objective.example_losses(&self.name, x, batch)?;
        let after = objective.example_losses(&self.name, point, batch)?;
        let mut order: Vec<usize> = (0..n).collect();
        let rise = |i: usize| after[i] - before[i];
        order.sort_by(|&a, &b| rise(b).total_cmp(&rise(a)));
        order.truncate(count);
        // In the batch's order, so that sums are those of the batch where all are chosen.
        order.sort_unstable();
        Ok(Some(take(batch, &order)?))
    }

    /// The step on a batch or a micro-batch.
    fn two_point(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        (step, part): (u64, u32),
    ) -> Result<Found> {
        let points: &[f64] = self.combination.as_ref().map_or(&[1.0], |c| c.points(step));
        let inputs = self.inputs(objective, step, part);
        // Whether anything follows the last gradient.
        let ends = self.combination.is_none() && !self.rule.remembers();
        if !self.rule.needs_gradient() && self.combination.is_none() {
            let none = objective.rows(1);
            let rest: Vec<&Array> = inputs.iter().collect();
            let at = self.points_from(objective, x, &none, (&rest, points))?;
            let chosen = self.select(objective, x, batch, &at[0])?;
            let batch = chosen.as_deref().unwrap_or(batch);
            let (loss, gradient, buffers) =
                objective.value_grad_buffers_for(&self.name, &at[0], batch)?;
            let ascended = Ascended { loss, points: at, gradient: Some(gradient.clone()), buffers };
            return self.combine(objective, ascended, vec![(loss, gradient)], 1);
        }
        if points.is_empty() {
            let (loss, gradient, buffers) =
                objective.value_grad_buffers_for(&self.name, x, batch)?;
            let points = Vec::new();
            let ascended = Ascended { loss, points, gradient: Some(gradient), buffers };
            return self.combine(objective, ascended, Vec::new(), 1);
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
        self.combine(objective, ascended, perturbed, gradients)
    }

    fn combine(
        &self,
        objective: &Objective,
        ascended: Ascended,
        perturbed: Vec<(f64, Array)>,
        gradients: usize,
    ) -> Result<Found> {
        let program = self.combine_program(objective, perturbed.len())?;
        let Ascended { loss, gradient, buffers, .. } = ascended;
        let gradient = gradient.unwrap_or_else(|| objective.rows(1));
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

    fn combine_program(&self, objective: &Objective, points: usize) -> Result<Rc<Program>> {
        objective.algebra(&format!("combined {} of {points}", self.id), |r| {
            self.record_combination(r, points)
        })
    }

    /// Each micro-batch by itself, averaged by size.
    fn averaged(
        &self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Found> {
        let size = self.micro_batch.unwrap_or(usize::MAX);
        let mut parts = split(batch, size)?;
        if parts.len() < 2 {
            return self.two_point(objective, x, batch, (step, 0));
        }
        let (mut loss, mut gradients) = (0.0, 0);
        let (mut main, mut buffers, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (i, (part, share)) in parts.drain(..).enumerate() {
            let found = self.two_point(objective, x, &part, (step, i as u32))?;
            let e = found.evaluation;
            loss += share * e.loss;
            gradients = e.gradients;
            add_share(&mut main, share, std::iter::once(e.gradient).chain(e.decoupled).collect())?;
            add_share(&mut buffers, share, e.buffers)?;
            add_share(&mut vectors, share, found.vectors)?;
        }
        let decoupled = if main.len() > 1 { main.pop() } else { None };
        let gradient = main.swap_remove(0);
        let evaluation =
            Evaluation { decoupled, buffers, gradients, ..Evaluation::new(loss, gradient) };
        Ok(Found { evaluation, vectors })
    }

    /// The step on a batch, after what the rule does on the host.
    fn prepared(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        objective.check_vector(&self.name, x)?;
        let first = self.vectors.is_empty();
        if first {
            self.vectors = vec![objective.rows(1); self.state_names().len()];
        }
        for vector in &self.vectors {
            objective.check_vector(&self.name, vector)?;
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
        };
        let own = self.rule.state_names().len();
        let taken = self.rule.prepare(&preparing, &mut self.vectors[..own])?;
        let mut found = self.averaged(objective, x, batch, step)?;
        if !found.vectors.is_empty() {
            self.vectors = found.vectors;
        }
        found.evaluation.gradients += taken;
        Ok(found.evaluation)
    }
}

impl Method for Sam {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        let former = self.vectors.clone();
        let found = self.prepared(objective, x, batch, step);
        if found.is_err() {
            self.vectors = former;
        }
        found
    }

    fn state(&self) -> State {
        let names = self.state_names().into_iter().map(str::to_owned);
        let mut state = State::default();
        state.arrays.extend(names.zip(self.vectors.iter().cloned()));
        if self.rule.draws() {
            state.numbers.insert("seed".into(), self.seed);
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let found: Vec<Array> =
            self.state_names().iter().filter_map(|name| state.arrays.get(*name).cloned()).collect();
        let expected = self.state_names().len();
        if !found.is_empty() && found.len() < expected {
            let problem = format!("there are {} of {expected} state vectors", found.len());
            return Err(Error::State { of: self.name.clone(), problem });
        }
        if self.rule.draws() {
            self.seed = state.number(&self.name, "seed")?;
        }
        self.vectors = found;
        Ok(())
    }
}
