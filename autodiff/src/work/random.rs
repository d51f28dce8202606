//! Random elements from a key.

use super::{Access, Accesses, Kind, View};
use crate::DType;
use crate::graph::Distribution;
use smallvec::smallvec;

/// Random elements, each a function of the key and its position alone.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The key, two words.
    pub key: View,
    /// The contiguous result.
    pub out: View,
    /// From what is drawn.
    pub distribution: Distribution,
    /// Which stream of the key.
    pub stream: u32,
    /// How many.
    pub count: usize,
    /// The element type.
    pub dtype: DType,
}

impl Kind for Draw {
    fn rows(&self) -> Option<usize> {
        None
    }

    fn accesses(&self) -> Accesses {
        smallvec![
            Access::block(&self.out, true, 1, self.count).whole(),
            Access::block(&self.key, false, 1, 2).whole(),
        ]
    }

    fn flops(&self) -> usize {
        self.count
    }

    fn describe(&self) -> String {
        format!("random {}", self.count)
    }
}
