//! What goes along one axis.

use super::{Access, Accesses, Kind, View};
use crate::{DType, Shape};
use smallvec::smallvec;

/// What is computed of the elements `x[o, .., i]` along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pass {
    /// `out[o, i]`: the index of the first largest.
    ArgMax,
    /// `out[o, j, i]`: the sum of those up to the j-th, or from it on.
    CumSum {
        /// Whether from the last one to the first.
        reverse: bool,
    },
}

/// A pass along the axis of `x[outer, size, inner]`; all views are contiguous.
#[derive(Clone, Debug)]
pub struct Along {
    /// What is computed.
    pub pass: Pass,
    /// The values read.
    pub x: View,
    /// The result.
    pub out: View,
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// Size of the axis.
    pub size: usize,
    /// Product of the sizes after the axis.
    pub inner: usize,
    /// The element type of the values.
    pub dtype: DType,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Pass::ArgMax => "argmax",
            Pass::CumSum { .. } => "cumsum",
        }
    }
}

impl Along {
    /// A pass along an axis of contiguous values of a shape and a type.
    pub(crate) fn new(
        pass: Pass,
        axis: u8,
        shape: &Shape,
        dtype: DType,
        x: View,
        out: View,
    ) -> Along {
        let axis = axis as usize;
        let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        Along { pass, x, out, outer, size: shape[axis], inner, dtype }
    }

    /// The size of the axis in the result.
    pub(crate) fn size_out(&self) -> usize {
        match self.pass {
            Pass::ArgMax => 1,
            Pass::CumSum { .. } => self.size,
        }
    }
}

impl Kind for Along {
    fn rows(&self) -> Option<usize> {
        Some(self.outer)
    }

    fn accesses(&self) -> Accesses {
        smallvec![
            Access::block(&self.x, false, self.outer, self.size * self.inner),
            Access::block(&self.out, true, self.outer, self.size_out() * self.inner),
        ]
    }

    fn flops(&self) -> usize {
        self.outer * self.size * self.inner
    }

    fn describe(&self) -> String {
        format!("{} {} × {} × {}", self.pass.name(), self.outer, self.size, self.inner)
    }
}
