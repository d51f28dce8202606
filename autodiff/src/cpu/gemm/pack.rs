//! Operands copied in the order in which the inner kernels read them.

use super::lanes::Lanes;
use super::micro::Strided;
use num_traits::Zero;

/// Copies `k × width` elements of `b` (of which `columns` exist) row by row; what does not
/// exist is zero.
///
/// # Safety
/// `b` has `k × columns` elements, `to` room for `k · width`; `V` is of the processor.
#[inline(always)]
pub(super) unsafe fn panel<V: Lanes>(
    b: &Strided<*const V::T>,
    k: usize,
    columns: usize,
    width: usize,
    to: *mut V::T,
) {
    // SAFETY: the caller's.
    unsafe {
        if columns == width && b.columns == 1 {
            for p in 0..k {
                let from = b.at.offset(p as isize * b.rows);
                std::ptr::copy_nonoverlapping(from, to.add(p * width), width);
            }
            return;
        }
        // Where the source's columns are contiguous, squares of them are read line by line.
        let (mut rows, mut squares) = (0, 0);
        if b.rows == 1 {
            (rows, squares) = (k / V::SIDE * V::SIDE, columns / V::SIDE * V::SIDE);
            for p in (0..rows).step_by(V::SIDE) {
                for j in (0..squares).step_by(V::SIDE) {
                    let from = b.at.offset(p as isize + j as isize * b.columns);
                    V::transpose(from, b.columns, to.add(p * width + j), width);
                }
            }
        }
        for p in 0..k {
            for j in if p < rows { squares } else { 0 }..columns {
                let from = b.at.offset(p as isize * b.rows + j as isize * b.columns);
                *to.add(p * width + j) = *from;
            }
            for j in columns..width {
                *to.add(p * width + j) = V::T::zero();
            }
        }
    }
}
