//! First values of the parameters.

use burlap_autodiff::{Array, DType, Shape};
use rand_distr::{Distribution, Normal, Uniform};

use crate::data::random::{Purpose, Stream};
use crate::layout::elements;
use crate::{Error, Result, memory};

/// What the first values of a parameter are drawn from.
///
/// A weight of shape `[out, in, r…]` has fan-in in · Πr and fan-out out · Πr, as in PyTorch's
/// `torch.nn.init`. Each parameter draws from a stream of its own, a function of the seed and
/// its name only; draws are made in `f64` and then rounded, so that an `f32` and an `f64`
/// model start at the same point.
///
/// ```
/// use burlap_autodiff::DType;
/// use burlap_nn::Init;
///
/// let he = Init::KaimingNormal { gain: 2f64.sqrt() };
/// let weight = he.draw(1, "fc1.weight", DType::F64, [100, 50])?;
/// let squares: f64 = weight.to_f64_vec().iter().map(|w| w * w).sum();
/// assert!((squares / 5000.0 - 2.0 / 50.0).abs() < 4e-3);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// All 0.
    Zeros,
    /// All one number.
    Constant(f64),
    /// Uniform on [low, high).
    Uniform {
        /// The smallest value.
        low: f64,
        /// The bound above all values.
        high: f64,
    },
    /// Normal.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// Uniform on ±gain · √(3 / fan-in), of variance gain² / fan-in (He, Zhang, Ren & Sun 2015).
    KaimingUniform {
        /// √2 before a ReLU; see [`Activation::gain`](crate::Activation::gain).
        gain: f64,
    },
    /// Normal with mean 0 and variance gain² / fan-in (He, Zhang, Ren & Sun 2015, eq. 10).
    KaimingNormal {
        /// √2 before a ReLU; see [`Activation::gain`](crate::Activation::gain).
        gain: f64,
    },
    /// Uniform on ±gain · √(6 / (fan-in + fan-out)) (Glorot & Bengio 2010, eq. 16).
    XavierUniform {
        /// 1 in the paper; see [`Activation::gain`](crate::Activation::gain).
        gain: f64,
    },
    /// Normal with mean 0 and variance 2 gain² / (fan-in + fan-out) (Glorot & Bengio 2010).
    XavierNormal {
        /// 1 in the paper; see [`Activation::gain`](crate::Activation::gain).
        gain: f64,
    },
}

impl Init {
    /// Uniform on ±1/√fan-in: what PyTorch gives the weight of a `Linear`, there written as
    /// `kaiming_uniform_` with `a = sqrt(5)`, which is a gain of √⅓.
    #[must_use]
    pub fn linear_weight() -> Self {
        Self::KaimingUniform { gain: (1.0f64 / 3.0).sqrt() }
    }

    /// Uniform on ±1/√fan-in: what PyTorch gives the bias of a `Linear` of `fan_in` inputs.
    #[must_use]
    pub fn linear_bias(fan_in: usize) -> Self {
        let bound = (fan_in as f64).sqrt().recip();
        Self::Uniform { low: -bound, high: bound }
    }

    /// The first values of the parameter `name`, from the stream of `seed` and that name.
    ///
    /// # Errors
    ///
    /// [`Error::Init`] for a distribution with parameters that are not finite, a negative
    /// standard deviation or low > high, if the shape has no fan and one is needed, or for an element
    /// type that is not of floats; [`Error::TooLarge`] and [`Error::Memory`] for shapes that fit no
    /// memory.
    pub fn draw(
        self,
        seed: u64,
        name: &str,
        dtype: DType,
        shape: impl Into<Shape>,
    ) -> Result<Array> {
        let shape = shape.into();
        if !dtype.is_float() {
            let problem = "the element type is not of floats";
            return Err(Error::Init { name: name.to_owned(), shape, problem });
        }
        let count = elements(name, &shape)?;
        memory::check_parameters(count)?;
        let values = self.sampler(name, &shape)?.draw(seed, name, count);
        Ok(Array::from_f64(dtype, shape, &values)?)
    }

    /// The distribution for one parameter, ready to draw from.
    pub(crate) fn sampler(self, name: &str, shape: &Shape) -> Result<Sampler> {
        let fail = |problem| Error::Init { name: name.to_owned(), shape: shape.clone(), problem };
        let (fan_in, fan_out) = fans(shape);
        let scale = |gain: f64, fan: Option<f64>| match fan {
            _ if !(gain >= 0.0 && gain.is_finite()) => {
                Err(fail("the gain is negative or infinite"))
            }
            None => Err(fail("a fan needs at least two axes")),
            Some(0.0) => Err(fail("the fan is 0")),
            Some(fan) => Ok(gain / fan.sqrt()),
        };
        let both = fan_in.zip(fan_out).map(|(i, o)| 0.5 * (i + o));
        let around = |bound: f64| Self::Uniform { low: -bound, high: bound };
        let centred = |std: f64| Self::Normal { mean: 0.0, std };
        let width = 3f64.sqrt();
        match self {
            Self::Zeros => Ok(Sampler::Constant(0.0)),
            Self::Constant(value) if value.is_finite() => Ok(Sampler::Constant(value)),
            Self::Constant(_) => Err(fail("the constant is not finite")),
            Self::Uniform { low, high } if low == high && low.is_finite() => {
                Ok(Sampler::Constant(low))
            }
            Self::Uniform { low, high } => Uniform::new(low, high)
                .map(Sampler::Uniform)
                .map_err(|_| fail("the bounds are not finite, or low is above high")),
            // `Normal` itself would mirror at a negative deviation.
            Self::Normal { mean, std } if mean.is_finite() && std >= 0.0 => Normal::new(mean, std)
                .map(Sampler::Normal)
                .map_err(|_| fail("the standard deviation is not finite")),
            Self::Normal { .. } => Err(fail("the mean is not finite, or the deviation negative")),
            Self::KaimingUniform { gain } => {
                around(width * scale(gain, fan_in)?).sampler(name, shape)
            }
            Self::KaimingNormal { gain } => centred(scale(gain, fan_in)?).sampler(name, shape),
            Self::XavierUniform { gain } => around(width * scale(gain, both)?).sampler(name, shape),
            Self::XavierNormal { gain } => centred(scale(gain, both)?).sampler(name, shape),
        }
    }
}

/// Fan-in and fan-out of a weight, where it has at least two axes.
fn fans(shape: &Shape) -> (Option<f64>, Option<f64>) {
    match **shape {
        [out, input, ref field @ ..] => {
            let field: f64 = field.iter().map(|&n| n as f64).product();
            (Some(input as f64 * field), Some(out as f64 * field))
        }
        _ => (None, None),
    }
}

/// A checked distribution.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sampler {
    Constant(f64),
    Uniform(Uniform<f64>),
    Normal(Normal<f64>),
}

impl Sampler {
    /// Draws the first values of the parameter `name`.
    pub(crate) fn draw(&self, seed: u64, name: &str, count: usize) -> Vec<f64> {
        let mut stream = Stream::new(seed, Purpose::Init, hash(name));
        match self {
            Self::Constant(value) => vec![*value; count],
            Self::Uniform(uniform) => uniform.sample_iter(&mut stream).take(count).collect(),
            Self::Normal(normal) => normal.sample_iter(&mut stream).take(count).collect(),
        }
    }
}

/// The hash FNV-1a of a name: the same on every platform and in every release.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
