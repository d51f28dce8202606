//! Reductions at the end of an expression, in an order that sizes alone determine.
//!
//! Points are walked as `[a, r, b]` (`Map::split`). A unit of work is one value of `a`, or, where
//! `r` is long, a fixed number of `r` of one `a`; the latter's partial results are combined in
//! order when all are there.

use super::costs::LONG_ROW;
use super::instructions::{room, typed};
use super::memory::{Base, Memory};
use super::simd::{Simd, combine, identity};
use crate::DType;
use crate::work::{Buffer, BufferId, Combine, Map, Reduction};
use std::mem::MaybeUninit;

/// How the points of a reduction are divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    a: usize,
    r: usize,
    b: usize,
    /// Values of `r` in one unit.
    rows: usize,
    /// Units for each value of `a`.
    chunks: usize,
    /// Where partial results lie in the program's scratch memory, in words.
    scratch: usize,
}

/// One reduction: where its values come from and go to.
pub(super) struct Reducer {
    pub(super) register: usize,
    combine: Combine,
    buffer: BufferId,
    offset: isize,
    dtype: DType,
}

impl Split {
    pub(super) fn new(map: &Map, reducers: usize, scratch: &mut usize) -> Split {
        let [a, r, b] = map.split();
        let long = map.has_long_rows;
        let rows = if long { (LONG_ROW / 4 / b.max(1)).max(1) } else { r };
        let chunks = if long { r.div_ceil(rows) } else { 1 };
        let start = *scratch;
        if chunks > 1 {
            // Too much is refused when the memory is taken.
            let partial = (a * chunks * b).saturating_mul(reducers);
            *scratch = scratch.saturating_add(partial);
        }
        Split { a, r, b, rows, chunks, scratch: start }
    }

    /// Points of the next block: rows are cut in the same places wherever a part begins.
    #[inline(always)]
    pub(super) fn block(&self, at: usize, end: usize, lanes: usize) -> usize {
        let left = end - at;
        if self.b != 1 || self.chunks > 1 || self.r == 0 {
            left.min(lanes)
        } else if self.r >= lanes {
            left.min(lanes).min(self.r - at % self.r)
        } else {
            left.min(lanes / self.r * self.r)
        }
    }

    /// Into how many units the work is divided.
    pub(super) fn units(&self) -> usize {
        self.a * self.chunks
    }

    fn partial(&self, memory: &Memory, reducer: usize) -> Base {
        let stretch = self.a * self.chunks * self.b;
        memory.scratch.shifted((self.scratch + reducer * stretch) * 8)
    }

    /// Calls `range(start, end, targets)` for units `first..last`.
    ///
    /// # Safety
    /// The memory is that of a run of the reduction's plan; nobody else touches the results of
    /// these units.
    pub(super) unsafe fn run(
        &self,
        reducers: &[Reducer],
        memory: &Memory,
        first: usize,
        last: usize,
        range: impl Fn(usize, usize, &mut [*mut u8]),
    ) {
        let Split { r, b, rows, chunks, .. } = *self;
        let mut targets: smallvec::SmallVec<[*mut u8; 8]> = smallvec::SmallVec::new();
        if chunks == 1 {
            for reducer in reducers {
                let base = memory.bases[reducer.buffer];
                let offset = reducer.offset + (first * b) as isize;
                // SAFETY: the caller's; the plan's view of the result has all kept points.
                unsafe { reducer.clear(base, offset, (last - first) * b) };
                targets.push(reducer.at(base, offset));
            }
            range(first * r * b, last * r * b, &mut targets);
            return;
        }
        for unit in first..last {
            targets.clear();
            for (i, reducer) in reducers.iter().enumerate() {
                let (base, offset) = (self.partial(memory, i), (unit * b) as isize);
                // SAFETY: the caller's; eight bytes an element are enough for every type.
                unsafe { reducer.clear(base, offset, b) };
                targets.push(reducer.at(base, offset));
            }
            let (outer, chunk) = (unit / chunks, unit % chunks);
            let start = (outer * r + chunk * rows) * b;
            let end = (outer * r + ((chunk + 1) * rows).min(r)) * b;
            range(start, end, &mut targets);
        }
    }

    /// Combines partial results.
    ///
    /// # Safety
    /// As [`Split::run`], for all units, whose partial results are there.
    pub(super) unsafe fn finish(&self, reducers: &[Reducer], memory: &Memory) {
        let Split { a, b, chunks, .. } = *self;
        if chunks == 1 {
            return;
        }
        for (i, reducer) in reducers.iter().enumerate() {
            let base = memory.bases[reducer.buffer];
            // SAFETY: the caller's; the plan's view of the result has all kept points.
            unsafe { reducer.clear(base, reducer.offset, a * b) };
            for unit in 0..a * chunks {
                let from = reducer.at(self.partial(memory, i), (unit * b) as isize);
                let to = reducer.at(base, reducer.offset + (unit / chunks * b) as isize);
                // SAFETY: both have `b` elements, in distinct memory.
                unsafe { reducer.merge(from, to, b) };
            }
        }
    }
}

impl Reducer {
    pub(super) fn new(reduction: &Reduction, buffers: &[Buffer]) -> Reducer {
        Reducer {
            register: reduction.register as usize,
            combine: reduction.combine,
            buffer: reduction.store.buffer,
            offset: reduction.store.offset,
            dtype: buffers[reduction.store.buffer].dtype,
        }
    }

    fn at(&self, base: Base, offset: isize) -> *mut u8 {
        base.0.wrapping_offset(offset * self.dtype.size() as isize)
    }

    /// # Safety
    /// There are `count` elements from `offset` on.
    unsafe fn clear(&self, base: Base, offset: isize, count: usize) {
        let at = self.at(base, offset);
        typed!(self.dtype, T => {
            // SAFETY: the caller's.
            let block = unsafe { room::<T>(at, count) };
            block.fill(MaybeUninit::new(identity(self.combine)));
        });
    }

    /// # Safety
    /// Both have `count` elements and do not overlap.
    unsafe fn merge(&self, from: *mut u8, to: *mut u8, count: usize) {
        typed!(self.dtype, T => {
            // SAFETY: the caller's; every processor has the base set.
            unsafe {
                let from = std::slice::from_raw_parts(from.cast::<T>(), count);
                let to = std::slice::from_raw_parts_mut(to.cast::<T>(), count);
                super::simd::Base::join(self.combine, from, to);
            }
        });
    }

    /// Combines the block of points `at..at + len` into the results of the part that began
    /// at point `start`.
    ///
    /// # Safety
    /// The processor has the instruction set; `values` shows `len` elements; `target` has
    /// room for the results of the part.
    #[inline(always)]
    pub(super) unsafe fn accumulate<S: Simd>(
        &self,
        s: &Split,
        values: *mut u8,
        start: usize,
        at: usize,
        len: usize,
        target: *mut u8,
    ) {
        typed!(self.dtype, T => {
            // SAFETY: the caller's.
            let values = unsafe { std::slice::from_raw_parts(values.cast::<T>().cast_const(), len) };
            let target = target.cast::<T>();
            let first = start / s.b / s.r;
            let mut done = 0;
            while done < len {
                let point = at + done;
                let (row, column) = (point / s.b, point % s.b);
                let result = (row / s.r - first) * s.b + column;
                if s.b == 1 {
                    let count = (len - done).min(s.r - row % s.r);
                    // SAFETY: the result is one of this part's.
                    unsafe {
                        let to = &mut *target.add(result);
                        let sum = S::fold::<T>(self.combine, &values[done..done + count]);
                        *to = combine(self.combine, *to, sum);
                    }
                    done += count;
                } else {
                    let count = (len - done).min(s.b - column);
                    // SAFETY: as above.
                    unsafe {
                        let to = std::slice::from_raw_parts_mut(target.add(result), count);
                        S::join::<T>(self.combine, &values[done..done + count], to);
                    }
                    done += count;
                }
            }
        });
    }
}
