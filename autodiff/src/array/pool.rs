//! Storage that comes back: the outputs of a run that nobody holds any more are those of the next.

use crate::array::Data;
use crate::error::{Error, Result};
use crate::{Array, DType, Shape};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Elements from which on storage is worth keeping: fewer cost no new pages.
const LEAST: usize = 4096;

/// Room for the storage of each output of a program.
#[derive(Debug)]
pub(crate) struct Returned(Mutex<Vec<Option<Data>>>);

/// Where an array's storage goes when the last of its holders drops it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    to: Weak<Returned>,
    place: usize,
}

impl Returned {
    pub(crate) fn new(outputs: usize) -> Arc<Returned> {
        Arc::new(Returned(Mutex::new(vec![None; outputs])))
    }

    /// An array for an output, of any contents.
    ///
    /// # Errors
    /// [`Error::Memory`] where the system does not grant it.
    pub(crate) fn array(
        self: &Arc<Returned>,
        place: usize,
        dtype: DType,
        shape: Shape,
    ) -> Result<Array> {
        if shape.count() < LEAST {
            return Ok(Array::zeros(dtype, shape));
        }
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let data = places.get_mut(place).and_then(Option::take);
        drop(places);
        let home = Home { to: Arc::downgrade(self), place };
        let array = match data {
            Some(data) => Array::of_data(shape, data),
            None => Array::allocate(dtype, shape).map_err(|error| match error {
                Error::Memory { what, bytes, .. } => {
                    Error::Memory { op: "run", what: format!("output {place}, {what}"), bytes }
                }
                error => error,
            })?,
        };
        Ok(array.at_home(home))
    }
}

impl Home {
    /// Takes storage that has no other holder back.
    pub(crate) fn take(&self, data: &Data) {
        if let (true, Some(returned)) = (data.is_held_once(), self.to.upgrade()) {
            let mut places = returned.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = places.get_mut(self.place) {
                // The array that is being dropped gives its own hold up after this.
                *place = Some(data.clone());
            }
        }
    }
}
