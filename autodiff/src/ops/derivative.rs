//! Tangents, cotangents, and the factors by which they are multiplied.

use crate::tape::Var;
use smallvec::SmallVec;

/// ∂y/∂operand of an elementwise primitive.
pub(crate) enum Partial {
    Zero,
    One,
    MinusOne,
    /// Factors that are multiplied in one after another, so that no product of them leaves the
    /// number range before the result does.
    Factors(SmallVec<[Var; 2]>),
    /// A factor whose zeros leave out what they meet: the operand has no part in the result there.
    Mask(Var),
    /// A factor of tangents whose zeros leave out what they meet.
    Strong(Var),
    /// A factor whose zeros leave out what they meet, as do those of the tangent.
    Both(Var),
}

/// A tangent or a cotangent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Derivative {
    pub(crate) value: Var,
    /// Whether some of its zeros say that nothing depends on the element: a mask, a choice or a
    /// slice has made them. Such a zero is strong: times ∞ or NaN it remains 0.
    pub(crate) strong: bool,
}

impl Derivative {
    pub(crate) fn plain(value: Var) -> Derivative {
        Derivative { value, strong: false }
    }

    /// Times a factor.
    pub(crate) fn times(self, factor: Var) -> Derivative {
        let value = if self.strong { self.value.strong_mul(factor) } else { self.value * factor };
        Derivative { value, ..self }
    }

    /// Times a factor whose zeros are strong.
    pub(crate) fn masked(self, mask: Var) -> Derivative {
        let value = if self.strong {
            mask.strong_mul_both(self.value)
        } else {
            mask.strong_mul(self.value)
        };
        Derivative { value, strong: true }
    }

    /// The sum of two, whose zeros say nothing unless those of both do.
    pub(crate) fn plus(self, other: Derivative) -> Derivative {
        let strong = self.strong && other.strong;
        Derivative { value: self.value + other.value, strong }
    }
}

impl Partial {
    /// One factor.
    pub(crate) fn factor(factor: Var) -> Partial {
        Partial::Factors(SmallVec::from_slice(&[factor]))
    }

    /// Several factors.
    pub(crate) fn factors<const N: usize>(factors: [Var; N]) -> Partial {
        Partial::Factors(SmallVec::from_slice(&factors))
    }

    /// The partial derivative times a tangent or cotangent.
    pub(crate) fn times(self, t: Derivative) -> Option<Derivative> {
        match self {
            Partial::Zero => None,
            Partial::One => Some(t),
            Partial::MinusOne => Some(Derivative { value: -t.value, ..t }),
            Partial::Factors(factors) => Some(factors.into_iter().fold(t, Derivative::times)),
            Partial::Mask(mask) => Some(t.masked(mask)),
            Partial::Both(factor) => Some(Derivative { strong: true, ..t }.masked(factor)),
            Partial::Strong(factor) => Some(Derivative { strong: true, ..t }.times(factor)),
        }
    }
}
