//! A run: objective, method, optimizer and schedule, step by step.

use crate::error::{Error, Result};
use crate::gradient::{Evaluation, Method};
use crate::objective::Objective;
use crate::state::State;
use crate::update::{IntoOptimizer, IntoSchedule, Optimizer, Schedule};
use burlap_autodiff::Array;

/// Parameters on their way: everything that a step changes, in one place.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Objective, Plain, Sgd, Training};
/// let loss = |x: Var, _: &[Var]| (x - 3.0).square().sum();
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss);
/// let mut training = Training::new(objective, Plain, Sgd::new(), 0.25, Array::vector([0.0]))?;
/// for _ in 0..60 {
///     training.step(&[])?;
/// }
/// assert_eq!(training.parameters().get(&[0]), Some(3.0));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Training {
    objective: Objective,
    method: Box<dyn Method>,
    optimizer: Optimizer,
    schedule: Schedule,
    parameters: Array,
}

impl std::fmt::Debug for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {:?}", self.method.name(), self.optimizer)
    }
}

impl Training {
    /// A run from the given parameters. The optimizer is an [update rule](crate::UpdateRule) or an
    /// [`Optimizer`]; the learning rate a number, a [`Schedule`], or a closure from the step to it.
    ///
    /// # Errors
    /// [`Error::Vector`] when the parameters or the optimizer's vectors are not the objective's, and
    /// what [`Optimizer::of`] reports.
    pub fn new(
        objective: Objective,
        method: impl Method + 'static,
        optimizer: impl IntoOptimizer,
        schedule: impl IntoSchedule,
        parameters: Array,
    ) -> Result<Training> {
        let (optimizer, schedule) =
            (optimizer.into_optimizer(&objective)?, schedule.into_schedule()?);
        objective.check_vector("training", "parameters", &parameters)?;
        let (dtype, dim) = (optimizer.dtype(), optimizer.dim());
        if (dtype, dim) != (objective.dtype(), objective.dim()) {
            return Err(Error::Vector {
                of: "training, optimizer".into(),
                expected: format!("one of {}[{}]", objective.dtype(), objective.dim()),
                found: format!("{} of {dtype}[{dim}]", optimizer.name()),
            });
        }
        objective.move_buffers()?;
        let parameters = objective.resident(&parameters)?;
        Ok(Training { objective, method: Box::new(method), optimizer, schedule, parameters })
    }

    /// One step on a batch. On an error nothing has changed.
    ///
    /// On a backend with a device, parameters, state and gradients stay there: the batch goes in once,
    /// and scalars come out, such as the loss. What a method's decisions need besides, its own
    /// documentation says.
    ///
    /// # Errors
    /// What the method and the optimizer report.
    pub fn step(&mut self, batch: &[Array]) -> Result<Evaluation> {
        let step = self.optimizer.steps();
        let former = self.method.state();
        let batch = &self.objective.resident_batch(batch)?;
        let found = self.method.evaluate(&self.objective, &self.parameters, batch, step);
        let stepped = found.and_then(|found| {
            let rate = self.schedule.rate(step);
            // Before anything changes.
            self.objective.check_buffers(&found.buffers)?;
            let (x, extra) = (&mut self.parameters, found.decoupled.as_ref());
            match self.optimizer.step_decoupled(x, &found.gradient, extra, rate) {
                Err(Error::NonFiniteGradient { .. }) => {
                    let of = self.method.name();
                    Err(self.objective.non_finite_gradient(of, &self.parameters, batch))
                }
                Ok(()) => self.objective.set_buffers(&found.buffers).map(|()| found),
                other => other.map(|()| found),
            }
        });
        if stepped.is_err() {
            // Its own state fits itself.
            self.method.restore(&former)?;
        }
        stepped
    }

    /// The parameters.
    pub fn parameters(&self) -> &Array {
        &self.parameters
    }

    /// Sets the parameters: to averages, merged or loaded ones. Momenta and steps stay.
    ///
    /// # Errors
    /// [`Error::Vector`] for another length or type.
    pub fn set_parameters(&mut self, parameters: Array) -> Result<()> {
        self.objective.check_vector("training", "parameters", &parameters)?;
        self.parameters = parameters;
        Ok(())
    }

    /// The learning rate of the next step.
    pub fn rate(&self) -> f64 {
        self.schedule.rate(self.steps())
    }

    /// The schedule of the learning rate.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Sets the schedule of the learning rate; steps are counted as before.
    pub fn set_schedule(&mut self, schedule: Schedule) {
        self.schedule = schedule;
    }

    /// The optimizer, which knows the last [gradient's norm](Optimizer::gradient_norm).
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The objective.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The method's name.
    pub fn method(&self) -> &str {
        self.method.name()
    }

    /// The method with its settings.
    pub fn description(&self) -> String {
        self.method.description()
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Part of the state, so that no method goes on from another's.
    fn marker(&self) -> String {
        format!("steps with {}", self.method.name())
    }

    /// Parameters, momenta, step, seeds, and the objective's buffers.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.arrays.insert("parameters".into(), self.parameters.clone());
        state.absorb("optimizer", self.optimizer.state());
        state.absorb("method", self.method.state());
        state.absorb("buffers", self.objective.buffer_state());
        state.numbers.insert(self.marker(), self.steps());
        state
    }

    /// Goes on from a saved state, to the bit.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) when it does not fit.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        let state = &state.with_present_names();
        let parameters = state.array("training", "parameters", &self.parameters)?;
        // Arrays of another device do not fit either.
        let parameters = self.objective.resident(&parameters)?;
        state.number("training", &self.marker())?;
        let buffers = self.objective.buffers_of(&state.part("buffers"))?;
        let former = self.optimizer.state();
        self.optimizer.restore(&state.part("optimizer"))?;
        if let Err(error) = self.method.restore(&state.part("method")) {
            // Its own state fits itself.
            self.optimizer.restore(&former)?;
            return Err(error);
        }
        self.parameters = parameters;
        self.objective.set_buffers(&buffers)?;
        self.objective.move_buffers()
    }
}
