//! Which axes a contraction pairs.

use crate::Shape;
use crate::shape::Axes;

/// Which axes of the operands are paired. The result has the batch axes, then the other
/// axes of the left operand, then those of the right one, each in their own order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Contraction {
    /// Axes of the left operand that are kept and paired with `right_batch`.
    pub left_batch: smallvec::SmallVec<[u8; 8]>,
    /// Axes of the right operand that are kept and paired with `left_batch`.
    pub right_batch: smallvec::SmallVec<[u8; 8]>,
    /// Axes of the left operand that are summed over.
    pub left_sum: smallvec::SmallVec<[u8; 8]>,
    /// Axes of the right operand that are summed over.
    pub right_sum: smallvec::SmallVec<[u8; 8]>,
}

fn free(rank: usize, batch: &[u8], sum: &[u8]) -> Axes {
    (0..rank as u8).filter(|a| !batch.contains(a) && !sum.contains(a)).collect()
}

impl Contraction {
    /// From pairs of axes, each of the left and the right operand: kept ones and summed ones.
    ///
    /// ```
    /// use burlap_autodiff::Contraction;
    /// // A batch of matrix products: [b, i, k] × [b, k, j].
    /// let c = Contraction::pairing(&[(0, 0)], &[(2, 1)]);
    /// assert_eq!((c.left_sum[0], c.right_sum[0]), (2, 1));
    /// ```
    pub fn pairing(batch: &[(u8, u8)], sum: &[(u8, u8)]) -> Contraction {
        Contraction {
            left_batch: batch.iter().map(|p| p.0).collect(),
            right_batch: batch.iter().map(|p| p.1).collect(),
            left_sum: sum.iter().map(|p| p.0).collect(),
            right_sum: sum.iter().map(|p| p.1).collect(),
        }
    }

    /// The left operand's axes that are neither batch nor summed.
    pub(crate) fn left_free(&self, rank: usize) -> Axes {
        free(rank, &self.left_batch, &self.left_sum)
    }

    /// The right operand's axes that are neither batch nor summed.
    pub(crate) fn right_free(&self, rank: usize) -> Axes {
        free(rank, &self.right_batch, &self.right_sum)
    }

    /// The same pairs with the operands exchanged.
    pub(crate) fn swapped(self) -> Contraction {
        Contraction {
            left_batch: self.right_batch,
            right_batch: self.left_batch,
            left_sum: self.right_sum,
            right_sum: self.left_sum,
        }
    }

    /// The result's shape, or what does not fit.
    pub(crate) fn shape(&self, left: &Shape, right: &Shape) -> std::result::Result<Shape, String> {
        let distinct = |rank: usize, batch: &Axes, sum: &Axes| {
            let mut all: Vec<u8> = batch.iter().chain(sum).copied().collect();
            all.sort_unstable();
            all.windows(2).all(|w| w[0] != w[1]) && all.iter().all(|&a| (a as usize) < rank)
        };
        if !distinct(left.len(), &self.left_batch, &self.left_sum)
            || !distinct(right.len(), &self.right_batch, &self.right_sum)
            || self.left_batch.len() != self.right_batch.len()
            || self.left_sum.len() != self.right_sum.len()
        {
            return Err("the paired axes are not distinct axes of the operands".into());
        }
        for (l, r) in self.left_batch.iter().zip(&self.right_batch) {
            if left[*l as usize] != right[*r as usize] {
                return Err("batch sizes differ".into());
            }
        }
        for (l, r) in self.left_sum.iter().zip(&self.right_sum) {
            if left[*l as usize] != right[*r as usize] {
                return Err("inner sizes differ".into());
            }
        }
        let batch = self.left_batch.iter().map(|&a| left[a as usize]);
        let lefts = self.left_free(left.len()).into_iter().map(|a| left[a as usize]);
        let rights = self.right_free(right.len()).into_iter().map(|a| right[a as usize]);
        Ok(batch.chain(lefts).chain(rights).collect())
    }
}
