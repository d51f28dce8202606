//! What primitives are told beside their operands.

use crate::DType;
use crate::scalar::philox;

/// A rectangular, strided choice along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first index chosen.
    pub start: usize,
    /// The distance between chosen indices, at least 1.
    pub step: usize,
}

/// Zeros put before, between and after the elements along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Padding {
    /// Zeros before the first element.
    pub before: usize,
    /// Zeros between neighbours.
    pub between: usize,
    /// Zeros after the last element.
    pub after: usize,
}

/// An axis with one index for each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Along {
    /// The axis.
    pub axis: u8,
    /// The loss whose labels the indices are.
    pub labels: Option<&'static str>,
}

impl Along {
    /// The same behind a new leading axis.
    pub(crate) fn behind(self) -> Along {
        Along { axis: self.axis + 1, ..self }
    }
}

impl From<u8> for Along {
    fn from(axis: u8) -> Along {
        Along { axis, labels: None }
    }
}

/// What random elements are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Uniform on [0, 1).
    Uniform,
    /// Normal with mean 0 and variance 1.
    Normal,
    /// Uniform 32-bit words.
    Bits,
}

impl Distribution {
    /// All of them.
    pub const ALL: &'static [Distribution] =
        &[Distribution::Uniform, Distribution::Normal, Distribution::Bits];

    /// The name, as in listings.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
            Distribution::Bits => "bits",
        }
    }

    /// Element `i` of a stream, as an element of the given type.
    pub(crate) fn draw(self, key: [u32; 2], stream: u32, i: u64, dtype: DType) -> f64 {
        let short = match dtype {
            DType::F32 => true,
            DType::F64 | DType::U32 | DType::Bool => false,
        };
        let word = || philox::word(key, stream, i);
        match self {
            Distribution::Uniform if short => f64::from(philox::unit_short(word())),
            Distribution::Uniform => philox::uniform(key, stream, i),
            Distribution::Normal if short => philox::normal_short(key, stream, i),
            Distribution::Normal => philox::normal(key, stream, i),
            Distribution::Bits => f64::from(word()),
        }
    }
}
