//! What can be said by strides.

use crate::shape::Strides;
use smallvec::SmallVec;

/// Strides of the same elements under another shape, or `None` where only a copy has them.
pub(crate) fn reshaped_strides(from: &[usize], strides: &[isize], to: &[usize]) -> Option<Strides> {
    let mut result: Strides = SmallVec::from_elem(0, to.len());
    if to.contains(&0) {
        return Some(result);
    }
    // Runs of axes with equal products are matched from the left.
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (i0, j0) = (i, j);
        let (mut m, mut n) = (1, 1);
        loop {
            if m == n && i > i0 && j > j0 {
                break;
            }
            if m <= n && i < from.len() && (m < n || i == i0) {
                m *= from[i];
                i += 1;
            } else if j < to.len() {
                n *= to[j];
                j += 1;
            } else if i < from.len() {
                m *= from[i];
                i += 1;
            } else {
                break;
            }
        }
        // Within a run of the operand neighbours must follow one another.
        let run: SmallVec<[(usize, isize); 4]> =
            (i0..i).filter(|&a| from[a] != 1).map(|a| (from[a], strides[a])).collect();
        if run.windows(2).any(|w| w[0].1 != w[1].1 * w[1].0 as isize) {
            return None;
        }
        let mut phase = run.last().map_or(0, |r| r.1);
        for a in (j0..j).rev() {
            result[a] = if to[a] == 1 { 0 } else { phase };
            phase *= to[a] as isize;
        }
    }
    Some(result)
}

/// Whether a view covers its elements one after the other in row-major order.
pub(crate) fn is_contiguous(shape: &[usize], strides: &[isize]) -> bool {
    let mut phase = 1;
    for (&n, &s) in shape.iter().zip(strides).rev() {
        if n != 1 && s != phase {
            return shape.contains(&0);
        }
        phase *= n as isize;
    }
    true
}
