//! Seeded draws whose values never change between releases.
//!
//! The order of the batches must survive an upgrade of the crates in use, and
//! neither the shuffles nor the default generators of `rand` promise that, so
//! the few lines needed are here.

use std::convert::Infallible;

use rand::TryRng;

/// Weyl increment of SplitMix64: 2⁶⁴ over the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a stream is used for, so that equal seeds do not correlate two uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The order of the examples in an epoch.
    Shuffle = 1,
    /// Which examples go into the test part.
    Split = 2,
    /// Which labels are flipped, and to what.
    Flip = 3,
    /// The first values of a parameter.
    Init = 4,
}

/// A SplitMix64 generator (Steele, Lea & Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    state: u64,
}

/// The output function of SplitMix64, a bijection.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of `seed` for one use, number `index` among its like.
    pub(crate) fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut state = seed;
        for word in [purpose as u64, index] {
            // Each step is a bijection of `word`, so distinct indices start
            // at distinct states.
            state = mix(mix(state.wrapping_add(GAMMA)) ^ word);
        }
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A uniform draw from `0..bound` (Lemire 2019); 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next()) * u128::from(bound);
        if (product as u64) < bound {
            // 2⁶⁴ mod bound: low words under it would favour some values.
            let threshold = bound.wrapping_neg() % bound;
            while (product as u64) < threshold {
                product = u128::from(self.next()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// The first `count` entries of a uniform permutation of `0..n`.
    pub(crate) fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let count = count.min(n);
        for i in 0..count {
            let j = i + self.below((n - i) as u64) as usize;
            order.swap(i, j);
        }
        order.truncate(count);
        order
    }

    /// A uniform permutation of `0..n`.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        self.sample(n, n)
    }
}

/// For the distributions of `rand_distr`.
impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_stream_matches_the_published_values() {
        let mut stream = Stream { state: 1_234_567 };
        let drawn: Vec<u64> = (0..5).map(|_| stream.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut stream = Stream::new(3, Purpose::Flip, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        // Standard deviation of a count is about 93.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 500), "{counts:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
        let large = (1 << 63) + 1;
        assert!((0..1000).all(|_| stream.below(large) < large));
    }

    #[test]
    fn permutations_of_three_are_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..6000 {
            let order = Stream::new(11, Purpose::Shuffle, index).permutation(3);
            *counts.entry(order).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        // Standard deviation of a count is about 29.
        assert!(counts.values().all(|&c| c.abs_diff(1000) < 160), "{counts:?}");
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let start = |seed, purpose, index| Stream::new(seed, purpose, index).next();
        let base = start(1, Purpose::Shuffle, 0);
        assert_ne!(base, start(2, Purpose::Shuffle, 0));
        assert_ne!(base, start(1, Purpose::Split, 0));
        assert_ne!(base, start(1, Purpose::Shuffle, 1));
    }
}
