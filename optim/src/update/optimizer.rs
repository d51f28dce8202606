//! An update rule compiled for a backend, with its state.

use super::groups::{Group, Grouped, Segment, Selection, segments};
use super::{Update, UpdateRule};
use crate::error::{Error, Result, not_negative, positive};
use crate::objective::Objective;
use crate::parameters::Parameter;
use crate::state::State;
use burlap_autodiff::{Array, Backend, DType, Program, Tape, Var};

/// An update rule with its state vectors, compiled for a number of parameters.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType};
/// use burlap_optim::{Optimizer, Sgd};
/// let mut optimizer = Optimizer::new(Sgd::new().with_momentum(0.9), &Cpu::new(), DType::F64, 2)?;
/// let mut x = Array::vector([1.0, 1.0]);
/// optimizer.step(&mut x, &Array::vector([1.0, 0.0]), 0.5)?;
/// optimizer.step(&mut x, &Array::vector([0.0, 0.0]), 0.5)?;
/// assert_eq!(x.to_string(), "[0.04999999999999999, 1]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Optimizer {
    rule: Box<dyn UpdateRule>,
    backend: Box<dyn Backend>,
    program: Program,
    /// The same with a decoupled term, compiled when first used.
    decoupling: Option<Program>,
    dtype: DType,
    dim: usize,
    layout: Vec<Parameter>,
    state: Vec<Array>,
    /// Written by the program, then exchanged with parameters and state; and its two scalars.
    spare: Vec<Array>,
    step: u64,
    norm: Option<f64>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} after {} steps", self.rule.name(), self.step)
    }
}

impl Optimizer {
    /// Compiles a rule for vectors of `dim` elements.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range; what the engine reports.
    pub fn new(
        rule: impl UpdateRule + 'static,
        backend: &dyn Backend,
        dtype: DType,
        dim: usize,
    ) -> Result<Optimizer> {
        Optimizer::build(Box::new(rule), backend, dtype, dim, Vec::new())
    }

    /// Compiles a rule for the parameters of an objective: its backend, their type and number, and
    /// their [names](Objective::with_layout), by which groups are chosen.
    ///
    /// # Errors
    /// As [`Optimizer::new`]; [`Error::Unknown`] for a group that no parameter belongs to, and
    /// [`Error::Setting`] for one by names where the objective does not know them.
    pub fn of(rule: impl UpdateRule + 'static, objective: &Objective) -> Result<Optimizer> {
        let (backend, layout) = (objective.backend(), objective.layout().to_vec());
        Optimizer::build(Box::new(rule), backend, objective.dtype(), objective.dim(), layout)
    }

    fn build(
        rule: Box<dyn UpdateRule>,
        backend: &dyn Backend,
        dtype: DType,
        dim: usize,
        layout: Vec<Parameter>,
    ) -> Result<Optimizer> {
        rule.check()?;
        let program = compile(&*rule, backend, (dtype, dim), &layout, false)?;
        let state = rule.zeros(dtype, dim);
        let scalars = [Array::zeros(dtype, ()), Array::zeros(dtype, ())];
        let vectors = std::iter::once(Array::zeros(dtype, [dim])).chain(state.iter().cloned());
        let spare = vectors.chain(scalars).collect();
        Ok(Optimizer {
            rule,
            backend: backend.boxed(),
            program,
            decoupling: None,
            dtype,
            dim,
            layout,
            state,
            spare,
            step: 0,
            norm: None,
        })
    }

    /// Scales gradients whose Euclidean norm exceeds `norm` down to it, as
    /// [`clip`](UpdateRule::clip) does.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the norm is positive and finite.
    pub fn with_clipping(mut self, norm: f64) -> Result<Optimizer> {
        positive(self.rule.name(), "clipping norm", norm)?;
        let group = Group::new(Selection::all()).with_clipping(norm);
        self.rule = Box::new(Grouped::new(self.rule, group));
        self.program =
            compile(&*self.rule, &*self.backend, (self.dtype, self.dim), &self.layout, false)?;
        self.decoupling = None;
        Ok(self)
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }

    /// The update rule with its settings.
    pub fn rule(&self) -> &dyn UpdateRule {
        &*self.rule
    }

    /// The Euclidean norm of the last step's gradient before clipping, over the parameters that are
    /// not frozen; `None` before the first step. Squares are summed in the parameters' type, so a
    /// norm beyond the root of its range is infinite.
    pub fn gradient_norm(&self) -> Option<f64> {
        self.norm
    }

    /// The number of parameters.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The parameters' element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// One step: replaces the parameters, by the gradient and the learning rate.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative or infinite rate; [`Error::Vector`] for vectors that
    /// do not fit; [`Error::NonFiniteGradient`]. On an error nothing has changed.
    pub fn step(&mut self, parameters: &mut Array, gradient: &Array, rate: f64) -> Result<()> {
        self.step_decoupled(parameters, gradient, None, rate)
    }

    /// One step that also subtracts the learning rate times `decoupled` from the parameters, as
    /// decoupled weight decay does: it takes no part in momenta or clipping.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step_decoupled(
        &mut self,
        parameters: &mut Array,
        gradient: &Array,
        decoupled: Option<&Array>,
        rate: f64,
    ) -> Result<()> {
        not_negative(self.rule.name(), "learning rate", rate)?;
        for v in [&*parameters, gradient].into_iter().chain(decoupled) {
            if v.dtype() != self.dtype || v.shape()[..] != [self.dim] {
                return Err(Error::Vector {
                    of: self.rule.name().into(),
                    expected: format!("{}[{}]", self.dtype, self.dim),
                    found: format!("{}{}", v.dtype(), v.shape()),
                });
            }
        }
        let rate = Array::full(self.dtype, (), rate);
        let step = Array::full(self.dtype, (), (self.step + 1) as f64);
        let mut inputs = vec![&*parameters, gradient, &rate, &step];
        inputs.extend(&self.state);
        inputs.extend(decoupled);
        if decoupled.is_some() && self.decoupling.is_none() {
            let size = (self.dtype, self.dim);
            let program = compile(&*self.rule, &*self.backend, size, &self.layout, true)?;
            self.decoupling = Some(program);
        }
        let program = match (&self.decoupling, decoupled) {
            (Some(program), Some(_)) => program,
            _ => &self.program,
        };
        program.run_into(&inputs, &mut self.spare)?;
        let scalars: Vec<&Array> = self.spare[self.state.len() + 1..].iter().collect();
        let scalars = self.backend.download(&scalars)?;
        let [check, squares] = [0, 1].map(|i| scalars.get(i).and_then(|s| s.get(&[])));
        // A sum of squares that is finite has no other terms; one that is not may be too large.
        let fits = squares.is_some_and(f64::is_finite) || self.is_finite(gradient)?;
        // Zero times each element: NaN where one is not finite.
        if !fits || check != Some(0.0) {
            let of = self.rule.name().into();
            return Err(Error::NonFiniteGradient { of, input: None, cause: None });
        }
        let mut spare = self.spare.iter_mut();
        let targets = std::iter::once(parameters).chain(&mut self.state);
        targets.zip(&mut spare).for_each(|(target, spare)| std::mem::swap(target, spare));
        self.norm = squares.map(f64::sqrt);
        self.step += 1;
        Ok(())
    }

    /// Whether all elements of the gradient with respect to parameters that are not frozen are finite.
    fn is_finite(&self, gradient: &Array) -> Result<bool> {
        let tape = Tape::new();
        let g = tape.input("gradient", self.dtype, [self.dim]);
        let segments = segments(&*self.rule, &self.layout, self.dim)?;
        let active = segments.iter().filter(|segment| !segment.frozen);
        let zero = active.map(|segment| (segment.of(g) * 0.0).sum()).reduce(|a, b| a + b);
        let Some(zero) = zero else {
            return Ok(true);
        };
        Ok(tape.compile(&*self.backend, &[zero])?.run(&[gradient])?[0].item()? == 0.0)
    }

    /// The rule's name is part of the counter's, so that no rule goes on from another's state.
    fn counter(&self) -> String {
        format!("steps of {}", self.rule.name())
    }

    /// Momenta and the number of steps.
    pub fn state(&self) -> State {
        let mut state = self.rule.save(&self.state);
        state.numbers.insert(self.counter(), self.step);
        state
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Error::State`] when it does not fit; then nothing has changed.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        let names = self.rule.state_names();
        let arrays = names
            .iter()
            .zip(&self.state)
            .map(|(name, like)| state.array(self.rule.name(), name, like));
        let arrays = arrays.collect::<Result<Vec<Array>>>()?;
        if let Some(name) = state.arrays.keys().find(|name| !names.contains(&name.as_str())) {
            let problem = format!("there is no place for {name:?}");
            return Err(Error::State { of: self.rule.name().into(), problem });
        }
        self.step = state.number(self.rule.name(), &self.counter())?;
        self.state = arrays;
        Ok(())
    }
}

fn compile(
    rule: &dyn UpdateRule,
    backend: &dyn Backend,
    (dtype, dim): (DType, usize),
    layout: &[Parameter],
    decoupled: bool,
) -> Result<Program> {
    let segments = segments(rule, layout, dim)?;
    let tape = Tape::new();
    let vector = |name: &str| tape.input(name, dtype, [dim]);
    let (parameters, gradient) = (vector("parameters"), vector("gradient"));
    let scalar = |name: &str| tape.input(name, dtype, ());
    let (rate, step) = (scalar("rate"), scalar("step"));
    let state: Vec<Var> = rule.state_names().iter().map(|name| vector(name)).collect();
    let decoupled = decoupled.then(|| vector("decoupled"));

    let factors = clipping(&tape, &segments, gradient);
    let (mut checks, mut squares) = (Vec::new(), Vec::new());
    // Of each output, its parts.
    let mut parts = vec![Vec::with_capacity(segments.len()); state.len() + 1];
    for (segment, factor) in segments.iter().zip(factors) {
        let before = segment.of(parameters);
        let states: Vec<Var> = state.iter().map(|&v| segment.of(v)).collect();
        let (mut after, new) = if segment.frozen {
            (before, states)
        } else {
            let mut g = segment.of(gradient);
            squares.push((g * g).sum());
            if let Some(factor) = factor {
                g *= factor;
            }
            let rate = scaled(rate, segment.rate_factor);
            let update = Update::new(before, g, rate, step, &states);
            rule.record(&update.with_group(&segment.layout, segment.weight_decay))
        };
        if let Some(term) = decoupled.map(|term| segment.of(term)).filter(|_| !segment.frozen) {
            after -= scaled(rate, segment.rate_factor) * term;
            checks.push((term * 0.0).sum());
        }
        let all = std::iter::once(after).chain(new);
        parts.iter_mut().zip(all).for_each(|(parts, part)| parts.push(part));
    }
    let joined = |parts: Vec<Var>| match parts[..] {
        [whole] => whole,
        _ => tape.concat(&parts, 0),
    };
    let sum = |terms: Vec<Var>| terms.into_iter().reduce(|a, b| a + b).unwrap_or(rate * 0.0);
    let mut outputs: Vec<Var> = parts.into_iter().map(joined).collect();
    outputs.extend([sum(checks), sum(squares)]);
    Ok(tape.compile(backend, &outputs)?)
}

fn scaled(rate: Var, factor: f64) -> Var {
    if factor == 1.0 { rate } else { rate * factor }
}

/// What the gradient of each segment is multiplied by where its group clips: min(1, limit/‖g‖), with
/// the norm over all segments that this group clips.
fn clipping(tape: &Tape, segments: &[Segment], gradient: Var) -> Vec<Option<Var>> {
    let mut factors: Vec<(usize, Var)> = Vec::new();
    let active = |s: &Segment| s.clipping.filter(|_| !s.frozen);
    let mut factor = |segment: &Segment| {
        let (number, limit) = active(segment)?;
        if let Some((_, known)) = factors.iter().find(|(other, _)| *other == number) {
            return Some(*known);
        }
        let clipped = segments.iter().filter(|s| active(s) == Some((number, limit)));
        let norms: Vec<Var> = clipped.map(|s| s.of(gradient).norm()).collect();
        let norm = match norms[..] {
            [norm] => norm,
            _ => tape.stack(&norms, 0).norm(),
        };
        let factor = norm.gt(limit).select(limit / norm, norm.constant_like(1.0));
        factors.push((number, factor));
        Some(factor)
    };
    segments.iter().map(&mut factor).collect()
}

/// What a [`Training`](crate::Training) takes as its optimizer: an update rule, which is compiled
/// for the objective, or an [`Optimizer`].
pub trait IntoOptimizer {
    /// The optimizer for an objective's parameters.
    ///
    /// # Errors
    /// As [`Optimizer::of`].
    fn into_optimizer(self, objective: &Objective) -> Result<Optimizer>;
}

impl<R: UpdateRule + 'static> IntoOptimizer for R {
    fn into_optimizer(self, objective: &Objective) -> Result<Optimizer> {
        Optimizer::of(self, objective)
    }
}

impl IntoOptimizer for Optimizer {
    fn into_optimizer(self, _: &Objective) -> Result<Optimizer> {
        Ok(self)
    }
}
