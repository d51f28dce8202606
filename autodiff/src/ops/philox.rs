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

/// `N` blocks for the counters that follow one another, in loops over words of one kind.
#[inline(always)]
pub(crate) fn blocks<const N: usize>(mut key: [u32; 2], counter: [u32; 4]) -> [[u32; 4]; N] {
    // Words of one kind side by side, so that the compiler takes several blocks at once.
    let mut c: [[u32; N]; 4] = counter.map(|word| [word; N]);
    for (i, word) in c[0].iter_mut().enumerate() {
        *word = word.wrapping_add(i as u32);
    }
    for _ in 0..10 {
        let mut next = [[0; N]; 4];
        for i in 0..N {
            let p0 = u64::from(MULTIPLY[0]) * u64::from(c[0][i]);
            let p1 = u64::from(MULTIPLY[1]) * u64::from(c[2][i]);
            next[0][i] = (p1 >> 32) as u32 ^ c[1][i] ^ key[0];
            next[1][i] = p1 as u32;
            next[2][i] = (p0 >> 32) as u32 ^ c[3][i] ^ key[1];
            next[3][i] = p0 as u32;
        }
        c = next;
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    std::array::from_fn(|i| [c[0][i], c[1][i], c[2][i], c[3][i]])
}

/// The counter of block `i` of a stream.
fn block(key: [u32; 2], stream: u32, i: u64) -> [u32; 4] {
    philox4x32(key, [i as u32, (i >> 32) as u32, stream, 0])
}

/// A number in [0, 1) with 53 random bits.
fn unit(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
    bits as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Element `i` of the uniform stream: in [0, 1), with 53 random bits.
pub(crate) fn uniform(key: [u32; 2], stream: u32, i: u64) -> f64 {
    let w = block(key, stream, i / 2);
    if i.is_multiple_of(2) { unit(w[0], w[1]) } else { unit(w[2], w[3]) }
}

/// Element `i` of the standard normal stream, by the method of Box and Muller.
pub(crate) fn normal(key: [u32; 2], stream: u32, i: u64) -> f64 {
    let w = block(key, stream, i / 2);
    // 1 − u lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - unit(w[0], w[1])).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(w[2], w[3])).sin_cos();
    radius * if i.is_multiple_of(2) { cos } else { sin }
}

/// Element `i` of the stream of words.
pub(crate) fn word(key: [u32; 2], stream: u32, i: u64) -> u32 {
    block(key, stream, i / 4)[(i % 4) as usize]
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
