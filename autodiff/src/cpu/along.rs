//! Passes along one axis of contiguous values.

use super::index::{read, shift, write};
use super::instruction_set::Kernels;
use super::instructions::typed;
use super::kernel::{Compute, Making, Run};
use super::memory::{Base, Memory};
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
    fn most_parts(&self) -> usize {
        self.outer
    }

    unsafe fn part(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        parts: usize,
    ) -> Result<()> {
        let at = |i: usize| i * self.outer / parts;
        // SAFETY: the caller's.
        unsafe { self.rows(memory, kernels, (at(part), at(part + 1)), self.outer) }
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
                Pass::CumSum { reverse } => cumsum(&some, reverse, memory.bases),
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

/// What sums of a type are accumulated in: twice its digits where that costs nothing, since each
/// sum carries the rounding of all before it.
trait Summed: Copy {
    type Sum: Copy + Default;
    fn add(sum: Self::Sum, x: Self) -> Self::Sum;
    fn rounded(sum: Self::Sum) -> Self;
}

macro_rules! summed {
    ($type:ty, $sum:ty, |$a:ident, $x:ident| $add:expr, |$s:ident| $rounded:expr) => {
        impl Summed for $type {
            type Sum = $sum;
            #[inline(always)]
            fn add($a: $sum, $x: $type) -> $sum {
                $add
            }
            #[inline(always)]
            fn rounded($s: $sum) -> $type {
                $rounded
            }
        }
    };
}
summed!(f32, f64, |a, x| a + f64::from(x), |s| s as f32);
summed!(f64, f64, |a, x| a + x, |s| s);
summed!(u32, u32, |a, x| a.wrapping_add(x), |s| s);
summed!(bool, bool, |a, x| a | x, |s| s);

/// Sums that are carried along the axis at a time.
const LANES: usize = 64;

/// # Safety
/// As [`Run::part`].
unsafe fn cumsum(i: &Along, reverse: bool, bases: &[Base]) {
    typed!(i.dtype, T => {
        let count = i.outer * i.size * i.inner;
        // SAFETY: as of a gather.
        let (x, y): (&[T], &mut [MaybeUninit<T>]) =
            unsafe { (read(&i.x, bases, count), write(&i.out, bases, count)) };
        let each = i.size * i.inner;
        for outer in (0..count).step_by(each.max(1)) {
            for lane in (0..i.inner).step_by(LANES) {
                let lanes = LANES.min(i.inner - lane);
                let mut sums = [<T as Summed>::Sum::default(); LANES];
                for j in 0..i.size {
                    let j = if reverse { i.size - 1 - j } else { j };
                    let at = outer + j * i.inner + lane;
                    let elements = x[at..at + lanes].iter().zip(&mut y[at..at + lanes]);
                    for ((x, y), sum) in elements.zip(&mut sums) {
                        *sum = T::add(*sum, *x);
                        y.write(T::rounded(*sum));
                    }
                }
            }
        }
    });
}
