//! The handle of a recorded value.

use super::node_of;
use super::registry::{TapeId, with_tape};
use crate::graph::{NodeId, Op};
use crate::{Array, DType, Shape};
use std::marker::PhantomData;

/// A recorded value: `Copy`, without lifetime or type parameters. It has a shape and an
/// element type but no numbers; those exist only while a program runs.
#[derive(Clone, Copy)]
pub struct Var {
    tape: TapeId,
    node: NodeId,
    // The registry is thread-local.
    not_send: PhantomData<*const ()>,
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match node_of(*self) {
            Some(node) => {
                write!(f, "%{} = {} {}{}", self.node, node.op.name(), node.dtype, node.shape)
            }
            None => write!(f, "%{} of a tape that is gone", self.node),
        }
    }
}

impl Var {
    pub(crate) fn new(tape: TapeId, node: NodeId) -> Var {
        Var { tape, node, not_send: PhantomData }
    }

    /// A variable of no tape: what operations return when they have no tape to record in.
    pub(crate) fn dead() -> Var {
        Var::new(TapeId::NONE, 0)
    }

    pub(crate) fn tape(self) -> TapeId {
        self.tape
    }

    pub(crate) fn node(self) -> NodeId {
        self.node
    }

    /// Whether both are one recorded value. (`x == y` does not compile: it would have to compare
    /// numbers, which exist only while a program runs; [`Var::equal`] records that comparison.)
    ///
    /// ```
    /// use burlap_autodiff::{DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [3]);
    /// assert!(x.is_same(x));
    /// assert!(!x.is_same(1.0 * x));
    /// ```
    pub fn is_same(self, other: Var) -> bool {
        (self.tape, self.node) == (other.tape, other.node)
    }

    /// The shape; a scalar's when the tape is gone.
    pub fn shape(self) -> Shape {
        with_tape(self.tape, |t| t.nodes[self.node as usize].shape.clone()).unwrap_or_default()
    }

    /// The element type; `F64` when the tape is gone.
    pub fn dtype(self) -> DType {
        with_tape(self.tape, |t| t.nodes[self.node as usize].dtype).unwrap_or(DType::F64)
    }

    /// The number of axes.
    pub fn rank(self) -> usize {
        with_tape(self.tape, |t| t.nodes[self.node as usize].shape.len()).unwrap_or(0)
    }

    /// The literal that all elements equal, where that is known while recording.
    pub fn constant_value(self) -> Option<f64> {
        with_tape(self.tape, |t| t.constant_value(self.node)).flatten()
    }

    /// As [`Var::constant_value`], where no derivative can be asked with respect to the literal.
    pub(crate) fn hidden_constant(self) -> Option<f64> {
        with_tape(self.tape, |t| t.hidden_constant(self.node)).flatten()
    }

    /// A literal on the same tape, of the same shape and type.
    #[track_caller]
    pub fn constant_like(self, value: f64) -> Var {
        let at = crate::error::At::caller();
        super::record1(self, "constant", at, |tape, x| {
            let (shape, dtype) = tape.aval(x);
            Ok(tape.full(value, &shape, dtype, at))
        })
    }

    /// Numbers known while recording, on this variable's tape: data inside a formula.
    ///
    /// ```
    /// use burlap_autodiff::{Array, testing::assert_hessian};
    /// let weights = Array::vector([1.0, 3.0]);
    /// assert_hessian(|x| (x.literal(&weights) * x.exp()).sum(), [0.2, -1.0]);
    /// ```
    #[track_caller]
    pub fn literal(self, array: &Array) -> Var {
        let at = crate::error::At::caller();
        super::record1(self, "literal", at, |tape, _| Ok(tape.literal(array.clone(), at)))
    }

    /// The same value, through which no derivative flows.
    #[track_caller]
    pub fn stop_gradient(self) -> Var {
        let at = crate::error::At::caller();
        super::record1(self, "stop_gradient", at, |tape, x| {
            let (shape, dtype) = tape.aval(x);
            Ok(tape.push(Op::StopGradient, &[x], shape, dtype, at))
        })
    }
}
