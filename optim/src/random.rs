//! Counter-based random streams for rand_distr: a draw can be regenerated instead of
//! stored, and does not depend on the number of threads.

use burlap_autodiff::philox4x32_blocks;
use rand::rand_core::TryRng;
use rayon::prelude::*;
use std::convert::Infallible;

/// What a stream is for, so that no two uses share numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Directions of sharpness measures.
    Direction = 1,
    /// Start vectors of Lanczos iterations.
    Lanczos = 2,
    /// Probes of stochastic trace estimators.
    Probe = 3,
    /// Keys of random primitives, such as dropout's.
    Key = 4,
    /// Anything of the user's.
    User = 5,
}

/// The name of one draw: the same name gives the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// The experiment's seed.
    pub seed: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// The optimizer's step, or the number of the estimate.
    pub step: u64,
    /// The sample within it.
    pub sample: u32,
}

/// A random stream over Philox 4x32-10: part `chunk` of a draw.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    /// Several blocks, which are made together.
    words: [[u32; BLOCKS]; 4],
    used: usize,
}

/// Blocks of four words that a stream makes at a time.
const BLOCKS: usize = 16;

impl Draw {
    /// A stream of this draw; streams of different chunks are independent.
    pub fn stream(self, chunk: u32) -> Stream {
        // Key and counter are an injective image of the draw's name: 64 bits of seed in the
        // key, and in the counter 24 bits each of sample and chunk and 40 of step, which no
        // run exceeds; 32 bits count within the stream.
        let purpose = (self.purpose as u32) << 24;
        let high = ((self.step >> 32) as u32) << 24;
        Stream {
            key: [self.seed as u32, (self.seed >> 32) as u32],
            counter: [0, chunk ^ high, self.step as u32, purpose | (self.sample & 0x00ff_ffff)],
            words: [[0; BLOCKS]; 4],
            used: 4 * BLOCKS,
        }
    }

    /// Two words that serve as a key of the tape's random primitives.
    pub fn key(self) -> [u32; 2] {
        let mut stream = self.stream(0);
        [stream.word(), stream.word()]
    }

    /// Fills a vector from `f(stream, element)`, in parts of fixed length so that the numbers do
    /// not depend on the number of threads.
    pub(crate) fn fill(self, out: &mut [f64], f: impl Fn(&mut Stream) -> f64 + Sync) {
        const PART: usize = 4096;
        let fill = |(chunk, part): (usize, &mut [f64])| {
            let mut stream = self.stream(chunk as u32);
            part.iter_mut().for_each(|x| *x = f(&mut stream));
        };
        if out.len() <= 8 * PART {
            out.chunks_mut(PART).enumerate().for_each(fill);
        } else {
            out.par_chunks_mut(PART).enumerate().for_each(fill);
        }
    }
}

impl Stream {
    fn word(&mut self) -> u32 {
        if self.used == 4 * BLOCKS {
            self.words = philox4x32_blocks(self.key, self.counter);
            self.counter[0] = self.counter[0].wrapping_add(BLOCKS as u32);
            self.used = 0;
        }
        let (block, kind) = (self.used / 4, self.used % 4);
        self.used += 1;
        self.words[kind][block]
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(u64::from(self.word()) << 32 | low)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for part in dst.chunks_mut(4) {
            let bytes = self.word().to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Draw, Purpose};
    use rand_distr::{Distribution, StandardNormal};

    const DRAW: Draw = Draw { seed: 7, purpose: Purpose::Direction, step: 3, sample: 1 };

    fn normal(draw: Draw, n: usize) -> Vec<f64> {
        let mut out = vec![0.0; n];
        draw.fill(&mut out, |stream| StandardNormal.sample(stream));
        out
    }

    #[test]
    fn a_draw_is_a_function_of_its_name() {
        assert_eq!(normal(DRAW, 100_000), normal(DRAW, 100_000));
        let others = [
            Draw { seed: 8, ..DRAW },
            Draw { seed: 7 | 1 << 40, ..DRAW },
            Draw { step: 4, ..DRAW },
            Draw { step: 3 | 1 << 32, ..DRAW },
            Draw { sample: 2, ..DRAW },
            Draw { purpose: Purpose::Probe, ..DRAW },
        ];
        for other in others {
            assert_ne!(normal(DRAW, 4), normal(other, 4), "{other:?}");
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let all = normal(DRAW, 200_000);
        let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else {
            return;
        };
        assert_eq!(all, pool.install(|| normal(DRAW, 200_000)));
    }

    #[test]
    fn parts_are_independent() {
        // Correlation of neighbouring parts: within 4 standard errors of 0.
        let x = normal(DRAW, 8192);
        let correlation: f64 = (0..4096).map(|i| x[i] * x[i + 4096]).sum::<f64>() / 4096.0;
        assert!(correlation.abs() < 4.0 / 64.0, "{correlation}");
    }
}
