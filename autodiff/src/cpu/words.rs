//! Random words, several blocks at a time.

use super::instruction_set::InstructionSet;
use crate::ops::philox;

/// Blocks made together.
const N: usize = 16;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(key: [u32; 2], counter: [u32; 4]) -> [[u32; 4]; N] {
    philox::blocks(key, counter)
}

/// Sixteen blocks of [`philox4x32`](crate::philox4x32) for the counters that follow one another
/// in their first word (which wraps): the same words, several at a time.
///
/// ```
/// use burlap_autodiff::{philox4x32, philox4x32_blocks};
/// let blocks = philox4x32_blocks([1, 2], [7, 0, 5, 6]);
/// assert_eq!(blocks[3], philox4x32([1, 2], [10, 0, 5, 6]));
/// ```
pub fn philox4x32_blocks(key: [u32; 2], counter: [u32; 4]) -> [[u32; 4]; N] {
    match InstructionSet::best() {
        InstructionSet::Base => philox::blocks(key, counter),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has at least AVX2.
        _ => unsafe { avx2(key, counter) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => philox::blocks(key, counter),
    }
}
