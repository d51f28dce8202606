//! Operands copied in the order in which the inner kernels read them.

use super::micro::Strided;
use num_traits::Zero;

/// Copies `k × width` elements of `b` (of which `columns` exist) row by row; what does not
/// exist is zero.
///
/// # Safety
/// `b` has `k × columns` elements, `to` room for `k · width`.
#[inline(always)]
pub(super) unsafe fn panel<T: Copy + Zero>(
    b: &Strided<*const T>,
    k: usize,
    columns: usize,
    width: usize,
    to: *mut T,
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
        if b.rows == 1 {
            // Columns lie contiguous: a few rows at a time, so that lines are used whole.
            const FEW: usize = 8;
            let mut p = 0;
            while p + FEW <= k {
                for j in 0..columns {
                    let from = b.at.offset(p as isize + j as isize * b.columns);
                    let from = std::slice::from_raw_parts(from, FEW);
                    for (q, &x) in from.iter().enumerate() {
                        *to.add((p + q) * width + j) = x;
                    }
                }
                p += FEW;
            }
            for p in p..k {
                for j in 0..columns {
                    *to.add(p * width + j) = *b.at.offset(p as isize + j as isize * b.columns);
                }
            }
        } else {
            for p in 0..k {
                for j in 0..columns {
                    let from = b.at.offset(p as isize * b.rows + j as isize * b.columns);
                    *to.add(p * width + j) = *from;
                }
            }
        }
        for p in 0..k {
            for j in columns..width {
                *to.add(p * width + j) = T::zero();
            }
        }
    }
}
