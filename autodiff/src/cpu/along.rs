//! Passes along one axis of contiguous values.

use super::index::{read, shift, write};
use super::instructions::typed;
use super::kernel::{Compute, Making, Run};
use super::{Base, Kernels, Memory};
use crate::DType;
use crate::error::Result;
use crate::work::{Along, Kernel, Pass};
use std::mem::MaybeUninit;

impl Compute for Along {
    fn nanoseconds(&self) -> usize {
        self.outer * self.size * self.inner
    }

    fn ready(&self, _: &Kernel, _: &mut Making<'_>) -> Box<dyn Run> {
        Box::new(self.clone())
    }
}

impl Run for Along {
    unsafe fn part(&self, memory: &Memory, kernels: Kernels, _: usize, _: usize) -> Result<()> {
        // SAFETY: the caller's.
        unsafe { self.rows(memory, kernels, (0, self.outer), self.outer) }
    }

    unsafe fn rows(
        &self,
        memory: &Memory,
        _: Kernels,
        (first, last): (usize, usize),
        _: usize,
    ) -> Result<()> {
        let some = Along {
            x: shift(&self.x, first * self.size * self.inner),
            out: shift(&self.out, first * self.size_out() * self.inner),
            outer: last - first,
            ..*self
        };
        // SAFETY: the caller's, for all of these.
        unsafe {
            match self.pass {
                Pass::ArgMax => argmax(&some, memory.bases),
            }
        }
        Ok(())
    }
}

/// # Safety
/// As [`Run::part`].
unsafe fn argmax(i: &Along, bases: &[Base]) {
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
