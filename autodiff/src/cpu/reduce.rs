//! Reductions at the end of an expression, in an order that sizes alone determine.
//!
//! Points are walked as `[a, r, b]`: kept axes, reduced ones, trailing kept ones. A task
//! takes whole values of `a`, or a fixed number of `r` of one `a`; the latter's partial
//! results are combined in order.

use super::Base;
use super::instructions::typed;
use super::map::TILE;
use super::pool::each;
use crate::DType;
use crate::ops::Scalar;
use crate::program::plan::{Buffer, BufferId, Combine, Map, Reduction};
use std::cell::RefCell;

/// How the points of a reduction are divided into tasks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    a: usize,
    r: usize,
    b: usize,
    /// Values of `a` in one task, when whole.
    whole: usize,
    /// Values of `r` in one task, when not.
    rows: usize,
}

/// One reduction: where its values come from and go to.
pub(super) struct Reducer {
    pub(super) register: usize,
    combine: Combine,
    buffer: BufferId,
    offset: isize,
    dtype: DType,
}

thread_local! {
    /// Partial results, kept from run to run.
    static PARTIAL: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Split {
    pub(super) fn new(map: &Map) -> Split {
        let rank = map.domain.len() as u8;
        let trailing = (0..rank).rev().take_while(|a| !map.reduced.contains(a)).count() as u8;
        let b: usize = map.domain[(rank - trailing) as usize..].iter().product();
        let r: usize = map.reduced.iter().map(|&a| map.domain[a as usize]).product();
        let a: usize = (0..rank - trailing)
            .filter(|a| !map.reduced.contains(a))
            .map(|a| map.domain[a as usize])
            .product();
        let (b1, r1) = (b.max(1), r.max(1));
        Split { a, r, b, whole: (TILE / (b1 * r1)).max(1), rows: (TILE / b1).max(1) }
    }

    /// Calls `tile(start, end, targets)` for all tasks, then combines partial results.
    pub(super) fn run(
        &self,
        reducers: &[Reducer],
        bases: &[Base],
        divide: bool,
        tile: impl Fn(usize, usize, &mut [*mut u8]) + Sync + Send,
    ) {
        let Split { a, r, b, whole, rows } = *self;
        let chunks = r.div_ceil(rows);
        let kept = a * b;
        for reducer in reducers {
            // SAFETY: the plan's view of the result has all kept points.
            unsafe { reducer.clear(bases[reducer.buffer], reducer.offset, kept) };
        }
        if chunks <= 1 {
            let row = r * b;
            each(a.div_ceil(whole), divide, |t| {
                let (first, last) = (t * whole, ((t + 1) * whole).min(a));
                let mut targets = Targets::new(reducers, |reducer| {
                    reducer.at(bases[reducer.buffer], reducer.offset + (first * b) as isize)
                });
                tile(first * row, last * row, targets.as_mut());
            });
            return;
        }
        // Partial results: for each reducer one stretch of kept points a chunk.
        PARTIAL.with_borrow_mut(|memory| {
            let stretch = a * chunks * b;
            let words = stretch * reducers.len();
            if memory.len() < words {
                memory.resize(words, 0);
            }
            let partial = Base(memory.as_mut_ptr().cast());
            let partial_of = |i: usize| partial.shifted(i * stretch * 8);
            for (i, reducer) in reducers.iter().enumerate() {
                // SAFETY: eight bytes a point are enough for every type.
                unsafe { reducer.clear(partial_of(i), 0, stretch) };
            }
            each(a * chunks, divide, |t| {
                let (outer, chunk) = (t / chunks, t % chunks);
                let start = (outer * r + chunk * rows) * b;
                let end = (outer * r + ((chunk + 1) * rows).min(r)) * b;
                let mut i = 0;
                let mut targets = Targets::new(reducers, |reducer| {
                    let at = reducer.at(partial_of(i), (t * b) as isize);
                    i += 1;
                    at
                });
                tile(start, end, targets.as_mut());
            });
            for (i, reducer) in reducers.iter().enumerate() {
                for t in 0..a * chunks {
                    let from = reducer.at(partial_of(i), (t * b) as isize);
                    let to = reducer
                        .at(bases[reducer.buffer], reducer.offset + (t / chunks * b) as isize);
                    // SAFETY: both have `b` elements, in distinct buffers.
                    unsafe { reducer.merge(from, to, b) };
                }
            }
        });
    }
}

/// Addresses at which one task accumulates.
struct Targets(smallvec::SmallVec<[*mut u8; 8]>);

impl Targets {
    fn new(reducers: &[Reducer], f: impl FnMut(&Reducer) -> *mut u8) -> Targets {
        Targets(reducers.iter().map(f).collect())
    }

    fn as_mut(&mut self) -> &mut [*mut u8] {
        &mut self.0
    }
}

fn identity<T: Scalar>(combine: Combine) -> T {
    match combine {
        Combine::Sum => T::from_f64(0.0),
        // Converting to u32 saturates.
        Combine::Max => T::from_f64(f64::NEG_INFINITY),
        Combine::Min => T::from_f64(f64::INFINITY),
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
            let block = unsafe { std::slice::from_raw_parts_mut(at.cast::<T>(), count) };
            block.fill(identity(self.combine));
        });
    }

    /// # Safety
    /// Both have `count` elements and do not overlap.
    unsafe fn merge(&self, from: *mut u8, to: *mut u8, count: usize) {
        typed!(self.dtype, T => {
            // SAFETY: the caller's.
            let (from, to) = unsafe {
                (std::slice::from_raw_parts(from.cast::<T>(), count), std::slice::from_raw_parts_mut(to.cast::<T>(), count))
            };
            add_rows(self.combine, from, to);
        });
    }

    /// Combines the block of points `at..at + len` into the results of the task that began
    /// at point `start`.
    ///
    /// # Safety
    /// `values` shows `len` elements; `target` has room for the results of the task.
    pub(super) unsafe fn accumulate(
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
                    // SAFETY: the result is one of this task's.
                    let to = unsafe { &mut *target.add(result) };
                    *to = join(self.combine, *to, fold(self.combine, &values[done..done + count]));
                    done += count;
                } else {
                    let count = (len - done).min(s.b - column);
                    // SAFETY: as above.
                    let to = unsafe { std::slice::from_raw_parts_mut(target.add(result), count) };
                    add_rows(self.combine, &values[done..done + count], to);
                    done += count;
                }
            }
        });
    }
}

#[inline(always)]
fn join<T: Scalar>(combine: Combine, a: T, b: T) -> T {
    match combine {
        Combine::Sum => a.plus(b),
        Combine::Max => a.larger(b),
        Combine::Min => a.smaller(b),
    }
}

#[inline(never)]
fn add_rows<T: Scalar>(combine: Combine, from: &[T], to: &mut [T]) {
    match combine {
        Combine::Sum => to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.plus(f)),
        Combine::Max => to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.larger(f)),
        Combine::Min => to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.smaller(f)),
    }
}

/// Combines a run in sixteen lanes, then the lanes: faster and more accurate than one by one.
#[inline(never)]
fn fold<T: Scalar>(combine: Combine, x: &[T]) -> T {
    const LANES: usize = 16;
    let mut lanes = [identity::<T>(combine); LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = join(combine, *lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = join(combine, *lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = join(combine, lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}
