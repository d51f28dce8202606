//! Gradient estimators: the plain gradient, those of the SAM family, and those of penalties.

pub mod penalty;
pub mod sam;

use crate::error::Result;
use crate::objective::Objective;
use crate::registry::Member;
use crate::state::State;
use burlap_autodiff::Array;

/// The result of a gradient estimator at a point.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// L(x) of the batch.
    pub loss: f64,
    /// The gradient that the optimizer gets.
    pub gradient: Array,
    /// A vector whose product with the learning rate is subtracted from the parameters besides,
    /// past the optimizer's momenta, as decoupled weight decay is.
    pub decoupled: Option<Array>,
    /// The new values of the objective's [buffers](Objective::buffers), from the pass at x itself.
    pub buffers: Vec<Array>,
    /// The sharpness estimate, where the method makes one.
    pub sharpness: Option<f64>,
    /// The number of gradients (or curvature gradients) that it took.
    pub gradients: usize,
}

impl Evaluation {
    /// A loss and a gradient that took one pass, and nothing else.
    pub fn new(loss: f64, gradient: Array) -> Evaluation {
        let buffers = Vec::new();
        Evaluation { loss, gradient, decoupled: None, buffers, sharpness: None, gradients: 1 }
    }
}

/// A gradient estimator: the plain gradient, SAM's, or that of a penalised sharpness. An optimizer
/// makes a step of it.
pub trait Method: Send {
    /// The name.
    fn name(&self) -> &str;

    /// The name with the settings, by which a run that goes on from a file knows that they are the
    /// same; the name alone by default.
    fn description(&self) -> String {
        self.name().to_owned()
    }

    /// The gradient at x on a batch. `step` names the random draws, so that a step can be
    /// repeated to the bit.
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`](crate::Error::NonFiniteLoss), or what the engine reports.
    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation>;

    /// The state that a run needs to continue.
    fn state(&self) -> State {
        State::default()
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) when it does not fit.
    fn restore(&mut self, state: &State) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

impl<M: Method + ?Sized> Method for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn description(&self) -> String {
        (**self).description()
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        step: u64,
    ) -> Result<Evaluation> {
        (**self).evaluate(objective, x, batch, step)
    }

    fn state(&self) -> State {
        (**self).state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        (**self).restore(state)
    }
}

pub(crate) const PLAIN: Member = Member::plain("plain", "sgd", "g = ∇L(x)");

/// The plain gradient.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Method for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        _: u64,
    ) -> Result<Evaluation> {
        let (loss, gradient, buffers) = objective.value_grad_buffers(x, batch)?;
        Ok(Evaluation { buffers, ..Evaluation::new(loss, gradient) })
    }
}
