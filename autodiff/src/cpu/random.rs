//! Random elements from a key.

use super::Base;
use crate::program::plan::Work;
use crate::{DType, Element};

/// Elements of which each part but the last has a multiple.
pub(super) const GRAIN: usize = 1024;

/// One of some parts: an element depends on its position alone.
pub(super) fn part(work: &Work, bases: &[Base], part: usize, parts: usize) {
    let Work::Random { key, out, distribution, stream, count, dtype } = work else {
        return;
    };
    // SAFETY: a key has two words.
    let words = unsafe {
        let words = bases[key.buffer].0.cast::<u32>().offset(key.offset);
        [*words, *words.add(1)]
    };
    let blocks = count.div_ceil(GRAIN);
    let at = |p: usize| (p * blocks / parts * GRAIN).min(*count);
    let range = (at(part), at(part + 1));
    let to = bases[out.buffer].0;
    let draw = |i: usize| distribution.draw(words, *stream, i as u64, *dtype);
    // SAFETY: the plan's result is contiguous and has `count` elements.
    unsafe {
        match dtype {
            DType::F32 => fill(to.cast::<f32>().offset(out.offset), range, draw),
            DType::F64 => fill(to.cast::<f64>().offset(out.offset), range, draw),
            _ => fill(to.cast::<u32>().offset(out.offset), range, draw),
        }
    }
}

/// # Safety
/// `to` has room for elements `first..last`, which nobody else touches.
unsafe fn fill<T: Element>(to: *mut T, (first, last): (usize, usize), draw: impl Fn(usize) -> f64) {
    // SAFETY: the caller's.
    let to = unsafe { std::slice::from_raw_parts_mut(to.add(first), last - first) };
    for (i, to) in to.iter_mut().enumerate() {
        *to = T::from_f64(draw(first + i));
    }
}
