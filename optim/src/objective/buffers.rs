//! Buffers: state of a model that is no parameter, such as running statistics of a normalisation.

use super::batch::description;
use super::cache::Key;
use super::loss::{Loss, LossFormula};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::state::State;
use burlap_autodiff::{Array, Backend, DType, Var};
use std::cell::RefCell;
use std::sync::Arc;

/// Named arrays with their present values.
#[derive(Default)]
pub(crate) struct Buffers {
    names: Vec<String>,
    values: RefCell<Arc<[Array]>>,
}

impl Buffers {
    pub(super) fn new(buffers: Vec<(String, Array)>) -> Buffers {
        let (names, values): (Vec<String>, Vec<Array>) = buffers.into_iter().unzip();
        Buffers { names, values: RefCell::new(values.into()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) fn values(&self) -> Arc<[Array]> {
        Arc::clone(&self.values.borrow())
    }

    /// Names and values.
    fn named(&self) -> Vec<(String, Array)> {
        self.names.iter().cloned().zip(self.values().iter().cloned()).collect()
    }

    /// Checks types and shapes; no arrays at all fit, too.
    fn check(&self, new: &[Array]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let descriptions = |all: &[Array]| all.iter().map(description).collect::<Vec<String>>();
        let (expected, found) = (descriptions(&self.values()), descriptions(new));
        if expected != found {
            let [expected, found] = [expected, found].map(|all| format!("[{}]", all.join(", ")));
            return Err(Error::Vector { of: "buffers".into(), expected, found });
        }
        Ok(())
    }

    /// Sets all values; no arrays at all leave them as they are.
    fn set(&self, new: &[Array]) -> Result<()> {
        self.check(new)?;
        if !new.is_empty() {
            *self.values.borrow_mut() = new.into();
        }
        Ok(())
    }
}

impl Objective {
    /// An objective whose loss reads and writes buffers besides: named arrays with their first
    /// values. The loss gets their values and returns itself with the new ones, of the same
    /// shapes and types.
    ///
    /// New values are outputs like any other: a [`Training`](crate::Training) takes those of
    /// the pass at the parameters themselves once a step has succeeded, and a perturbed pass
    /// changes nothing. (Where a method has no other pass than a perturbed one, as momentum
    /// SAM, its values are taken.) In [micro-batches](Objective::with_micro_batch_size) each part
    /// of a batch starts from the same values, and the new ones are averaged by the parts' numbers
    /// of examples; whole numbers and truth values must be the same in all parts.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// // The batch's mean is subtracted; a running mean is kept for later.
    /// let loss = |x: Var, batch: &[Var], buffers: &[Var]| {
    ///     let mean = batch[0].mean();
    ///     let loss = (x.at(0) * (batch[0] - mean)).square().mean();
    ///     (loss, vec![0.9 * buffers[0] + 0.1 * mean])
    /// };
    /// let first = vec![("running mean".to_string(), Array::scalar(0.0))];
    /// let objective = Objective::with_buffers(Cpu::new(), DType::F64, 1, first, loss);
    /// let batch = [Array::vector([1.0, 3.0])];
    /// let (_, _, new) = objective.value_grad_buffers(&Array::vector([1.0]), &batch)?;
    /// objective.set_buffers(&new)?;
    /// assert_eq!(objective.buffers()[0].1, Array::scalar(0.2));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    #[track_caller]
    pub fn with_buffers<L: Into<Loss> + 'static>(
        backend: impl Backend + 'static,
        dtype: DType,
        dim: usize,
        buffers: Vec<(String, Array)>,
        loss: impl Fn(Var, &[Var], &[Var]) -> (L, Vec<Var>) + Send + 'static,
    ) -> Objective {
        let loss = LossFormula::with_buffers(loss);
        Objective::build(Box::new(backend), dtype, dim, Buffers::new(buffers), loss)
    }

    /// The buffers' names and present values.
    pub fn buffers(&self) -> Vec<(String, Array)> {
        self.buffers.named()
    }

    /// Sets all buffers; none at all leaves them as they are.
    ///
    /// # Errors
    /// [`Error::Vector`] for another number of arrays, or one of another shape or type; then
    /// nothing has changed.
    pub fn set_buffers(&self, new: &[Array]) -> Result<()> {
        self.buffers.set(new)
    }

    /// Brings the buffers into the backend's memory, where they stay: steps replace them there.
    pub(crate) fn move_buffers(&self) -> Result<()> {
        let moved =
            self.buffers.values().iter().map(|v| self.resident(v)).collect::<Result<_>>()?;
        *self.buffers.values.borrow_mut() = moved;
        Ok(())
    }

    /// The buffers' new values on a batch that counts for nothing in the loss.
    pub(crate) fn new_buffers(&self, x: &Array, batch: &[Array]) -> Result<Vec<Array>> {
        if self.buffers.is_empty() {
            return Ok(Vec::new());
        }
        let program = self.program_of(Key::Buffers, batch, |r| r.loss_and_buffers(r.x).1)?;
        self.run(&program, x, batch, &[])
    }

    pub(crate) fn check_buffers(&self, new: &[Array]) -> Result<()> {
        self.buffers.check(new)
    }

    /// The buffers as part of a run's state.
    pub(crate) fn buffer_state(&self) -> State {
        State { arrays: self.buffers().into_iter().collect(), ..State::default() }
    }

    /// The buffers that a state holds, checked.
    pub(crate) fn buffers_of(&self, state: &State) -> Result<Vec<Array>> {
        let one = |(name, like): (String, Array)| state.array("buffers", &name, &like);
        self.buffers().into_iter().map(one).collect()
    }
}
