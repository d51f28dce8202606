//! Programs that evaluate a model: one a shape of batches, and not more than a few.

use super::Result;
use crate::autodiff::{Array, DType, Program, Shape};
use std::any::TypeId;
use std::sync::{Arc, Mutex, PoisonError};

/// Programs kept, those used last.
const MOST: usize = 16;

/// What is computed besides the model's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Outputs,
    /// The buffers after a pass in training.
    Buffers,
    /// The task's own loss.
    Loss,
    /// A metric of this library with its settings.
    Metric(String),
    /// A formula that captures nothing, so that its type tells which it is.
    Formula(TypeId),
    /// A formula that captures values, by its number.
    Numbered(u64),
}

/// A program, and how many of its outputs each key has.
pub(super) struct Compiled {
    pub(super) program: Program,
    pub(super) counts: Vec<usize>,
}

type Signature = Vec<(DType, Shape)>;

type Entry = (Vec<Key>, Signature, Arc<Compiled>);

/// Programs by what they compute and the shapes of their batch.
#[derive(Default)]
pub(super) struct Programs(Mutex<Vec<Entry>>);

impl Programs {
    /// The program of these keys for a batch, compiled where it is not there yet.
    pub(super) fn get(
        &self,
        keys: &[Key],
        batch: &[Array],
        compile: impl FnOnce() -> Result<Compiled>,
    ) -> Result<Arc<Compiled>> {
        let signature: Signature = batch.iter().map(|a| (a.dtype(), a.shape().clone())).collect();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(i) = entries.iter().position(|(k, s, _)| k == keys && *s == signature) {
            let entry = entries.remove(i);
            let program = Arc::clone(&entry.2);
            entries.push(entry);
            return Ok(program);
        }
        let program = Arc::new(compile()?);
        if entries.len() == MOST {
            entries.remove(0);
        }
        entries.push((keys.to_vec(), signature, Arc::clone(&program)));
        Ok(program)
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
