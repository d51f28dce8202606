//! How a block of consecutive points of a domain lies in memory.

use crate::DType;
use crate::work::BufferId;
use smallvec::SmallVec;

/// An axis that is left after neighbours were merged: its size and stride, in elements.
type Run = (usize, isize);

/// Strided access along a domain in row-major order.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// One element after the other.
    Contiguous {
        /// Of the first, in elements.
        offset: isize,
    },
    /// Always the same element.
    Splat {
        /// Its offset.
        offset: isize,
    },
    /// Anything else.
    Strided {
        /// Of the first, in elements.
        offset: isize,
        /// Merged axes, outermost first; at least one.
        axes: SmallVec<[Run; 4]>,
    },
}

/// A buffer that a map reads.
pub(super) struct Load {
    pub(super) buffer: BufferId,
    pub(super) dtype: DType,
    pub(super) access: Access,
}

/// A buffer that a map writes.
pub(super) struct Store {
    pub(super) register: usize,
    pub(super) buffer: BufferId,
    pub(super) dtype: DType,
    pub(super) access: Access,
}

impl Access {
    pub(super) fn new(offset: isize, domain: &[usize], strides: &[isize]) -> Access {
        let mut axes: SmallVec<[Run; 4]> = SmallVec::new();
        for (&n, &s) in domain.iter().zip(strides) {
            if n == 1 {
                continue;
            }
            match axes.last_mut() {
                Some(last) if last.1 == s * n as isize => *last = (last.0 * n, s),
                _ => axes.push((n, s)),
            }
        }
        match axes[..] {
            [] => Access::Splat { offset },
            [(_, 0)] => Access::Splat { offset },
            [(_, 1)] => Access::Contiguous { offset },
            _ => Access::Strided { offset, axes },
        }
    }

    /// Where points `at..at + len` lie, if one after the other.
    #[inline(always)]
    pub(super) fn direct(&self, at: usize, len: usize) -> Option<isize> {
        match self {
            Access::Contiguous { offset } => Some(offset + at as isize),
            Access::Splat { .. } => None,
            Access::Strided { offset, axes } => {
                let (inner, stride) = axes[axes.len() - 1];
                let within = at % inner;
                if stride != 1 || within + len > inner {
                    return None;
                }
                Some(Access::outer(*offset, axes, at / inner) + within as isize)
            }
        }
    }

    /// Where run number `run` along the innermost axis begins.
    #[inline(always)]
    fn outer(offset: isize, axes: &[Run], mut run: usize) -> isize {
        let mut at = offset;
        for &(n, s) in axes[..axes.len() - 1].iter().rev() {
            at += (run % n) as isize * s;
            run /= n;
        }
        at
    }

    /// Calls `f(offset, stride, count)` for the runs that make up points `start..start + len`.
    fn runs(
        offset: isize,
        axes: &[Run],
        start: usize,
        len: usize,
        mut f: impl FnMut(isize, isize, usize),
    ) {
        let (inner, inner_stride) = axes[axes.len() - 1];
        let mut within = start % inner;
        let mut outer = start / inner;
        let mut left = len;
        while left > 0 {
            let at = Access::outer(offset, axes, outer);
            let count = left.min(inner - within);
            f(at + within as isize * inner_stride, inner_stride, count);
            left -= count;
            within = 0;
            outer += 1;
        }
    }

    /// Copies points `start..start + len` into a block.
    ///
    /// # Safety
    /// All points lie within the buffer at `base`, and `to` has room for them elsewhere.
    pub(super) unsafe fn read<T: Copy>(
        &self,
        base: *const T,
        start: usize,
        to: *mut T,
        len: usize,
    ) {
        // SAFETY: the caller's, here and for each run.
        unsafe {
            match self {
                Access::Contiguous { offset } => {
                    let from = base.offset(*offset + start as isize);
                    std::ptr::copy_nonoverlapping(from, to, len);
                }
                Access::Splat { offset } => fill(*base.offset(*offset), to, len),
                Access::Strided { offset, axes } => {
                    let mut to = to;
                    Access::runs(*offset, axes, start, len, |at, stride, count| {
                        let from = base.offset(at);
                        match stride {
                            0 => fill(*from, to, count),
                            1 => std::ptr::copy_nonoverlapping(from, to, count),
                            _ => {
                                for i in 0..count {
                                    *to.add(i) = *from.offset(i as isize * stride);
                                }
                            }
                        }
                        to = to.add(count);
                    });
                }
            }
        }
    }

    /// Copies a block to points `start..start + from.len()`; `from` may lie in the same buffer
    /// at the very same points.
    ///
    /// # Safety
    /// All points lie within the buffer at `base`, and nobody else touches them.
    pub(super) unsafe fn write<T: Copy>(
        &self,
        base: *mut T,
        start: usize,
        from: *const T,
        len: usize,
    ) {
        match self {
            // SAFETY: the caller's.
            Access::Contiguous { offset } => unsafe {
                std::ptr::copy(from, base.offset(*offset + start as isize), len)
            },
            Access::Splat { offset } => {
                if len > 0 {
                    // SAFETY: the caller's.
                    unsafe { *base.offset(*offset) = *from.add(len - 1) };
                }
            }
            Access::Strided { offset, axes } => {
                let mut done = 0;
                Access::runs(*offset, axes, start, len, |at, stride, count| {
                    for i in 0..count {
                        // SAFETY: the caller's.
                        unsafe { *base.offset(at + i as isize * stride) = *from.add(done + i) };
                    }
                    done += count;
                });
            }
        }
    }
}

/// # Safety
/// `to` has room for `len` elements.
#[inline(always)]
unsafe fn fill<T: Copy>(value: T, to: *mut T, len: usize) {
    for i in 0..len {
        // SAFETY: the caller's.
        unsafe { *to.add(i) = value };
    }
}
