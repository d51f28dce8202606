//! What a model carries along that is no parameter: running statistics of a normalisation.

use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::batch::said;
use crate::objective::loss::{Loss, may_be_ratio};
use crate::objective::programs::Key;
use crate::state::State;
use burlap_autodiff::{Array, Backend, DType, Var};
use std::cell::RefCell;
use std::rc::Rc;

/// Named arrays with their present values.
#[derive(Default)]
pub(crate) struct Buffers {
    names: Vec<String>,
    values: RefCell<Rc<[Array]>>,
}

impl Buffers {
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) fn values(&self) -> Rc<[Array]> {
        Rc::clone(&self.values.borrow())
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
    /// SAM, its values are taken.) In [pieces](Objective::with_pieces) and micro-batches each part
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
        loss: impl Fn(Var, &[Var], &[Var]) -> (L, Vec<Var>) + 'static,
    ) -> Objective {
        let (names, values): (Vec<String>, Vec<Array>) = buffers.into_iter().unzip();
        let buffers = Buffers { names, values: RefCell::new(values.into()) };
        let formula = move |x: Var, batch: &[Var], buffers: &[Var]| {
            let (loss, new) = loss(x, batch, buffers);
            (loss.into(), new)
        };
        let mut objective =
            Objective::build(Box::new(backend), dtype, dim, buffers, Box::new(formula));
        objective.may_be_ratio = may_be_ratio::<L>();
        objective
    }

    /// The buffers' names and present values.
    pub fn buffers(&self) -> Vec<(String, Array)> {
        let values = self.buffers.values();
        self.buffers.names.iter().cloned().zip(values.iter().cloned()).collect()
    }

    /// Sets all buffers; none at all leaves them as they are.
    ///
    /// # Errors
    /// [`Error::Vector`] for another number of arrays, or one of another shape or type; then
    /// nothing has changed.
    pub fn set_buffers(&self, new: &[Array]) -> Result<()> {
        self.check_buffers(new)?;
        if !new.is_empty() {
            *self.buffers.values.borrow_mut() = new.into();
        }
        Ok(())
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
        if new.is_empty() {
            return Ok(());
        }
        let said = |all: &[Array]| -> Vec<String> { all.iter().map(said).collect() };
        let (expected, found) = (said(&self.buffers.values()), said(new));
        if expected != found {
            let [expected, found] = [expected, found].map(|all| format!("[{}]", all.join(", ")));
            return Err(Error::Vector { of: "buffers".into(), expected, found });
        }
        Ok(())
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
