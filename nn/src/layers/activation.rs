//! The elementwise nonlinearities.

use burlap_autodiff::Var;

use crate::{Context, Module, Result, Scope};

/// An elementwise nonlinearity.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// use burlap_nn::Activation;
///
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [3]);
/// let y = Activation::LeakyRelu { slope: 0.25 }.apply(x);
/// let out = tape.compile(&Cpu::new(), &[y])?.run(&[&Array::vector([-2.0, 0.0, 3.0])])?;
/// assert_eq!(out[0].to_string(), "[-0.5, 0, 3]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// max(x, 0), with derivative 0 at 0.
    Relu,
    /// x where positive, `slope` · x elsewhere.
    LeakyRelu {
        /// The slope for negative x.
        slope: f64,
    },
    /// x where positive, eˣ − 1 elsewhere.
    Elu,
    /// tanh x.
    Tanh,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// log(1 + eˣ).
    Softplus,
    /// x · sigmoid(x).
    Silu,
    /// x Φ(x), with the normal distribution function Φ (Hendrycks & Gimpel 2016).
    Gelu,
    /// The approximation of [`Gelu`](Self::Gelu) by tanh.
    GeluTanh,
}

impl Activation {
    /// All of them, with PyTorch's default slope of 0.01.
    pub const ALL: [Self; 9] = [
        Self::Relu,
        Self::LeakyRelu { slope: 0.01 },
        Self::Elu,
        Self::Tanh,
        Self::Sigmoid,
        Self::Softplus,
        Self::Silu,
        Self::Gelu,
        Self::GeluTanh,
    ];

    /// The values at the elements of `x`.
    #[track_caller]
    #[must_use]
    pub fn apply(self, x: Var) -> Var {
        match self {
            Self::Relu => x.relu(),
            Self::LeakyRelu { slope } if !slope.is_finite() => {
                x.fail("leaky_relu", format!("the slope must be finite, but is {slope}"))
            }
            Self::LeakyRelu { slope } => x.leaky_relu(slope),
            Self::Elu => x.elu(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => x.sigmoid(),
            Self::Softplus => x.softplus(),
            Self::Silu => x.silu(),
            Self::Gelu => x.gelu(),
            Self::GeluTanh => x.gelu_tanh(),
        }
    }

    /// The factor for the weights of the layer before, as PyTorch's `calculate_gain` gives it:
    /// √2 for ReLU, √(2/(1 + slope²)) for leaky ReLU, 5/3 for tanh, 1 for sigmoid, and here 1
    /// for those that it does not list.
    #[must_use]
    pub fn gain(self) -> f64 {
        match self {
            Self::Relu => 2f64.sqrt(),
            Self::LeakyRelu { slope } => (2.0 / (1.0 + slope * slope)).sqrt(),
            Self::Tanh => 5.0 / 3.0,
            _ => 1.0,
        }
    }
}

impl Module for Activation {
    fn declare(&self, _: &mut Scope<'_>) -> Result<()> {
        Ok(())
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        ctx.layer(x, || self.apply(x))
    }
}
