//! The scalar functions behind the elementwise primitives, generic over the float type.

use super::special;
use crate::Element;
use num_traits::Float;

/// A floating-point element: what the kernels are generic over.
pub trait Real: Float + Element + Scalar {
    /// The nearest value to a literal.
    fn lit(x: f64) -> Self {
        Self::from_f64(x)
    }

    /// The error function, 2/√π ∫₀ˣ e^(−t²) dt.
    fn erf(self) -> Self;

    /// −1, 0 or 1; NaN for NaN.
    fn sign(self) -> Self {
        if self > Self::zero() {
            Self::one()
        } else if self < Self::zero() {
            -Self::one()
        } else {
            self
        }
    }

    /// sech² x = 4e/(1+e)² with e = exp(−2|x|), accurate in the tails where 1 − tanh² is not.
    fn sech2(self) -> Self {
        let e = (Self::lit(-2.0) * self.abs()).exp();
        let d = Self::one() + e;
        Self::lit(4.0) * e / (d * d)
    }

    /// 1/(1 + e^(−x)) without overflow.
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        let p = e / (Self::one() + e);
        if self >= Self::zero() { Self::one() / (Self::one() + e) } else { p }
    }

    /// log(1 + eˣ) without overflow.
    fn softplus(self) -> Self {
        let tail = (-self.abs()).exp().ln_1p();
        if self > Self::zero() { self + tail } else { tail }
    }
}

impl Real for f32 {
    fn erf(self) -> f32 {
        libm::erff(self)
    }
}

impl Real for f64 {
    fn erf(self) -> f64 {
        libm::erf(self)
    }
}

/// Arithmetic that every element type has: what binary primitives need. Integers wrap,
/// truth values take product and minimum as *and*, sum and maximum as *or*.
#[allow(missing_docs)]
pub trait Scalar: Element + PartialOrd {
    fn plus(self, b: Self) -> Self;
    fn minus(self, b: Self) -> Self;
    fn times(self, b: Self) -> Self;
    /// The product, but 0 where `self` is 0, whatever `b` is.
    fn strong_times(self, b: Self) -> Self;
    /// The product, but 0 where either is 0.
    fn both_strong_times(self, b: Self) -> Self;
    fn over(self, b: Self) -> Self;
    fn power(self, b: Self) -> Self;
    fn larger(self, b: Self) -> Self;
    fn smaller(self, b: Self) -> Self;
    fn log_add_exp(self, b: Self) -> Self {
        Self::from_f64(special::log_add_exp(self.to_f64(), b.to_f64()))
    }
    fn angle(self, b: Self) -> Self {
        Self::from_f64(self.to_f64().atan2(b.to_f64()))
    }
}

macro_rules! scalar_float {
    ($t:ty) => {
        impl Scalar for $t {
            #[inline(always)]
            fn plus(self, b: $t) -> $t {
                self + b
            }
            #[inline(always)]
            fn minus(self, b: $t) -> $t {
                self - b
            }
            #[inline(always)]
            fn times(self, b: $t) -> $t {
                self * b
            }
            #[inline(always)]
            fn strong_times(self, b: $t) -> $t {
                if self == 0.0 { 0.0 } else { self * b }
            }
            #[inline(always)]
            fn both_strong_times(self, b: $t) -> $t {
                // Both are compared, since a branch would keep the loop from vectorising.
                if (self == 0.0) | (b == 0.0) { 0.0 } else { self * b }
            }
            #[inline(always)]
            fn over(self, b: $t) -> $t {
                self / b
            }
            #[inline(always)]
            fn power(self, b: $t) -> $t {
                self.powf(b)
            }
            // A NaN on either side is the result: hiding it would hide a bug.
            #[inline(always)]
            fn larger(self, b: $t) -> $t {
                if self > b || self.is_nan() { self } else { b }
            }
            #[inline(always)]
            fn smaller(self, b: $t) -> $t {
                if self < b || self.is_nan() { self } else { b }
            }
        }
    };
}
scalar_float!(f32);
scalar_float!(f64);

impl Scalar for u32 {
    fn plus(self, b: u32) -> u32 {
        self.wrapping_add(b)
    }
    fn minus(self, b: u32) -> u32 {
        self.wrapping_sub(b)
    }
    fn times(self, b: u32) -> u32 {
        self.wrapping_mul(b)
    }
    fn strong_times(self, b: u32) -> u32 {
        self.times(b)
    }
    fn both_strong_times(self, b: u32) -> u32 {
        self.times(b)
    }
    fn over(self, b: u32) -> u32 {
        self.checked_div(b).unwrap_or(u32::MAX)
    }
    fn power(self, b: u32) -> u32 {
        self.wrapping_pow(b)
    }
    fn larger(self, b: u32) -> u32 {
        self.max(b)
    }
    fn smaller(self, b: u32) -> u32 {
        self.min(b)
    }
}

impl Scalar for bool {
    fn plus(self, b: bool) -> bool {
        self | b
    }
    fn minus(self, b: bool) -> bool {
        self & !b
    }
    fn times(self, b: bool) -> bool {
        self & b
    }
    fn strong_times(self, b: bool) -> bool {
        self & b
    }
    fn both_strong_times(self, b: bool) -> bool {
        self & b
    }
    fn over(self, b: bool) -> bool {
        self & b
    }
    fn power(self, b: bool) -> bool {
        self | !b
    }
    fn larger(self, b: bool) -> bool {
        self | b
    }
    fn smaller(self, b: bool) -> bool {
        self & b
    }
}
