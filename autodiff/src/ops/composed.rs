//! Common functions as compositions of primitives: fast by fusion, differentiable by parts.

use super::Binary;
use super::binary::binary;
use crate::DType;
use crate::error::At;
use crate::tape::Var;

impl Var {
    /// x².
    #[track_caller]
    pub fn square(self) -> Var {
        binary(self.into(), self.into(), Binary::Mul, At::caller())
    }

    /// max(x, 0), with derivative 0 at 0; NaN stays NaN.
    #[track_caller]
    pub fn relu(self) -> Var {
        let zero = self.constant_like(0.0);
        self.le(0.0).select(zero, self)
    }

    /// x where positive, `slope` · x elsewhere.
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Var {
        self.le(0.0).select(slope * self, self)
    }

    /// x where positive, eˣ − 1 elsewhere.
    #[track_caller]
    pub fn elu(self) -> Var {
        let negative = self.le(0.0);
        // The branch that is not taken must stay finite, or its derivative is 0 · ∞.
        let below = negative.select(self, self.constant_like(0.0));
        negative.select(below.expm1(), self)
    }

    /// x · sigmoid(x).
    #[track_caller]
    pub fn silu(self) -> Var {
        self * self.sigmoid()
    }

    /// x Φ(x) with the normal distribution function Φ, by the error function.
    #[track_caller]
    pub fn gelu(self) -> Var {
        0.5 * self * (1.0 + (self * std::f64::consts::FRAC_1_SQRT_2).erf())
    }

    /// The usual approximation of `gelu` by tanh: ½x(1 + tanh(√(2/π)(x + 0.044715 x³))).
    #[track_caller]
    pub fn gelu_tanh(self) -> Var {
        // As x (c + 0.044715 c x²): fewer operations here and in the derivatives.
        let c = (2.0 / std::f64::consts::PI).sqrt();
        let inner = self * (c + (0.044715 * c) * (self * self));
        0.5 * self * (1.0 + inner.tanh())
    }

    /// tan x = sin x / cos x.
    #[track_caller]
    pub fn tan(self) -> Var {
        self.sin() / self.cos()
    }

    /// cosh x = (eˣ + e^(−x))/2.
    #[track_caller]
    pub fn cosh(self) -> Var {
        0.5 * (self.exp() + (-self).exp())
    }

    /// sinh x, accurate near 0: the difference of eˣ − 1 and e⁻ˣ − 1, halved.
    #[track_caller]
    pub fn sinh(self) -> Var {
        0.5 * (self.expm1() - (-self).expm1())
    }

    /// The smallest integer not below x.
    #[track_caller]
    pub fn ceil(self) -> Var {
        -(-self).floor()
    }

    /// x limited to `low ≤ x ≤ high`; derivative 1 inside, 0 outside, ½ at the limits.
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Var {
        self.max(low).min(high)
    }

    /// The elements divided by their sum after exponentiation, along an axis.
    ///
    /// An element of −∞ is 0, with derivatives 0 even where that of what follows is infinite,
    /// as that of √ is; so are all where all are −∞.
    #[track_caller]
    pub fn softmax(self, axis: usize) -> Var {
        let shape = self.shape();
        let (e, sum) = self.below_largest(axis).exponentials(axis);
        e.strong_mul(sum.recip().keep_axes(&[axis], &shape))
    }

    /// log softmax, without overflow, along an axis: x − log Σ eˣ. Where all elements are −∞, so
    /// is the result, and the derivative of log Σ eˣ is 0.
    #[track_caller]
    pub fn log_softmax(self, axis: usize) -> Var {
        let shape = self.shape();
        let below = self.below_largest(axis);
        below - below.exponentials(axis).1.log().keep_axes(&[axis], &shape)
    }

    /// x minus the largest along an axis; −∞ where all are.
    #[track_caller]
    fn below_largest(self, axis: usize) -> Var {
        let lowest = if self.dtype() == DType::F32 { f64::from(f32::MIN) } else { f64::MIN };
        let largest = self.max_axes(&[axis]).stop_gradient().max(lowest);
        self - largest.keep_axes(&[axis], &self.shape())
    }

    /// eˣ, and the sum along an axis, 1 where all are 0.
    #[track_caller]
    fn exponentials(self, axis: usize) -> (Var, Var) {
        let e = self.exp_strong();
        let sum = e.sum_axes(&[axis]);
        (e, sum.equal(0.0).select(1.0, sum))
    }
}
