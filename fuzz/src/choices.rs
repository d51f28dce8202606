//! Choices taken from a fuzzer's bytes; the first of each once there are none left.

use arbitrary::Unstructured;
use burlap::autodiff::testing::{Instruction, RandomProgram, Step};
use burlap::autodiff::{DType, Padding};

pub(crate) struct Choices<'a> {
    bytes: Unstructured<'a>,
    /// Whether nothing odd is chosen: one odd call is refused, and with it all others.
    pub(crate) plain: bool,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Choices<'a> {
        Choices { bytes: Unstructured::new(data), plain: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.bytes.int_in_range(0..=n.saturating_sub(1)).unwrap_or(0)
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        // The last possibility, so that what has no choices left is plain.
        self.below(one_in) + 1 == one_in
    }

    /// Whether something is to be chosen that is mostly refused.
    pub(crate) fn odd(&mut self, one_in: usize) -> bool {
        !self.plain && self.chance(one_in)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.bytes.arbitrary().unwrap_or(0)
    }

    /// Mostly small, at times absurd.
    pub(crate) fn size(&mut self) -> usize {
        const ABSURD: [usize; 8] =
            [65, 256, 257, 1 << 20, 1 << 32, 1 << 59, isize::MAX as usize, usize::MAX];
        if self.odd(8) { self.pick(&ABSURD) } else { self.pick(&[1, 2, 3, 0, 4, 5, 7]) }
    }

    /// An axis of a value with so many, seldom one that it does not have.
    pub(crate) fn axis(&mut self, rank: usize) -> usize {
        if self.odd(32) {
            self.pick(&[rank, 63, 64, 255, 256, usize::MAX])
        } else {
            self.below(rank)
        }
    }

    /// Different axes in any order, seldom any at all.
    pub(crate) fn axes(&mut self, rank: usize) -> Vec<usize> {
        if self.odd(32) {
            return (0..self.below(5)).map(|_| self.axis(rank)).collect();
        }
        let mut rest: Vec<usize> = (0..rank).collect();
        (0..self.below(rank + 1)).map(|_| rest.remove(self.below(rest.len()))).collect()
    }

    /// An order of all axes, seldom any list of them.
    pub(crate) fn order(&mut self, rank: usize) -> Vec<usize> {
        if self.odd(32) {
            return self.axes(rank + 1);
        }
        let mut rest: Vec<usize> = (0..rank).collect();
        (0..rank).map(|_| rest.remove(self.below(rest.len()))).collect()
    }

    pub(crate) fn sizes(&mut self) -> Vec<usize> {
        (0..self.below(4)).map(|_| self.size()).collect()
    }

    /// Sizes of a value that a test can hold.
    pub(crate) fn shape(&mut self, least: usize) -> Vec<usize> {
        (0..self.below(4)).map(|_| self.pick(&[2, 3, 1, 5, least])).collect()
    }

    pub(crate) fn dtype(&mut self) -> DType {
        self.pick(&[DType::F64, DType::F64, DType::F32, DType::U32, DType::Bool])
    }

    pub(crate) fn float(&mut self) -> DType {
        self.pick(&[DType::F64, DType::F32])
    }

    pub(crate) fn number(&mut self) -> f64 {
        const NUMBERS: [f64; 16] = [
            1.0,
            0.0,
            -1.0,
            2.0,
            0.5,
            3.0,
            -0.0,
            -7.25,
            1e-8,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e308,
            1e-320,
            4294967296.0,
            0.1,
        ];
        self.pick(&NUMBERS)
    }

    pub(crate) fn padding(&mut self, rank: usize) -> Vec<Padding> {
        let rank = if self.odd(32) { rank + 1 } else { rank };
        let absurd = self.odd(16);
        let mut size = || if absurd { self.size() } else { self.below(3) };
        (0..rank).map(|_| Padding { before: size(), between: size(), after: size() }).collect()
    }

    /// A well-formed program whose values stay within moderate bounds.
    pub(crate) fn program(&mut self) -> RandomProgram {
        let steps = Step::all();
        let (seed, variable, data) = (self.word(), self.shape(1), self.shape(0));
        let mut instructions = Vec::new();
        for _ in 0..1 + self.below(14) {
            let step = self.pick(&steps);
            let choices = self.bytes.arbitrary().unwrap_or_default();
            instructions.push(Instruction { step, choices });
        }
        RandomProgram { seed, variable, data, instructions, smooth: false }
    }
}
