//! Uses of primitives, for tests that go through all of them.

use crate::tape::Var;

/// A use of a primitive: what tests of all primitives go through, see
/// [`examples`](crate::testing::examples).
#[derive(Clone, Debug)]
pub struct Example {
    /// What it is used on.
    pub operands: Vec<Sample>,
    /// Between which numbers the real operands lie: there it is defined, and its derivatives too.
    pub between: (f64, f64),
    /// Records it, on variables that are operands of these shapes and types.
    pub record: fn(&[Var]) -> Var,
}

/// An operand of an [`Example`]: its element type and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Real numbers of any float type.
    Real(&'static [usize]),
    /// Integers below a number.
    Integer(&'static [usize], u32),
    /// Truth values.
    Mask(&'static [usize]),
}

impl Sample {
    /// The shape.
    pub fn shape(self) -> &'static [usize] {
        match self {
            Sample::Real(shape) | Sample::Integer(shape, _) | Sample::Mask(shape) => shape,
        }
    }
}

/// Where most functions are defined.
pub(super) const WIDE: (f64, f64) = (-2.0, 2.0);

/// A use on numbers of both signs.
pub(super) fn example(operands: &[Sample], record: fn(&[Var]) -> Var) -> Example {
    Example { operands: operands.to_vec(), between: WIDE, record }
}

/// A primitive of the list, of which tests must know uses.
pub(crate) trait Examples {
    /// Some.
    fn examples() -> Vec<Example>;
}

/// A table of primitives.
pub(crate) trait Rows {
    /// The name of each row, and some uses.
    fn examples() -> Vec<(&'static str, Vec<Example>)>;
}
