//! Gather and scatter.

use super::{Access, Accesses, Kind, View};
use crate::DType;
use smallvec::smallvec;

/// Values and indices along one axis of a larger side, `[outer, size, inner]`; all views are
/// contiguous.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The values read.
    pub x: View,
    /// The indices.
    pub indices: View,
    /// The result.
    pub out: View,
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// Size of the axis that is indexed.
    pub size: usize,
    /// Number of positions along the axis in the indices.
    pub positions: usize,
    /// Product of the sizes after the axis.
    pub inner: usize,
    /// Whether there is an index for every element.
    pub along: bool,
    /// The loss whose labels the indices are.
    pub labels: Option<&'static str>,
    /// The element type of the values.
    pub dtype: DType,
}

/// `out[o, j, i] = x[o, indices[j], i]`; `along`: indices are `[o, j, i]` themselves.
#[derive(Clone, Debug)]
pub struct Gather(pub Indexed);

/// `out[o, indices[j], i] += x[o, j, i]`, on zeros; `along` as of [`Gather`].
#[derive(Clone, Debug)]
pub struct Scatter(pub Indexed);

impl Indexed {
    /// The accesses, where the axis has the sizes `from` in what is read and `to` in what is written.
    fn accesses(&self, from: usize, to: usize) -> Accesses {
        let indices = match self.along {
            true => Access::block(&self.indices, false, self.outer, self.positions * self.inner),
            false => Access::block(&self.indices, false, 1, self.positions).in_every_row(),
        };
        smallvec![
            Access::block(&self.x, false, self.outer, from * self.inner),
            Access::block(&self.out, true, self.outer, to * self.inner),
            indices,
        ]
    }

    fn describe(&self, name: &str) -> String {
        format!("{name} {} × {} × {}", self.outer, self.positions, self.inner)
    }
}

impl Kind for Gather {
    fn rows(&self) -> Option<usize> {
        Some(self.0.outer)
    }

    fn accesses(&self) -> Accesses {
        self.0.accesses(self.0.size, self.0.positions)
    }

    fn flops(&self) -> usize {
        0
    }

    fn describe(&self) -> String {
        self.0.describe("gather")
    }
}

impl Kind for Scatter {
    fn rows(&self) -> Option<usize> {
        Some(self.0.outer)
    }

    fn accesses(&self) -> Accesses {
        self.0.accesses(self.0.positions, self.0.size)
    }

    fn flops(&self) -> usize {
        self.0.outer * self.0.positions * self.0.inner
    }

    fn describe(&self) -> String {
        self.0.describe("scatter")
    }
}
