//! The tape: an append-only list of primitives, and the handles into it.
//!
//! A tape lives in a thread-local registry while its [`Tape`] is alive, so that [`Var`]
//! can be `Copy` and carry no lifetime. Nodes are shared when they are equal, and each
//! node's operands come before it, so recording order is topological order.

mod data;
mod extract;
mod literals;
mod registry;
mod rewrite;
mod sharing;
mod var;

pub(crate) use data::TapeData;
pub(crate) use registry::{
    Hidden, TapeId, enter, node_of, record_many, record1, record2, with_tape,
};
pub use var::Var;

use crate::error::{At, Error, Result};
use crate::graph::NodeId;
use crate::{Array, DType, Shape};

/// An append-only recording of primitives.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [2]);
/// let v = tape.input("v", DType::F64, [2]);
/// let f = (1.0 - x.at(0)).square() + 100.0 * (x.at(1) - x.at(0).square()).square();
/// let program = tape.compile(&Cpu::new(), &[f, f.grad(x), f.hvp(x, v)])?;
/// let out = program.run(&[&Array::vector([-1.2, 1.0]), &Array::vector([1.0, 0.0])])?;
/// assert_eq!(out[0].to_string(), "24.199999999999996");
/// assert_eq!(out[2].to_string(), "[1330, 480]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Debug)]
pub struct Tape {
    id: registry::TapeId,
}

impl Default for Tape {
    fn default() -> Tape {
        Tape::new()
    }
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Tape {
        Tape { id: registry::open() }
    }

    /// Declares an input: a value that is given each time a program runs. Programs take
    /// their inputs in the order of declaration.
    #[track_caller]
    pub fn input(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Var {
        let at = At::caller();
        let shape = shape.into();
        self.record(dtype, at, |tape| tape.input(name, dtype, shape, at))
    }

    /// A scalar literal.
    #[track_caller]
    pub fn constant(&self, dtype: DType, value: f64) -> Var {
        self.full(dtype, Shape::scalar(), value)
    }

    /// A value whose elements are all the same literal.
    #[track_caller]
    pub fn full(&self, dtype: DType, shape: impl Into<Shape>, value: f64) -> Var {
        let at = At::caller();
        let shape = shape.into();
        self.record(dtype, at, |tape| {
            tape.check_size("full", &shape, at)?;
            Ok(tape.full(value, &shape, dtype, at))
        })
    }

    /// A value of zeros (of `false` for `Bool`).
    #[track_caller]
    pub fn zeros(&self, dtype: DType, shape: impl Into<Shape>) -> Var {
        self.full(dtype, shape, 0.0)
    }

    /// Numbers known while recording. The tape keeps a shared reference to them.
    #[track_caller]
    pub fn literal(&self, array: &Array) -> Var {
        let at = At::caller();
        self.record(array.dtype(), at, |tape| {
            // Literals are part of the recording, whatever backend it is compiled for.
            if !array.is_on_host() {
                return Err(array.elsewhere("literal", "the host"));
            }
            Ok(tape.literal(array.clone(), at))
        })
    }

    /// The indices 0, 1, …, n − 1 as `U32`.
    #[track_caller]
    pub fn iota(&self, n: usize) -> Var {
        let at = At::caller();
        self.record(DType::U32, at, |tape| tape.iota(n, "iota", at))
    }

    /// The number of recorded primitives, shared ones counted once.
    pub fn len(&self) -> usize {
        with_tape(self.id, |tape| tape.nodes.len()).unwrap_or(0)
    }

    /// Whether nothing has been recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first error recorded, if any.
    pub fn error(&self) -> Option<Error> {
        with_tape(self.id, |tape| tape.error.clone()).flatten()
    }

    fn record(&self, dtype: DType, at: At, f: impl FnOnce(&mut TapeData) -> Result<NodeId>) -> Var {
        registry::record(self.id, Shape::scalar(), dtype, at, f)
    }

    pub(crate) fn id(&self) -> registry::TapeId {
        self.id
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        registry::close(self.id);
    }
}
