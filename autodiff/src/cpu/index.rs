//! Gather and scatter on contiguous values.

use super::instruction_set::Kernels;
use super::instructions::{room, typed};
use super::kernel::{Compute, Making, Run};
use super::memory::{Base, Memory};
use crate::DType;
use crate::error::{At, Error, Result};
use crate::scalar::Scalar;
use crate::work::{Gather, Indexed, Kernel, Scatter, View};
use std::mem::MaybeUninit;

/// A gather or a scatter, and what its errors speak of.
struct Ready {
    whole: Indexed,
    scatters: bool,
    of: Of,
}

/// What an error says.
#[derive(Clone, Copy)]
struct Of {
    name: &'static str,
    at: At,
    /// Where all indices begin.
    offset: isize,
}

impl Ready {
    fn boxed(whole: &Indexed, scatters: bool, kernel: &Kernel) -> Box<dyn Run> {
        let of = Of { name: kernel.name, at: kernel.at, offset: whole.indices.offset };
        Box::new(Ready { whole: whole.clone(), scatters, of })
    }
}

impl Compute for Gather {
    fn nanoseconds(&self) -> usize {
        let Indexed { outer, positions, inner, .. } = self.0;
        outer * positions * inner / 2
    }

    fn ready(&self, kernel: &Kernel, _: &mut Making<'_>) -> Box<dyn Run> {
        Ready::boxed(&self.0, false, kernel)
    }
}

impl Compute for Scatter {
    fn nanoseconds(&self) -> usize {
        let Indexed { outer, positions, size, inner, .. } = self.0;
        outer * (positions + size) * inner
    }

    fn ready(&self, kernel: &Kernel, _: &mut Making<'_>) -> Box<dyn Run> {
        Ready::boxed(&self.0, true, kernel)
    }
}

impl Run for Ready {
    unsafe fn part(&self, memory: &Memory, kernels: Kernels, _: usize, _: usize) -> Result<()> {
        let all = self.whole.outer;
        // SAFETY: the caller's.
        unsafe { self.rows(memory, kernels, (0, all), all) }
    }

    unsafe fn rows(
        &self,
        memory: &Memory,
        _: Kernels,
        rows: (usize, usize),
        _: usize,
    ) -> Result<()> {
        let Indexed { size, positions, .. } = self.whole;
        // SAFETY: the caller's, for both of these.
        unsafe {
            match self.scatters {
                false => gather(&part(&self.whole, rows, size, positions), memory.bases, &self.of),
                true => scatter(&part(&self.whole, rows, positions, size), memory.bases, &self.of),
            }
        }
    }
}

/// The same with fewer values of the outer axis; `from` and `to` are the sizes of the indexed
/// axis of what is read and written.
fn part(i: &Indexed, (first, last): (usize, usize), from: usize, to: usize) -> Indexed {
    let shifted = |view: &View, by: usize| shift(view, first * by * i.inner);
    Indexed {
        x: shifted(&i.x, from),
        out: shifted(&i.out, to),
        indices: shifted(&i.indices, if i.along { i.positions } else { 0 }),
        outer: last - first,
        ..*i
    }
}

/// A contiguous view that begins some elements further on.
pub(super) fn shift(view: &View, by: usize) -> View {
    View { buffer: view.buffer, offset: view.offset + by as isize, strides: Default::default() }
}

/// Where a view begins; of no elements, it may be beyond its buffer.
pub(super) fn start<T>(view: &View, bases: &[Base]) -> *mut T {
    bases[view.buffer].0.cast::<T>().wrapping_offset(view.offset)
}

/// # Safety
/// The view shows `len` elements of `T` that nobody writes meanwhile.
pub(super) unsafe fn read<'a, T>(view: &View, bases: &[Base], len: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(start(view, bases), len) }
}

/// # Safety
/// As [`read`], of any contents, and nobody reads it either.
pub(super) unsafe fn write<'a, T>(
    view: &View,
    bases: &[Base],
    len: usize,
) -> &'a mut [MaybeUninit<T>] {
    // SAFETY: the caller's.
    unsafe { room(start::<T>(view, bases).cast(), len) }
}

/// # Safety
/// As [`Run::part`].
unsafe fn indices<'a>(i: &Indexed, bases: &[Base], of: &Of) -> Result<&'a [u32]> {
    let count = if i.along { i.outer * i.positions * i.inner } else { i.positions };
    // SAFETY: the caller's.
    let indices: &[u32] = unsafe { read(&i.indices, bases, count) };
    match indices.iter().position(|&j| j as usize >= i.size) {
        None => Ok(indices),
        Some(position) => {
            let index = indices[position];
            // Counted from the start of all indices, not of this part's.
            let position = position + (i.indices.offset - of.offset) as usize;
            Err(Error::beyond(i.labels, of.name, (index, position), i.size, of.at))
        }
    }
}

/// # Safety
/// As [`Run::part`].
unsafe fn gather(i: &Indexed, bases: &[Base], of: &Of) -> Result<()> {
    // SAFETY: the caller's.
    let indices = unsafe { indices(i, bases, of)? };
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
/// As [`Run::part`].
unsafe fn scatter(i: &Indexed, bases: &[Base], of: &Of) -> Result<()> {
    // SAFETY: the caller's.
    let indices = unsafe { indices(i, bases, of)? };
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
