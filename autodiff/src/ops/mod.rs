//! The primitives: each a section of its family's file with all that is true of it.
//!
//! | family | file | kind of fact |
//! |---|---|---|
//! | leaves, identities | `identity.rs` | transpose, or none |
//! | elementwise | `elementwise.rs`, `binary.rs`, from the rows in `graph` | a factor per operand |
//! | choice, conversion | `select.rs` | transpose |
//! | reductions | `reduce.rs` | transpose (sum) or weights (max, min) |
//! | running | `cumulative.rs` | transpose |
//! | other axes | `reshape.rs` | transpose |
//! | parts, side by side | `slice.rs`, `concat.rs` | transpose |
//! | contraction | `contract.rs`, its kernels in `products.rs` | transpose per argument |
//! | indexing | `index.rs` | transpose |
//! | random | `random.rs` | none |
//!
//! A section is the method of `Var` that records the primitive, which is its shape rule, and the rules
//! of [`Primitive`]: derivative, batching, plain loop, lowering; and examples. The list is in `graph/op.rs`; a primitive
//! of the list that lacks a rule does not compile. The other files are compositions.

mod batching;
mod binary;
mod composed;
mod concat;
mod contract;
mod cumulative;
mod derivative;
mod einsum;
mod elementwise;
mod example;
mod identity;
mod index;
mod labels;
mod log_ndtr;
mod moments;
mod operators;
mod plain;
mod primitive;
mod products;
mod random;
mod reduce;
mod reshape;
mod select;
mod slice;

pub(crate) use batching::{Batching, lift};
pub use binary::Operand;
pub(crate) use concat::record_concat;
pub(crate) use derivative::Derivative;
pub use example::{Example, Sample};
pub(crate) use plain::Operands;
pub(crate) use primitive::{Fact, Primitive, Stretch};

use crate::graph::{Binary, Compare, Op, Random, Unary, primitives};

/// What a variant holds, or the primitive that holds nothing.
macro_rules! rules {
    ($held:ident, $name:ident) => {
        &crate::graph::$name
    };
    ($held:ident, $name:ident $told:ty) => {
        $held
    };
}

/// The pattern of what a variant holds.
macro_rules! held {
    ($held:ident, $told:ty) => {
        $held
    };
}

macro_rules! dispatch {
    (leaves { $($(#[$l:meta])+ $Leaf:ident($Told:ty) $leaf:literal;)* }
     tables { $($(#[$t:meta])+ $Table:ident;)* }
     identities { $($(#[$i:meta])+ $Identity:ident $(($With:ty))? $identity:literal;)* }
     others { $($(#[$o:meta])+ $Other:ident $(($By:ty))? $other:literal;)* }) => {
        impl Op {
            /// What is true of the primitive.
            pub(crate) fn rules(&self) -> &dyn Primitive {
                match self {
                    $(Op::$Leaf(_))|* => &identity::Leaf,
                    $(Op::$Table(row) => row,)*
                    $(Op::$Identity $((held!(held, $With)))? => rules!(held, $Identity $($With)?),)*
                    $(Op::$Other $((held!(held, $By)))? => rules!(held, $Other $($By)?),)*
                }
            }

            /// Each primitive of which programs are made, by name, and uses of it.
            pub(crate) fn examples() -> Vec<(&'static str, Vec<Example>)> {
                let mut all = Vec::new();
                $(all.extend(<$Table as example::Rows>::examples());)*
                $(all.push(($other, <crate::graph::$Other as example::Examples>::examples()));)*
                all
            }
        }
    };
}
primitives!(dispatch);

impl Op {
    /// Whether differentiation passes through at all.
    pub(crate) fn is_differentiable(&self) -> bool {
        !matches!(self.rules().derivative(), Fact::Constant)
    }
}
