//! An update rule compiled for a backend, with its state.

use crate::error::{Error, Result, not_negative, positive};
use crate::state::State;
use burlap_autodiff::{Array, Backend, DType, Program, Tape, Var};

/// What an update rule sees: all vectors have the shape of the parameters.
#[derive(Debug)]
pub struct Update<'a> {
    /// The parameters.
    pub parameters: Var,
    /// The gradient, clipped already.
    pub gradient: Var,
    /// The learning rate, a scalar.
    pub rate: Var,
    /// The number of this step, a scalar that begins with 1.
    pub step: Var,
    /// The state vectors, zero at first.
    pub state: &'a [Var],
}

impl Update<'_> {
    /// The gradient plus a factor of the parameters.
    pub(super) fn decayed_gradient(&self, decay: f64) -> Var {
        if decay == 0.0 { self.gradient } else { self.gradient + decay * self.parameters }
    }
}

/// How parameters follow from gradients, as a formula: one definition for every type and
/// backend.
pub trait UpdateRule {
    /// The name.
    fn name(&self) -> &'static str;

    /// The names of the state vectors.
    fn state_names(&self) -> &[&'static str];

    /// The new parameters and the new state vectors, in the order of their names.
    fn record(&self, update: &Update<'_>) -> (Var, Vec<Var>);

    /// Checks the rule's settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for one outside its range.
    fn check(&self) -> Result<()>;
}

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
    state: Vec<Array>,
    /// Written by the program, then exchanged with parameters and state.
    spare: Vec<Array>,
    step: u64,
    clip: Option<f64>,
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
        Optimizer::boxed(Box::new(rule), backend, dtype, dim)
    }

    /// As [`Optimizer::new`], for a rule chosen while running.
    ///
    /// # Errors
    /// As [`Optimizer::new`].
    pub fn boxed(
        rule: Box<dyn UpdateRule>,
        backend: &dyn Backend,
        dtype: DType,
        dim: usize,
    ) -> Result<Optimizer> {
        rule.check()?;
        let program = compile(&*rule, backend, dtype, dim, None, false)?;
        let slots = rule.state_names().len();
        let zeros = Array::zeros(dtype, [dim]);
        let backend = backend.boxed();
        let (state, mut spare) = (vec![zeros.clone(); slots], vec![zeros; slots + 1]);
        spare.push(Array::zeros(dtype, ()));
        Ok(Optimizer {
            rule,
            backend,
            program,
            decoupling: None,
            dtype,
            dim,
            state,
            spare,
            step: 0,
            clip: None,
        })
    }

    /// Scales gradients whose Euclidean norm exceeds `norm` down to it.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the norm is positive and finite.
    pub fn with_clipping(mut self, norm: f64) -> Result<Optimizer> {
        positive(self.rule.name(), "clipping norm", norm)?;
        self.clip = Some(norm);
        self.program = self.compile(false)?;
        self.decoupling = None;
        Ok(self)
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.rule.name()
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
            self.decoupling = Some(self.compile(true)?);
        }
        let program = match (&self.decoupling, decoupled) {
            (Some(program), Some(_)) => program,
            _ => &self.program,
        };
        program.run_into(&inputs, &mut self.spare)?;
        // Zero times each element: NaN where one is not finite.
        if self.spare.last().is_some_and(|check| check.get(&[]) != Some(0.0)) {
            let of = self.rule.name().into();
            return Err(Error::NonFiniteGradient { of, input: None, cause: None });
        }
        let mut spare = self.spare.iter_mut();
        let targets = std::iter::once(parameters).chain(&mut self.state);
        targets.zip(&mut spare).for_each(|(target, spare)| std::mem::swap(target, spare));
        self.step += 1;
        Ok(())
    }

    fn compile(&self, decoupled: bool) -> Result<Program> {
        compile(&*self.rule, &*self.backend, self.dtype, self.dim, self.clip, decoupled)
    }

    /// The rule's name is part of the counter's, so that no rule goes on from another's state.
    fn counter(&self) -> String {
        format!("steps of {}", self.rule.name())
    }

    /// Momenta and the number of steps.
    pub fn state(&self) -> State {
        let names = self.rule.state_names().iter().map(|n| (*n).to_owned());
        State {
            arrays: names.zip(self.state.iter().cloned()).collect(),
            numbers: [(self.counter(), self.step)].into(),
        }
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
    dtype: DType,
    dim: usize,
    clip: Option<f64>,
    decoupled: bool,
) -> Result<Program> {
    let tape = Tape::new();
    let parameters = tape.input("parameters", dtype, [dim]);
    let mut gradient = tape.input("gradient", dtype, [dim]);
    let mut check = (gradient * 0.0).sum();
    let rate = tape.input("rate", dtype, ());
    let step = tape.input("step", dtype, ());
    let state: Vec<Var> =
        rule.state_names().iter().map(|name| tape.input(name, dtype, [dim])).collect();
    if let Some(limit) = clip {
        let norm = gradient.norm();
        gradient *= norm.gt(limit).select(limit / norm, norm.constant_like(1.0));
    }
    let (mut new, mut outputs) =
        rule.record(&Update { parameters, gradient, rate, step, state: &state });
    if decoupled {
        let term = tape.input("decoupled", dtype, [dim]);
        new -= rate * term;
        check += (term * 0.0).sum();
    }
    outputs.insert(0, new);
    outputs.push(check);
    Ok(tape.compile(backend, &outputs)?)
}
