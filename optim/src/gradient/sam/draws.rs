//! Draws that the user gives, in place of random ones.

use crate::error::{Error, Result};
use crate::objective::Objective;
use burlap_autodiff::Array;

/// Vectors in the order in which a method draws.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    /// Whose they are.
    of: String,
    vectors: Vec<Array>,
}

impl Draws {
    pub(super) fn new(of: &str, vectors: Vec<Array>) -> Draws {
        Draws { of: format!("draws of {of}"), vectors }
    }

    /// Vector `number`, in the objective's element type.
    pub(super) fn take(&self, objective: &Objective, number: u64) -> Result<Array> {
        let index = usize::try_from(number).ok();
        let Some(vector) = index.and_then(|i| self.vectors.get(i)) else {
            return Err(Error::Vector {
                of: self.of.clone(),
                expected: format!("at least {} vectors", number.saturating_add(1)),
                found: self.vectors.len().to_string(),
            });
        };
        let vector = vector.cast(objective.dtype());
        objective.check_vector(&self.of, "draw", &vector)?;
        Ok(vector)
    }
}
