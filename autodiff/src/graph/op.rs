//! The list of primitives: a closed set. What is true of each is in `ops`, a section for each.

use super::{Along, Binary, Compare, Contraction, Distribution, Padding, Range, Unary};
use crate::shape::Axes;
use smallvec::SmallVec;

/// Random numbers; the operand is the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Random {
    /// What is drawn from.
    pub distribution: Distribution,
    /// Equal streams of one key give equal numbers.
    pub stream: u32,
}

impl Random {
    fn name(&self) -> &'static str {
        self.distribution.name()
    }
}

/// Along which axis something runs, and from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    /// The axis.
    pub axis: u8,
    /// Whether from its last element to the first.
    pub reverse: bool,
}

/// Hands the list of primitives to a macro: a variant, what it is told beside its operands, its name.
///
/// Tables have rows of their own, each with a name. Programs do not contain identities; of all others
/// [`Op::names`] is the list.
macro_rules! primitives {
    ($to:ident) => {
        $to! {
            leaves {
                /// A declared input.
                Input(u32) "input";
                /// The result of an ill-formed operation; the tape holds its error.
                Poison(u32) "poison";
                /// A scalar, as the bits of an `f64`.
                Constant(u64) "constant";
                /// An array kept by the tape.
                Literal(u32) "literal";
            }
            tables {
                /// Elementwise functions of one operand.
                Unary;
                /// Elementwise functions of two operands of the result's shape.
                Binary;
                /// Comparisons of two operands of the result's shape.
                Compare;
                /// Random numbers; the operand is the key.
                Random;
            }
            identities {
                /// The identity: a variable of its own with the value of another.
                Alias "alias";
                /// The identity, as a leaf that a transform holds fixed.
                Hold(u32) "hold";
            }
            others {
                /// The identity, through which no derivative flows; programs do not contain it.
                StopGradient "stop_gradient";
                /// The identity, from which values are computed again that nobody kept. What is recorded
                /// on it is distinct from what is recorded on its operand, and on others of another number.
                Recompute(u32) "recompute";
                /// `mask ? a : b`, elementwise.
                Select "select";
                /// Another element type.
                Cast "cast";
                /// The sum over axes, which vanish.
                Sum(Axes) "sum";
                /// The largest element over axes, which vanish.
                Max(Axes) "max_over";
                /// The smallest element over axes, which vanish.
                Min(Axes) "min_over";
                /// Sums of all elements up to each along an axis.
            CumSum(Running) "cumsum";
            /// The index of the first largest element along an axis, which vanishes.
                ArgMax(u8) "argmax";
                /// The same elements in row-major order under another shape.
                Reshape "reshape";
                /// Operand axis `i` becomes the result's axis `axes[i]`; the others are repeated.
                Broadcast(Axes) "broadcast";
                /// Result axis `i` is the operand's axis `axes[i]`.
                Transpose(Axes) "transpose";
                /// A rectangular, strided choice along each axis.
                Slice(SmallVec<[Range; 2]>) "slice";
                /// Zeros before, between and after the elements along each axis.
                Pad(SmallVec<[Padding; 2]>) "pad";
                /// The operands one after the other along an axis.
                Concat(u8) "concat";
                /// The reverse order along axes.
                Flip(Axes) "flip";
                /// Sums of products over paired axes of two operands.
                Contract(Box<Contraction>) "contract";
                /// Entries at indices, whose axes replace an axis.
                Gather(u8) "gather";
                /// The transpose of `Gather`: adds parts to zeros.
                ScatterAdd(u8) "scatter_add";
                /// One index for each element of the result, along an axis.
                TakeAlong(Along) "take_along";
                /// The transpose of `TakeAlong`.
                ScatterAlong(Along) "scatter_along";
            }
        }
    };
}
pub(crate) use primitives;

/// The first of two types.
macro_rules! first {
    ($a:ty, $b:ty) => {
        $a
    };
}

/// A primitive of what it is told, or of a reference to that.
macro_rules! from {
    ($name:ident) => {
        impl From<&$name> for Op {
            fn from(_: &$name) -> Op {
                Op::$name
            }
        }
    };
    ($name:ident $told:ty) => {
        impl From<$name> for Op {
            fn from(told: $name) -> Op {
                Op::$name(told)
            }
        }

        impl From<&$name> for Op {
            fn from(told: &$name) -> Op {
                Op::$name(told.clone())
            }
        }
    };
}

macro_rules! define {
    (leaves { $($(#[$l:meta])+ $Leaf:ident($Told:ty) $leaf:literal;)* }
     tables { $($(#[$t:meta])+ $Table:ident;)* }
     identities { $($(#[$i:meta])+ $Identity:ident $(($With:ty))? $identity:literal;)* }
     others { $($(#[$o:meta])+ $Other:ident $(($By:ty))? $other:literal;)* }) => {
        /// A primitive operation. The set is closed: a backend that knows these knows all.
        ///
        /// Sizes that follow from the result's shape are not repeated here.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Op {
            $($(#[$l])+ $Leaf($Told),)*
            $($(#[$t])+ $Table($Table),)*
            $($(#[$i])+ $Identity $((first!($Identity, $With)))?,)*
            $($(#[$o])+ $Other $((first!($Other, $By)))?,)*
        }

        $($(#[$i])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $Identity $((pub $With))?;)*

        $($(#[$o])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $Other $((pub $By))?;)*

        $(impl From<$Table> for Op {
            fn from(row: $Table) -> Op {
                Op::$Table(row)
            }
        })*

        $(from!($Identity $($With)?);)*
        $(from!($Other $($By)?);)*

        impl Op {
            /// The names of all primitives of which programs are made, and of those identities
            /// that derivatives see: what tests go through so that none is forgotten.
            pub fn names() -> Vec<&'static str> {
                let mut names: Vec<&'static str> = Unary::ALL.iter().map(|f| f.name()).collect();
                names.extend(Binary::ALL.iter().map(|f| f.name()));
                names.extend(Compare::ALL.iter().map(|f| f.name()));
                names.extend([$($other),*]);
                names.extend(Distribution::ALL.iter().map(|d| d.name()));
                names
            }

            /// The primitive's name, as in error messages and listings.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Op::$Leaf(_) => $leaf,)*
                    $(Op::$Table(row) => row.name(),)*
                    $(Op::$Identity { .. } => $identity,)*
                    $(Op::$Other { .. } => $other,)*
                }
            }
        }
    };
}
primitives!(define);
