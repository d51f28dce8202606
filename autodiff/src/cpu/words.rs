//! Random words, several blocks at a time.

use super::instruction_set::InstructionSet;
use super::simd::{Simd, dispatch};
use crate::scalar::philox::Words;

/// Sixteen blocks of [`philox4x32`](crate::philox4x32) for the counters that follow one another
/// in their first word (which wraps): word k of block i is `words[k][i]`.
///
/// ```
/// use burlap_autodiff::{philox4x32, philox4x32_blocks};
/// let words = philox4x32_blocks([1, 2], [7, 0, 5, 6]);
/// let block = philox4x32([1, 2], [10, 0, 5, 6]);
/// assert_eq!([0, 1, 2, 3].map(|k| words[k][3]), block);
/// ```
pub fn philox4x32_blocks(key: [u32; 2], counter: [u32; 4]) -> Words {
    // SAFETY: the processor has its best instruction set.
    dispatch!(InstructionSet::best(), S => unsafe { S::words(key, counter) })
}
