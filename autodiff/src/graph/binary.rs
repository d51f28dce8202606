//! Elementwise primitives of two operands, and comparisons: one row each, of which `ops` compiles
//! the derivatives and methods.

use crate::scalar::Scalar;

/// Loops over a function of two elements, whatever it is.
pub(crate) trait TakesFunction<T, R> {
    /// Runs them.
    fn take(self, f: impl Fn(T, T) -> R);
}

/// Hands all rows to a macro.
macro_rules! binary_rows {
    ($to:ident) => { $to! { a, b, y;
        /// a + b.
        Add "add" plus d(Partial::One, Partial::One);
        /// a − b.
        Sub "sub" minus d(Partial::One, Partial::MinusOne);
        /// a · b.
        Mul "mul" times d(Partial::factor(b), Partial::factor(a));
        /// a · b, but 0 where a is 0, even if b is infinite or NaN: the zeros of a are *strong*.
        StrongMul "strong_mul" strong_times d(Partial::Strong(b), Partial::Mask(a));
        /// a · b, but 0 where either is 0: the zeros of both are strong.
        StrongMulBoth "strong_mul_both" both_strong_times d(Partial::Both(b), Partial::Both(a));
        /// a / b.
        Div "div" over d(Partial::factor(b.recip()), Partial::factors([-y, b.recip()]));
        /// a to the power b.
        Pow "pow" power d(Partial::factor(power_base(a, b)), Partial::factor(power_exponent(a, y)));
        /// The larger of a and b; at ties each has half of the derivative.
        Max "max" larger d(Partial::Mask(chosen(a.gt(b), a, b)), Partial::Mask(chosen(b.gt(a), a, b)));
        /// The smaller of a and b; at ties each has half of the derivative.
        Min "min" smaller d(Partial::Mask(chosen(a.lt(b), a, b)), Partial::Mask(chosen(b.lt(a), a, b)));
        /// log(eᵃ + eᵇ).
        LogAddExp "logaddexp" log_add_exp d(Partial::factor(gap(a, b).sigmoid()), Partial::factor(gap(b, a).sigmoid()));
        /// The angle of the point (b, a) in (−π, π].
        Atan2 "atan2" angle d(turn(a, b, true), turn(a, b, false));
    } };
}
pub(crate) use binary_rows;

macro_rules! functions {
    ($a:ident, $b:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $function:ident
        d($da:expr, $db:expr);)*) => {
        /// The elementwise functions of two operands of one type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Binary {
            $($(#[$doc])+ $variant,)*
        }

        impl Binary {
            /// All of them.
            pub const ALL: &'static [Binary] = &[$(Binary::$variant),*];

            /// The name, as in listings.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$variant => $name),* }
            }

            /// The function itself.
            pub fn eval<T: Scalar>(self, a: T, b: T) -> T {
                match self { $(Binary::$variant => a.$function(b)),* }
            }

            /// Hands the function to loops, which are compiled for each.
            #[inline(always)]
            pub(crate) fn hand<T: Scalar>(self, to: impl TakesFunction<T, T>) {
                match self {
                    $(Binary::$variant => to.take(|a: T, b: T| a.$function(b)),)*
                }
            }
        }
    };
}
binary_rows!(functions);

impl Binary {
    /// Whether it is defined for real numbers alone.
    pub fn is_real(self) -> bool {
        matches!(self, Binary::LogAddExp | Binary::Atan2)
    }
}

/// Hands all rows to a macro.
macro_rules! compare_rows {
    ($to:ident) => {
        $to! {
            /// a = b.
            Eq "eq" equal ==;
            /// a ≠ b.
            Ne "ne" not_equal !=;
            /// a < b.
            Lt "lt" lt <;
            /// a ≤ b.
            Le "le" le <=;
            /// a > b.
            Gt "gt" gt >;
            /// a ≥ b.
            Ge "ge" ge >=;
        }
    };
}
pub(crate) use compare_rows;

macro_rules! comparisons {
    ($($(#[$doc:meta])+ $variant:ident $name:literal $method:ident $op:tt;)*) => {
        /// The comparisons; the result is `Bool` and has no derivative.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Compare {
            $($(#[$doc])+ $variant,)*
        }

        impl Compare {
            /// All of them.
            pub const ALL: &'static [Compare] = &[$(Compare::$variant),*];

            /// The name, as in listings.
            pub fn name(self) -> &'static str {
                match self { $(Compare::$variant => $name),* }
            }

            /// The comparison itself.
            pub fn eval<T: PartialOrd>(self, a: T, b: T) -> bool {
                match self { $(Compare::$variant => a $op b),* }
            }

            /// Hands the comparison to loops, which are compiled for each.
            #[inline(always)]
            pub(crate) fn hand<T: Scalar>(self, to: impl TakesFunction<T, bool>) {
                match self {
                    $(Compare::$variant => to.take(|a: T, b: T| a $op b),)*
                }
            }
        }
    };
}
compare_rows!(comparisons);
