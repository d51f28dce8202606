//! Random elements from a key.

use super::Base;
use crate::ops::Distribution;
use crate::program::plan::View;
use crate::{DType, Element};

pub(super) fn run(
    key: &View,
    out: &View,
    distribution: Distribution,
    stream: u32,
    count: usize,
    dtype: DType,
    bases: &[Base],
) {
    // SAFETY: a key has two words.
    let key = unsafe {
        let words = bases[key.buffer].0.cast::<u32>().offset(key.offset);
        [*words, *words.add(1)]
    };
    let base = bases[out.buffer].0;
    // SAFETY: the plan's result is contiguous and has `count` elements.
    unsafe {
        match dtype {
            DType::F32 => {
                fill(base.cast::<f32>().offset(out.offset), count, key, distribution, stream)
            }
            DType::F64 => {
                fill(base.cast::<f64>().offset(out.offset), count, key, distribution, stream)
            }
            _ => fill(base.cast::<u32>().offset(out.offset), count, key, distribution, stream),
        }
    }
}

/// # Safety
/// `to` has room for `count` elements.
unsafe fn fill<T: Element>(
    to: *mut T,
    count: usize,
    key: [u32; 2],
    distribution: Distribution,
    stream: u32,
) {
    // SAFETY: the caller's.
    let to = unsafe { std::slice::from_raw_parts_mut(to, count) };
    for (i, to) in to.iter_mut().enumerate() {
        *to = T::from_f64(distribution.draw(key, stream, i as u64, T::DTYPE));
    }
}
