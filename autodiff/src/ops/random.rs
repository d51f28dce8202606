//! Random numbers as pure functions of a key: the same key and stream give the same
//! numbers in every pass, on every backend, at every thread count.

use super::batching::{Batched, Batching, lead, push, reshape};
use super::example::{Example, Rows, Sample, example};
use super::plain::Operands;
use super::primitive::{Fact, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::{Concat, Distribution, Random};
use crate::tape::{Var, record1};
use crate::work::{Draw, Emit, Kernels, Lowering, View};
use crate::{DType, Shape};

/// Draws by keys of their own are recorded one by one, up to so many.
const MOST_KEYS: usize = 1 << 16;

impl Primitive for Random {
    fn derivative(&self) -> Fact<'_> {
        Fact::Constant
    }

    /// Each entry draws by its own key. Its counter starts at 0, so there is no common draw.
    fn batched(&self, of: &Batching<'_>) -> Batched {
        let (keys, dtype, at) = (of.lifted(0)?, of.node.dtype, of.node.at);
        if of.size > MOST_KEYS {
            return Err(record1(keys, "vmap", at, |_, _| {
                let problem = format!("more than {MOST_KEYS} keys, each of which is a primitive");
                Err(Error::Parameter { op: self.distribution.name(), problem, at })
            }));
        }
        let draw = |i: usize| {
            let y = push((*self).into(), &[keys.at(i)], of.node.shape.clone(), dtype, at)?;
            reshape(y, lead(1, &of.node.shape), at)
        };
        let rows: Vec<Var> = (0..of.size).map(draw).collect::<std::result::Result<_, Var>>()?;
        if rows.is_empty() {
            let shape = lead(0, &of.node.shape);
            return Ok(record1(keys, "zeros", at, |tape, _| Ok(tape.full(0.0, &shape, dtype, at))));
        }
        of.push(Concat(0), &rows)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let key = [of.value(0)[0] as u32, of.value(0)[1] as u32];
        let draw = |i| self.distribution.draw(key, self.stream, i, of.node.dtype);
        Ok((0..of.node.shape.count() as u64).map(draw).collect())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Kernels(self)
    }
}

impl Kernels for Random {
    fn emit(&self, out: View, to: &mut dyn Emit) {
        let key = to.contiguous(0);
        let ((shape, dtype), Random { distribution, stream }) = (to.result(), *self);
        to.push(Draw { key, out, distribution, stream, count: shape.count(), dtype }.into());
    }
}

impl Rows for Random {
    fn examples() -> Vec<(&'static str, Vec<Example>)> {
        let key = [Sample::Integer(&[2], 99)];
        let of = |distribution: &Distribution| match distribution {
            Distribution::Uniform => {
                vec![example(&key, |a| a[0].uniform(3, DType::F32, [2, 3]))]
            }
            Distribution::Normal => vec![example(&key, |a| a[0].normal(3, DType::F64, [5]))],
            Distribution::Bits => vec![example(&key, |a| a[0].bits(3, ()))],
        };
        Distribution::ALL.iter().map(|d| (d.name(), of(d))).collect()
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
            Ok(tape.push(Random { distribution, stream }.into(), &[key], shape, dtype, at))
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
