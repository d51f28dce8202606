//! Random elements from a key.

use super::draws::Drawable;
use super::index::start;
use super::instruction_set::Kernels;
use super::kernel::{Compute, Making, Run, wide};
use super::memory::Memory;
use super::simd::{Simd, dispatch};
use crate::DType;
use crate::error::Result;
use crate::graph::Distribution;
use crate::scalar::philox::{self, GROUP, Half, TOGETHER};
use crate::work::{Draw, Kernel};

/// Elements of which each part but the last has a multiple.
const GRAIN: usize = 16 * GROUP;

impl Compute for Draw {
    fn nanoseconds(&self) -> usize {
        let each = if self.distribution == Distribution::Normal { 2 } else { 1 };
        self.count * wide(self.dtype) * each
    }

    fn ready(&self, _: &Kernel, _: &mut Making<'_>) -> Box<dyn Run> {
        Box::new(self.clone())
    }
}

impl Run for Draw {
    fn most_parts(&self) -> usize {
        self.count.div_ceil(GRAIN)
    }

    /// An element depends on its position alone.
    unsafe fn part(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        parts: usize,
    ) -> Result<()> {
        let bases = memory.bases;
        // SAFETY: the caller's; a key has two words.
        let key = unsafe {
            let words = bases[self.key.buffer].0.cast::<u32>().offset(self.key.offset);
            [*words, *words.add(1)]
        };
        let blocks = self.count.div_ceil(GRAIN);
        let at = |p: usize| (p * blocks / parts * GRAIN).min(self.count);
        let range = (at(part), at(part + 1));
        let from = Source { distribution: self.distribution, key, stream: self.stream };
        // SAFETY: the caller's; the plan's result is contiguous and has `count` elements of this type.
        unsafe {
            match self.dtype {
                DType::F32 => from.fill(kernels, start::<f32>(&self.out, bases), range),
                DType::F64 => from.fill(kernels, start::<f64>(&self.out, bases), range),
                DType::U32 => from.fill(kernels, start::<u32>(&self.out, bases), range),
                // There are no such numbers.
                DType::Bool => {}
            }
        }
        Ok(())
    }

    /// Not by rows; never part of a pipeline of more.
    unsafe fn rows(
        &self,
        memory: &Memory,
        kernels: Kernels,
        _: (usize, usize),
        _: usize,
    ) -> Result<()> {
        // SAFETY: the caller's.
        unsafe { self.part(memory, kernels, 0, 1) }
    }
}

/// An endless row of random elements.
struct Source {
    distribution: Distribution,
    key: [u32; 2],
    stream: u32,
}

impl Source {
    /// # Safety
    /// `to` has room for elements `first..last`, which nobody else touches.
    unsafe fn fill<T: Drawable>(
        &self,
        kernels: Kernels,
        to: *mut T,
        (first, last): (usize, usize),
    ) {
        // SAFETY: the caller's.
        let to = unsafe { std::slice::from_raw_parts_mut(to.add(first), last - first) };
        let mut group = first / GROUP;
        let (whole, rest) = to.as_chunks_mut::<GROUP>();
        for to in whole {
            self.group(kernels, group, to);
            group += 1;
        }
        if !rest.is_empty() {
            let mut last = [T::from_f64(0.0); GROUP];
            self.group(kernels, group, &mut last);
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    fn group<T: Drawable>(&self, kernels: Kernels, group: usize, to: &mut [T; GROUP]) {
        let block = (group * TOGETHER) as u64;
        let counter = |half| philox::counter(self.stream, block, half);
        // SAFETY: the processor has the instruction set.
        dispatch!(kernels.set, S => unsafe {
            let high = S::words(self.key, counter(Half::High));
            let low = if T::TAKES_LOW { S::words(self.key, counter(Half::Low)) } else { high };
            S::random(self.distribution, &high, &low, to);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{GRAIN, Source};
    use crate::cpu::{InstructionSet, Kernels};
    use crate::graph::Distribution;
    use crate::{DType, Element};

    const KEY: [u32; 2] = [3, u32::MAX];

    fn drawn<T: super::Drawable>(from: Distribution, set: InstructionSet, to: usize) -> Vec<f64> {
        let kernels = Kernels { set, ..Kernels::best() };
        let mut out = vec![T::from_f64(-1.0); to];
        let source = Source { distribution: from, key: KEY, stream: 7 };
        // SAFETY: there is room for so many.
        unsafe { source.fill(kernels, out.as_mut_ptr(), (0, to)) };
        out.into_iter().map(Element::to_f64).collect()
    }

    /// Against the scalar formulas, each in f64; single precision is within a few roundings of a
    /// radius of at most 6.7.
    #[test]
    fn elements_are_those_of_the_scalar_formulas() {
        for &set in InstructionSet::available() {
            for count in [0, 1, 17, 63, 64, 65, 1000, GRAIN + 77] {
                for (from, dtype, tolerance) in [
                    (Distribution::Bits, DType::U32, 0.0),
                    (Distribution::Uniform, DType::F32, 0.0),
                    (Distribution::Uniform, DType::F64, 0.0),
                    (Distribution::Normal, DType::F32, 2e-6),
                    (Distribution::Normal, DType::F64, 5e-15),
                ] {
                    let found = match dtype {
                        DType::F32 => drawn::<f32>(from, set, count),
                        DType::F64 => drawn::<f64>(from, set, count),
                        DType::U32 | DType::Bool => drawn::<u32>(from, set, count),
                    };
                    for (i, found) in found.into_iter().enumerate() {
                        let expected = from.draw(KEY, 7, i as u64, dtype);
                        let distance = (found - expected).abs();
                        assert!(distance <= tolerance, "{from:?} {dtype} {i}: {found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn both_precisions_draw_nearly_the_same() {
        let set = InstructionSet::best();
        for from in [Distribution::Uniform, Distribution::Normal] {
            let (short, long) = (drawn::<f32>(from, set, 5000), drawn::<f64>(from, set, 5000));
            // Where the radius is near 0, half a unit of u = 1 − 10⁻⁷ is much of it.
            let near = short.iter().zip(&long).all(|(a, b)| (a - b).abs() < 1e-3);
            assert!(near && short != long, "{from:?}");
        }
    }

    /// The empirical distribution is within the Kolmogorov-Smirnov bound that the right one
    /// keeps with probability 0.999, and neighbours in every place of a group are uncorrelated.
    #[test]
    fn normal_numbers_are_normal() {
        const N: usize = 200_000;
        for x in [
            drawn::<f32>(Distribution::Normal, InstructionSet::best(), N),
            drawn::<f64>(Distribution::Normal, InstructionSet::best(), N),
        ] {
            let mut sorted = x.clone();
            sorted.sort_by(f64::total_cmp);
            let cdf = |x: f64| 0.5 * (1.0 + libm::erf(x / std::f64::consts::SQRT_2));
            let distance = sorted
                .iter()
                .enumerate()
                .map(|(i, &x)| (cdf(x) - (i as f64 + 0.5) / N as f64).abs())
                .fold(0.0, f64::max);
            assert!(distance * (N as f64).sqrt() < 1.95, "{distance}");
            for lag in [1, 16, 32, 48, 64] {
                let pairs = x.iter().zip(&x[lag..]);
                let correlation = pairs.map(|(a, b)| a * b).sum::<f64>() / (N - lag) as f64;
                assert!(correlation.abs() < 4.0 / (N as f64).sqrt(), "{lag}: {correlation}");
            }
        }
    }
}
