//! The four element types, and the trait that ties them to Rust's.

use std::fmt;

/// The element type of a recorded value or an [`Array`](crate::Array).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit IEEE floating point.
    F32,
    /// 64-bit IEEE floating point.
    F64,
    /// Unsigned 32-bit integers: indices, labels and random keys.
    U32,
    /// Truth values: masks and comparisons.
    Bool,
}

impl DType {
    /// All element types.
    pub const ALL: [DType; 4] = [DType::F32, DType::F64, DType::U32, DType::Bool];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::U32 => 4,
            DType::F64 => 8,
            DType::Bool => 1,
        }
    }

    /// Whether values of this type carry derivatives: true of `F32` and `F64`.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// The nearest value of this type to `x`: rounding for floats, truncation and
    /// saturation for `U32`, `x ≠ 0` for `Bool`.
    pub fn round(self, x: f64) -> f64 {
        match self {
            DType::F32 => f64::from(x as f32),
            DType::F64 => x,
            DType::U32 => f64::from(x as u32),
            DType::Bool => f64::from(u8::from(x != 0.0)),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::U32 => "u32",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u32 {}
    impl Sealed for bool {}
}

/// A Rust type that an [`Array`](crate::Array) can hold: `f32`, `f64`, `u32` or `bool`.
pub trait Element: Copy + Send + Sync + PartialEq + fmt::Debug + sealed::Sealed + 'static {
    /// The corresponding [`DType`].
    const DTYPE: DType;
    /// The value nearest to `x`, as [`DType::round`] says.
    fn from_f64(x: f64) -> Self;
    /// The value as an `f64`: exact for every element type.
    fn to_f64(self) -> f64;
    #[doc(hidden)]
    fn data(values: Vec<Self>) -> crate::array::Data;
    #[doc(hidden)]
    fn slice(data: &crate::array::Data) -> Option<&[Self]>;
    #[doc(hidden)]
    fn slice_mut(data: &mut crate::array::Data) -> Option<&mut [Self]>;
}

macro_rules! element {
    ($type:ty, $variant:ident, $from:expr, $to:expr) => {
        impl Element for $type {
            const DTYPE: DType = DType::$variant;
            fn from_f64(x: f64) -> Self {
                #[allow(clippy::redundant_closure_call)]
                $from(x)
            }
            fn to_f64(self) -> f64 {
                #[allow(clippy::redundant_closure_call)]
                $to(self)
            }
            fn data(values: Vec<Self>) -> crate::array::Data {
                crate::array::Data::$variant(std::sync::Arc::new(values))
            }
            fn slice(data: &crate::array::Data) -> Option<&[Self]> {
                match data {
                    crate::array::Data::$variant(v) => Some(v),
                    _ => None,
                }
            }
            fn slice_mut(data: &mut crate::array::Data) -> Option<&mut [Self]> {
                match data {
                    crate::array::Data::$variant(v) => {
                        let values: &mut Vec<$type> = std::sync::Arc::make_mut(v);
                        Some(values)
                    }
                    _ => None,
                }
            }
        }
    };
}
element!(f32, F32, |x: f64| x as f32, f64::from);
element!(f64, F64, |x: f64| x, |x: f64| x);
element!(u32, U32, |x: f64| x as u32, f64::from);
element!(bool, Bool, |x: f64| x != 0.0, |x: bool| f64::from(u8::from(x)));
