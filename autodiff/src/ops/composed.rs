//! Common functions as compositions of primitives: fast by fusion, differentiable by parts.

use super::binary::binary;
use crate::DType;
use crate::error::At;
use crate::graph::Binary;
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

    /// log sigmoid(x) = −softplus(−x), without overflow.
    #[track_caller]
    pub fn log_sigmoid(self) -> Var {
        -(-self).softplus()
    }

    /// x Φ(x) with the normal distribution function Φ.
    #[track_caller]
    pub fn gelu(self) -> Var {
        self * self.normal_cdf()
    }

    /// The usual approximation of `gelu` by tanh: ½x(1 + tanh u) = x · sigmoid(2u) with
    /// u = √(2/π)(x + 0.044715 x³), the form that keeps its digits where tanh u is near −1. There
    /// it and its derivatives have relative errors of some |u| units, as e^(2u) has. Next to the largest
    /// number, from its 256th part on, second derivatives are NaN.
    #[track_caller]
    pub fn gelu_tanh(self) -> Var {
        // As x (c + 0.044715 c x²): fewer operations here and in the derivatives. From x² = 1000 on the
        // sigmoid is 0 or 1 in any type, and a bounded factor keeps infinity from its derivatives.
        let c = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
        let square = self * self;
        let square = square.le(1000.0).select(square, 1000.0);
        self * (self * (c + (0.044715 * c) * square)).sigmoid()
    }

    /// tan x = sin x / cos x.
    #[track_caller]
    pub fn tan(self) -> Var {
        self.sin() / self.cos()
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
        e.strong_mul(sum.recip().keepdims(&[axis], &shape))
    }

    /// log softmax, without overflow, along an axis: x − log Σ eˣ. Where all elements are −∞, so
    /// is the result, and the derivative of log Σ eˣ is 0.
    #[track_caller]
    pub fn log_softmax(self, axis: usize) -> Var {
        let shape = self.shape();
        let below = self.below_largest(axis);
        below - below.exponentials(axis).1.log().keepdims(&[axis], &shape)
    }

    /// x minus the largest along an axis; −∞ where all are.
    #[track_caller]
    fn below_largest(self, axis: usize) -> Var {
        let lowest = match self.dtype() {
            DType::F32 => f64::from(f32::MIN),
            DType::F64 | DType::U32 | DType::Bool => f64::MIN,
        };
        let largest = self.max_axes(&[axis]).stop_gradient().max(lowest);
        self - largest.keepdims(&[axis], &self.shape())
    }

    /// eˣ, and the sum along an axis, 1 where all are 0.
    #[track_caller]
    fn exponentials(self, axis: usize) -> (Var, Var) {
        let e = self.exp_strong();
        let sum = e.sum_axes(&[axis]);
        (e, sum.equal(0.0).select(1.0, sum))
    }
}
