//! Random numbers as pure functions of a key: the same key and stream give the same
//! numbers in every pass, on every backend, at every thread count.

use super::{Op, philox};
use crate::error::{At, Error};
use crate::tape::{Var, record1};
use crate::{DType, Shape};

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
        match (self, dtype) {
            (Distribution::Uniform, DType::F32) => {
                f64::from(philox::unit_short(philox::word(key, stream, i)))
            }
            (Distribution::Uniform, _) => philox::uniform(key, stream, i),
            (Distribution::Normal, DType::F32) => philox::normal_short(key, stream, i),
            (Distribution::Normal, _) => philox::normal(key, stream, i),
            (Distribution::Bits, _) => f64::from(philox::word(key, stream, i)),
        }
    }
}

impl Var {
    fn random(
        self,
        distribution: Distribution,
        stream: u32,
        dtype: DType,
        shape: Shape,
        at: At,
    ) -> Var {
        let name = distribution.name();
        record1(self, name, at, |tape, key| {
            let (from, key_dtype) = tape.aval(key);
            if key_dtype != DType::U32 || from != [2] {
                let problem = format!("a key is u32[2], not {key_dtype}{from}");
                return Err(Error::Parameter { op: name, problem, at });
            }
            if dtype.is_float() == (distribution == Distribution::Bits) {
                let problem = "no such numbers of this type".into();
                return Err(Error::DType { op: name, problem, operands: vec![dtype], at });
            }
            tape.check_size(name, &shape, at)?;
            Ok(tape.push(Op::Random(distribution, stream), &[key], shape, dtype, at))
        })
    }

    /// Uniform numbers in [0, 1) from this key, a `U32` value of shape `[2]`. Equal streams
    /// of one key give equal numbers.
    #[track_caller]
    pub fn uniform(self, stream: u32, dtype: DType, shape: impl Into<Shape>) -> Var {
        self.random(Distribution::Uniform, stream, dtype, shape.into(), At::caller())
    }

    /// Standard normal numbers from this key, a `U32` value of shape `[2]`.
    #[track_caller]
    pub fn normal(self, stream: u32, dtype: DType, shape: impl Into<Shape>) -> Var {
        self.random(Distribution::Normal, stream, dtype, shape.into(), At::caller())
    }

    /// Random 32-bit words from this key, a `U32` value of shape `[2]`; words of shape `[2]`
    /// are keys again.
    #[track_caller]
    pub fn bits(self, stream: u32, shape: impl Into<Shape>) -> Var {
        self.random(Distribution::Bits, stream, DType::U32, shape.into(), At::caller())
    }
}
