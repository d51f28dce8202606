//! The inner kernel: a small tile of the result, held in registers over the summed axis.

use super::lanes::Lanes;
use num_traits::Zero;

/// Strided matrix: element (i, j) lies at `at + i·rows + j·columns`.
pub(super) struct Strided<P> {
    pub(super) at: P,
    pub(super) rows: isize,
    pub(super) columns: isize,
}

/// A tile's surroundings: how much of it exists, and whether the result is added to.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) k: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) add: bool,
}

/// Columns of a tile at most: two of the widest vectors.
const WIDEST: usize = 32;

/// c (+)= a · b for up to `MR` rows and `NV` vectors of columns. Rows of `a` beyond the
/// tile's repeat its last one, so that nothing beyond the operand is read.
///
/// # Safety
/// The processor has the lanes; `a` has `rows × k` elements, `b` shows `k` rows of
/// `NV · N` contiguous elements, `c` has `rows × columns`.
#[inline(always)]
// By numbers and not by iterators: those are called, with the sums in memory, where a program is
// built without optimisation across the units that a crate is compiled in.
#[allow(clippy::needless_range_loop)]
pub(super) unsafe fn tile<V: Lanes, const MR: usize, const NV: usize>(
    t: Tile,
    a: &Strided<*const V::T>,
    b: *const V::T,
    b_rows: isize,
    c: &Strided<*mut V::T>,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(V::T::zero()); NV]; MR];
        let mut rows = [a.at; MR];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = a.at.wrapping_offset(i.min(t.rows - 1) as isize * a.rows);
        }
        // The result's lines arrive while the sums are made.
        if c.columns == 1 {
            for i in 0..MR {
                V::fetch(c.at.wrapping_offset(i.min(t.rows - 1) as isize * c.rows));
            }
        }
        let mut b = b;
        let mut along = 0;
        for _ in 0..t.k {
            let mut columns = [V::splat(V::T::zero()); NV];
            for j in 0..NV {
                columns[j] = V::load(b.add(j * V::N));
            }
            for i in 0..MR {
                let x = V::splat(*rows[i].offset(along));
                for j in 0..NV {
                    sums[i][j] = sums[i][j].plus_product(x, columns[j]);
                }
            }
            along += a.columns;
            b = b.wrapping_offset(b_rows);
        }
        if t.rows == MR && t.columns == NV * V::N && c.columns == 1 {
            for (i, sums) in sums.iter().enumerate() {
                let row = c.at.offset(i as isize * c.rows);
                for (j, &sum) in sums.iter().enumerate() {
                    let at = row.add(j * V::N);
                    if t.add { V::load(at).plus(sum).store(at) } else { sum.store(at) }
                }
            }
            return;
        }
        let mut square = [[V::T::zero(); WIDEST]; MR];
        for i in 0..MR {
            for j in 0..NV {
                sums[i][j].store(square[i].as_mut_ptr().add(j * V::N));
            }
        }
        let put = |i: usize, j: usize, sum: V::T| {
            let at = c.at.offset(i as isize * c.rows + j as isize * c.columns);
            *at = if t.add { *at + sum } else { sum };
        };
        // Along the axis in which the result lies contiguous.
        if c.rows == 1 {
            for j in 0..t.columns {
                for (i, row) in square.iter().take(t.rows).enumerate() {
                    put(i, j, row[j]);
                }
            }
        } else {
            for (i, row) in square.iter().take(t.rows).enumerate() {
                for (j, &sum) in row[..t.columns].iter().enumerate() {
                    put(i, j, sum);
                }
            }
        }
    }
}
