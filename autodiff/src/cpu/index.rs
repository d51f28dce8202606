//! Gather, scatter and argmax on contiguous values.

use super::Base;
use super::instructions::{room, typed};
use crate::DType;
use crate::error::{Error, Result};
use crate::plan::{Indexed, Kernel, View, Work};
use crate::scalar::Scalar;
use std::mem::MaybeUninit;

/// An indexing kernel, or some values of its outer axis.
///
/// # Safety
/// The bases are those of a run of the kernel's plan, whose views are contiguous here; nobody else
/// writes what is read or touches what is written.
pub(super) unsafe fn run(
    kernel: &Kernel,
    bases: &[Base],
    outer: Option<(usize, usize)>,
) -> Result<()> {
    // SAFETY: the caller's, for all of these.
    unsafe {
        match &kernel.work {
            Work::Gather(i) => gather(&part(i, outer, i.size, i.positions), bases, kernel),
            Work::Scatter(i) => scatter(&part(i, outer, i.positions, i.size), bases, kernel),
            Work::ArgMax(i) => {
                argmax(&part(i, outer, i.size, 1), bases);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The same with fewer values of the outer axis; `from` and `to` are the sizes of the indexed
/// axis of what is read and written.
fn part(i: &Indexed, outer: Option<(usize, usize)>, from: usize, to: usize) -> Indexed {
    let (first, last) = outer.unwrap_or((0, i.outer));
    let shifted = |view: &View, by: usize| View {
        buffer: view.buffer,
        offset: view.offset + (first * by * i.inner) as isize,
        strides: Default::default(),
    };
    Indexed {
        x: shifted(&i.x, from),
        indices: i.indices.as_ref().map(|v| shifted(v, if i.along { i.positions } else { 0 })),
        out: shifted(&i.out, to),
        outer: last - first,
        ..*i
    }
}

/// Where a view begins; of no elements, it may be beyond its buffer.
fn start<T>(view: &View, bases: &[Base]) -> *mut T {
    bases[view.buffer].0.cast::<T>().wrapping_offset(view.offset)
}

/// # Safety
/// The view shows `len` elements of `T` that nobody writes meanwhile.
unsafe fn read<'a, T>(view: &View, bases: &[Base], len: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(start(view, bases), len) }
}

/// # Safety
/// As [`read`], of any contents, and nobody reads it either.
unsafe fn write<'a, T>(view: &View, bases: &[Base], len: usize) -> &'a mut [MaybeUninit<T>] {
    // SAFETY: the caller's.
    unsafe { room(start::<T>(view, bases).cast(), len) }
}

/// # Safety
/// As [`run`].
unsafe fn indices<'a>(i: &Indexed, bases: &[Base], kernel: &Kernel) -> Result<&'a [u32]> {
    let count = if i.along { i.outer * i.positions * i.inner } else { i.positions };
    let Some(view) = &i.indices else {
        return Ok(&[]);
    };
    // SAFETY: the caller's.
    let indices: &[u32] = unsafe { read(view, bases, count) };
    match indices.iter().position(|&j| j as usize >= i.size) {
        None => Ok(indices),
        Some(position) => {
            let index = indices[position];
            // Counted from the start of all indices, not of this part's.
            let whole = match &kernel.work {
                Work::Gather(i) | Work::Scatter(i) => i.indices.as_ref(),
                _ => None,
            };
            let position = position + whole.map_or(0, |v| (view.offset - v.offset) as usize);
            Err(Error::beyond(i.labels, kernel.name, (index, position), i.size, kernel.at))
        }
    }
}

/// # Safety
/// As [`run`].
unsafe fn gather(i: &Indexed, bases: &[Base], kernel: &Kernel) -> Result<()> {
    // SAFETY: the caller's.
    let indices = unsafe { indices(i, bases, kernel)? };
    typed!(i.dtype, T => {
        // SAFETY: the caller's; the planner never lets a gather work in place.
        let (x, y): (&[T], &mut [MaybeUninit<T>]) = unsafe {
            (read(&i.x, bases, i.outer * i.size * i.inner), write(&i.out, bases, i.outer * i.positions * i.inner))
        };
        for outer in 0..i.outer {
            for position in 0..i.positions {
                let to = (outer * i.positions + position) * i.inner;
                if i.along {
                    for inner in 0..i.inner {
                        let from = (outer * i.size + indices[to + inner] as usize) * i.inner + inner;
                        y[to + inner].write(x[from]);
                    }
                } else {
                    let from = (outer * i.size + indices[position] as usize) * i.inner;
                    y[to..to + i.inner].write_copy_of_slice(&x[from..from + i.inner]);
                }
            }
        }
    });
    Ok(())
}

/// # Safety
/// As [`run`].
unsafe fn scatter(i: &Indexed, bases: &[Base], kernel: &Kernel) -> Result<()> {
    // SAFETY: the caller's.
    let indices = unsafe { indices(i, bases, kernel)? };
    typed!(i.dtype, T => {
        // SAFETY: as of a gather.
        let (x, y): (&[T], &mut [MaybeUninit<T>]) = unsafe {
            (read(&i.x, bases, i.outer * i.positions * i.inner), write(&i.out, bases, i.outer * i.size * i.inner))
        };
        y.fill(MaybeUninit::new(<T as crate::Element>::from_f64(0.0)));
        // SAFETY: just written.
        let y = unsafe { y.assume_init_mut() };
        for outer in 0..i.outer {
            for position in 0..i.positions {
                let from = (outer * i.positions + position) * i.inner;
                for inner in 0..i.inner {
                    let index = if i.along { indices[from + inner] } else { indices[position] } as usize;
                    let to = &mut y[(outer * i.size + index) * i.inner + inner];
                    *to = to.plus(x[from + inner]);
                }
            }
        }
    });
    Ok(())
}

/// # Safety
/// As [`run`].
unsafe fn argmax(i: &Indexed, bases: &[Base]) {
    typed!(i.dtype, T => {
        // SAFETY: as of a gather.
        let (x, y): (&[T], &mut [MaybeUninit<u32>]) = unsafe {
            (read(&i.x, bases, i.outer * i.size * i.inner), write(&i.out, bases, i.outer * i.inner))
        };
        for outer in 0..i.outer {
            for inner in 0..i.inner {
                let at = |j: usize| x[(outer * i.size + j) * i.inner + inner];
                // Only a NaN differs from itself.
                let is_nan = |v: T| v.partial_cmp(&v).is_none();
                let is_larger = |a: T, b: T| a.partial_cmp(&b) == Some(std::cmp::Ordering::Greater);
                let mut best = 0;
                for j in 1..i.size {
                    if !is_nan(at(best)) && (is_larger(at(j), at(best)) || is_nan(at(j))) {
                        best = j;
                    }
                }
                y[outer * i.inner + inner].write(best as u32);
            }
        }
    });
}
