//! What a model is evaluated with: parameters, and buffers where it has some.

use super::Result;
use crate::autodiff::Array;
use crate::nn::Model;
use crate::optim::Training;
use std::path::Path;

/// Values of a model's parameters and buffers: a [`Training`], [`Weights`], or for a model without
/// buffers the flat parameter vector alone.
pub trait ModelState {
    /// The flat parameter vector.
    fn parameters(&self) -> &Array;

    /// Names and values of buffers, such as running statistics; there may be more than the model's.
    fn buffers(&self) -> Vec<(String, Array)>;
}

impl ModelState for Array {
    fn parameters(&self) -> &Array {
        self
    }

    fn buffers(&self) -> Vec<(String, Array)> {
        Vec::new()
    }
}

impl ModelState for Training {
    fn parameters(&self) -> &Array {
        Training::parameters(self)
    }

    fn buffers(&self) -> Vec<(String, Array)> {
        self.objective().buffers()
    }
}

/// Parameters and buffers of a model, and when a run had them.
#[derive(Clone, Debug)]
pub struct Weights {
    pub(super) model: Model,
    pub(super) parameters: Array,
    pub(super) buffers: Vec<Array>,
    pub(super) epoch: u64,
    pub(super) step: u64,
}

impl Weights {
    /// The flat parameter vector.
    #[must_use]
    pub fn parameters(&self) -> &Array {
        &self.parameters
    }

    /// The number of epochs done by then; 0 where they were loaded.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of steps taken by then; 0 where they were loaded.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Saves parameters and buffers under their names, in a safetensors file that
    /// [`Weights::load`] reads, and [`Model::load`] where there are no buffers.
    ///
    /// # Errors
    /// What [`Model::save_with_buffers`] reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let parameters = self.parameters.download()?;
        let buffers = self.buffers.iter().map(Array::download).collect::<Result<Vec<_>, _>>()?;
        Ok(self.model.save_with_buffers(&parameters, &buffers, path)?)
    }

    /// Reads what [`save`](Weights::save) wrote.
    ///
    /// # Errors
    /// What [`Model::load_with_buffers`] reports.
    pub fn load(model: &Model, path: impl AsRef<Path>) -> Result<Weights> {
        let (parameters, buffers) = model.load_with_buffers(path)?;
        Ok(Weights { model: model.clone(), parameters, buffers, epoch: 0, step: 0 })
    }
}

impl ModelState for Weights {
    fn parameters(&self) -> &Array {
        &self.parameters
    }

    fn buffers(&self) -> Vec<(String, Array)> {
        let names = self.model.buffers(self.parameters.dtype()).into_iter();
        names.zip(&self.buffers).map(|((name, _), value)| (name, value.clone())).collect()
    }
}
