//! Batches of matrix products.

use super::{Access, Accesses, Kind, View};
use crate::{DType, Shape};
use smallvec::{SmallVec, smallvec};

/// A batch of matrix products: out[b, m, n] = Σₖ left[b, m, k] right[b, k, n], or added to
/// what is there.
#[derive(Clone, Debug)]
pub struct Product {
    /// Sizes of the batch axes.
    pub batch: Shape,
    /// Rows.
    pub m: usize,
    /// Columns.
    pub n: usize,
    /// Summed size.
    pub k: usize,
    /// Left operand: strides along the batch axes, then m, then k.
    pub left: View,
    /// Right operand: strides along the batch axes, then k, then n.
    pub right: View,
    /// Result: strides along the batch axes, then m, then n.
    pub out: View,
    /// Whether the products are added to what is there.
    pub add: bool,
    /// The element type.
    pub dtype: DType,
}

impl Kind for Product {
    fn rows(&self) -> Option<usize> {
        Some(self.batch.first().copied().unwrap_or(self.m))
    }

    fn accesses(&self) -> Accesses {
        let sizes =
            |m, n| -> SmallVec<[usize; 8]> { self.batch.iter().copied().chain([m, n]).collect() };
        let mut right = Access::read(&self.right, &sizes(self.k, self.n), true);
        if self.batch.is_empty() {
            // Every row of the result reads all of it.
            right = right.in_every_row();
        }
        smallvec![
            Access::read(&self.left, &sizes(self.m, self.k), true),
            Access::write(&self.out, &sizes(self.m, self.n), true),
            right,
        ]
    }

    fn flops(&self) -> usize {
        // More than a number holds, where repeated operands are multiplied.
        let sizes = [self.batch.count(), self.m, self.n, self.k];
        sizes.into_iter().fold(2, usize::saturating_mul)
    }

    /// None of products of their own in every row.
    fn flops_to_keep_together(&self) -> usize {
        if self.batch.is_empty() { self.flops() } else { 0 }
    }

    fn describe(&self) -> String {
        let add = if self.add { ", added" } else { "" };
        let batch = match self.batch.count() {
            1 => String::new(),
            _ => format!("{} of ", self.batch),
        };
        format!("product {batch}{} × {} × {}{add}", self.m, self.k, self.n)
    }
}
