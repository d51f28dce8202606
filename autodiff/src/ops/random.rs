//! Random numbers as pure functions of a key: the same key and stream give the same
//! numbers in every pass, on every backend, at every thread count.

use crate::error::{At, Error};
use crate::graph::{Distribution, Op};
use crate::tape::{Var, record1};
use crate::{DType, Shape};

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
