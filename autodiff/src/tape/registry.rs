//! The thread-local home of tapes, and the one way into them.

use super::data::TapeData;
use super::var::Var;
use crate::error::{At, Error, Result};
use crate::graph::{Node, NodeId};
use crate::{DType, Shape};
use std::cell::RefCell;

/// A slot of the registry, and which of its successive tapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TapeId {
    slot: u32,
    generation: u32,
}

impl TapeId {
    /// An identity that no tape has.
    pub(crate) const NONE: TapeId = TapeId { slot: u32::MAX, generation: u32::MAX };
}

#[derive(Default)]
struct Registry {
    slots: Vec<(u32, Option<Box<TapeData>>)>,
    free: Vec<u32>,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
}

pub(super) fn open() -> TapeId {
    REGISTRY.with_borrow_mut(|registry| {
        let slot = registry.free.pop().unwrap_or_else(|| {
            registry.slots.push((0, None));
            registry.slots.len() as u32 - 1
        });
        let (generation, tape) = &mut registry.slots[slot as usize];
        *tape = Some(Box::default());
        TapeId { slot, generation: *generation }
    })
}

pub(super) fn close(id: TapeId) {
    // While a thread ends its registry may be gone before its tapes.
    let tape = REGISTRY.try_with(|registry| {
        let mut registry = registry.borrow_mut();
        let (generation, tape) = registry.slots.get_mut(id.slot as usize)?;
        *generation += 1;
        let tape = tape.take();
        registry.free.push(id.slot);
        tape
    });
    drop(tape);
}

/// Runs `f` on a tape, or returns `None` when it is gone. `f` must not record through `Var`.
pub(crate) fn with_tape<R>(id: TapeId, f: impl FnOnce(&mut TapeData) -> R) -> Option<R> {
    REGISTRY.with_borrow_mut(|registry| {
        let (generation, tape) = registry.slots.get_mut(id.slot as usize)?;
        if *generation != id.generation {
            return None;
        }
        tape.as_deref_mut().map(f)
    })
}

/// A copy of a recorded node.
pub(crate) fn node_of(var: Var) -> Option<Node> {
    with_tape(var.tape(), |tape| tape.nodes[var.node() as usize].clone())
}

/// Records; an error is kept by the tape, and the result is a poisoned variable.
pub(super) fn record(
    id: TapeId,
    shape: Shape,
    dtype: DType,
    at: At,
    f: impl FnOnce(&mut TapeData) -> Result<NodeId>,
) -> Var {
    with_tape(id, |tape| match f(tape) {
        Ok(node) => Var::new(id, tape.returned(node, 0, at)),
        Err(error) => Var::new(id, tape.fail(error, shape, dtype)),
    })
    .unwrap_or(Var::dead())
}

/// Records an operation on one variable; a poisoned result has its shape and type.
pub(crate) fn record1(
    x: Var,
    op: &'static str,
    at: At,
    f: impl FnOnce(&mut TapeData, NodeId) -> Result<NodeId>,
) -> Var {
    record_many(&[x], op, at, |tape, nodes| f(tape, nodes[0]))
}

/// Records an operation on two variables.
pub(crate) fn record2(
    a: Var,
    b: Var,
    op: &'static str,
    at: At,
    f: impl FnOnce(&mut TapeData, NodeId, NodeId) -> Result<NodeId>,
) -> Var {
    record_many(&[a, b], op, at, |tape, nodes| f(tape, nodes[0], nodes[1]))
}

/// Records an operation on variables of one tape: the result is a variable of its own. A
/// poisoned one has the shape and type of the first of them that is alive.
pub(crate) fn record_many(
    vars: &[Var],
    op: &'static str,
    at: At,
    f: impl FnOnce(&mut TapeData, &[NodeId]) -> Result<NodeId>,
) -> Var {
    let recorded = enter(vars, op, at, |tape, nodes| {
        let before = tape.next();
        let node = f(tape, nodes)?;
        Ok(Var::new(vars[0].tape(), tape.returned(node, before, at)))
    });
    recorded.unwrap_or_else(|poisoned| poisoned)
}

/// Looks at variables of one tape, or returns a poisoned one as [`record_many`] does.
pub(crate) fn enter<R>(
    vars: &[Var],
    op: &'static str,
    at: At,
    f: impl FnOnce(&mut TapeData, &[NodeId]) -> Result<R>,
) -> std::result::Result<R, Var> {
    let mut tapes = vars.iter().map(|v| v.tape());
    let Some(first) = tapes.next() else {
        return Err(Var::dead());
    };
    let nodes: smallvec::SmallVec<[NodeId; 4]> = vars.iter().map(|v| v.node()).collect();
    if tapes.all(|id| id == first) {
        return with_tape(first, |tape| {
            f(tape, &nodes).map_err(|error| {
                let (shape, dtype) = tape.aval(nodes[0]);
                Var::new(first, tape.fail(error, shape, dtype))
            })
        })
        .unwrap_or(Err(vars[0]));
    }
    // Every tape that took part learns of it, so that no compilation of either succeeds.
    let mut result = vars[0];
    for var in vars.iter().rev() {
        let poisoned = with_tape(var.tape(), |tape| {
            let (shape, dtype) = tape.aval(var.node());
            Var::new(var.tape(), tape.fail(Error::ForeignVar { op, at }, shape, dtype))
        });
        result = poisoned.unwrap_or(result);
    }
    Err(result)
}

/// While it lives, what is recorded on a tape cannot be named: equal nodes are shared.
pub(crate) struct Hidden(TapeId);

impl Hidden {
    pub(crate) fn begin(tape: TapeId) -> Hidden {
        with_tape(tape, TapeData::begin_transform);
        Hidden(tape)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        with_tape(self.0, |t| t.transforms -= 1);
    }
}

impl Var {
    /// A variable of its own with this value, unless a transform asks.
    pub(crate) fn own(self, at: At) -> Var {
        record1(self, "alias", at, |_, x| Ok(x))
    }
}
