//! The counter-based generator Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random
//! numbers: as easy as 1, 2, 3. SC 2011). A block of four words is a pure function of key
//! and counter, so draws do not depend on order, thread count or backend.

const MULTIPLY: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Four random words as a pure function of a key and a counter: Philox 4x32-10.
///
/// Source: Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011.
///
/// ```
/// let words = burlap_autodiff::philox4x32([0; 2], [0; 4]);
/// assert_eq!(words[0], 0x6627_e8d5);
/// ```
pub fn philox4x32(mut key: [u32; 2], mut c: [u32; 4]) -> [u32; 4] {
    for _ in 0..10 {
        let p0 = u64::from(MULTIPLY[0]) * u64::from(c[0]);
        let p1 = u64::from(MULTIPLY[1]) * u64::from(c[2]);
        c = [
            (p1 >> 32) as u32 ^ c[1] ^ key[0],
            p1 as u32,
            (p0 >> 32) as u32 ^ c[3] ^ key[1],
            p0 as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    c
}

/// Blocks that are made together, so that loops over words of one kind fill vector registers.
pub(crate) const TOGETHER: usize = 16;

/// Elements that come from one group of blocks: each of the four words makes one of each block.
pub(crate) const GROUP: usize = 4 * TOGETHER;

/// Words of one kind side by side: word k of block i is `words[k][i]`.
pub(crate) type Words = [[u32; TOGETHER]; 4];

/// The blocks for the counters that follow one another in their first word, which wraps.
#[inline(always)]
pub(crate) fn blocks(mut key: [u32; 2], counter: [u32; 4]) -> Words {
    // In lanes of 64 bits, of which the low halves count: the product's two halves need not be
    // taken apart and packed again in each round.
    let mut c = counter.map(|word| [u64::from(word); TOGETHER]);
    for (i, word) in c[0].iter_mut().enumerate() {
        *word = u64::from((*word as u32).wrapping_add(i as u32));
    }
    for _ in 0..10 {
        let [k0, k1] = key.map(u64::from);
        let [c0, c1, c2, c3] = &mut c;
        for (((c0, c1), c2), c3) in c0.iter_mut().zip(c1).zip(c2).zip(c3) {
            let p0 = u64::from(MULTIPLY[0]) * (*c0 & LOW);
            let p1 = u64::from(MULTIPLY[1]) * (*c2 & LOW);
            (*c0, *c1) = ((p1 >> 32) ^ *c1 ^ k0, p1);
            (*c2, *c3) = ((p0 >> 32) ^ *c3 ^ k1, p0);
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    let mut words = [[0; TOGETHER]; 4];
    for (to, from) in words.as_flattened_mut().iter_mut().zip(c.as_flattened()) {
        *to = *from as u32;
    }
    words
}

const LOW: u64 = 0xffff_ffff;

/// Which half of an element's 64 random bits: single precision does without the low one, so
/// that both precisions draw nearly the same numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    High,
    Low,
}

/// The counter of a stream's block.
pub(crate) fn counter(stream: u32, block: u64, half: Half) -> [u32; 4] {
    [block as u32, (block >> 32) as u32, stream, half as u32]
}

/// Where element `i` of a stream comes from: a block, and which of its words.
fn place(i: u64) -> (u64, usize) {
    let (group, within) = (i / GROUP as u64, i as usize % GROUP);
    (group * TOGETHER as u64 + (within % TOGETHER) as u64, within / TOGETHER)
}

/// A number in [0, 1) with 53 random bits.
pub(crate) fn unit(high: u32, low: u32) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 32) as f64;
    (f64::from(high) + f64::from(low >> 11) * (1.0 / (1 << 21) as f64)) * UNIT
}

/// The same in single precision: of 24 bits, rounded down, so that it stays below 1.
pub(crate) fn unit_short(high: u32) -> f32 {
    (high >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// A number in (0, 1] whose logarithm is finite, with more bits the nearer it is to 0.
pub(crate) fn positive_unit(high: u32, low: u32) -> f64 {
    unit(high, low) + 0.5 / (1u64 << 53) as f64
}

/// The same in single precision.
pub(crate) fn positive_unit_short(high: u32) -> f32 {
    (high | 1) as f32 * (1.0 / (1u64 << 32) as f32)
}

/// Element `i` of the uniform stream in double precision.
pub(crate) fn uniform(key: [u32; 2], stream: u32, i: u64) -> f64 {
    let (block, kind) = place(i);
    let [high, low] = both(key, stream, block);
    unit(high[kind], low[kind])
}

/// Element `i` of the standard normal stream in double precision, by the method of Box and
/// Muller: two words of a block make a cosine and a sine.
pub(crate) fn normal(key: [u32; 2], stream: u32, i: u64) -> f64 {
    let (block, kind) = place(i);
    let [high, low] = both(key, stream, block);
    let first = kind & 2;
    let radius = (-2.0 * positive_unit(high[first], low[first]).ln()).sqrt();
    let angle = std::f64::consts::TAU * unit(high[first + 1], low[first + 1]);
    radius * if kind == first { angle.cos() } else { angle.sin() }
}

/// Element `i` of the standard normal stream in single precision, before it is rounded.
pub(crate) fn normal_short(key: [u32; 2], stream: u32, i: u64) -> f64 {
    let (block, kind) = place(i);
    let high = philox4x32(key, counter(stream, block, Half::High));
    let first = kind & 2;
    let radius = (-2.0 * f64::from(positive_unit_short(high[first])).ln()).sqrt();
    let angle = std::f64::consts::TAU * unit(high[first + 1], 0);
    radius * if kind == first { angle.cos() } else { angle.sin() }
}

fn both(key: [u32; 2], stream: u32, block: u64) -> [[u32; 4]; 2] {
    [Half::High, Half::Low].map(|half| philox4x32(key, counter(stream, block, half)))
}

/// Element `i` of the stream of words.
pub(crate) fn word(key: [u32; 2], stream: u32, i: u64) -> u32 {
    let (block, kind) = place(i);
    philox4x32(key, counter(stream, block, Half::High))[kind]
}

#[cfg(test)]
mod tests {
    use super::philox4x32 as philox;

    /// The known answers of the authors' Random123 distribution (kat_vectors).
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 2], [!0; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
