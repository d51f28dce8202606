//! Squares of roots and absolute values: smooth, although their parts have kinks.

use crate::graph::{Binary, Node, NodeId, Op, Unary};
use crate::ops::Derivative;
use crate::tape::{TapeData, TapeId, Var, with_tape};
use smallvec::SmallVec;

/// Nodes that are looked through at most on the way to a root.
const MOST: usize = 16;

/// A square as a quotient of products of values without the root: (√q)² = q, |a|² = a·a,
/// (c√q)² = c·c·q, (√q/c)² = q/c/c with a c that does not depend on the variables.
#[derive(Default)]
pub(super) struct Square {
    pub(super) factors: SmallVec<[NodeId; 4]>,
    pub(super) divisors: SmallVec<[NodeId; 2]>,
}

/// A node that is such a square: derivatives go through its factors, so that those of ‖x‖² are
/// right at x = 0, where ‖x‖ has none. `None` for what is none, or where a derivative is asked
/// with respect to the root itself.
pub(super) fn square(
    tape: TapeId,
    node: &Node,
    is_fixed: impl Fn(NodeId) -> bool,
    is_active: impl Fn(NodeId) -> bool,
) -> Option<Square> {
    if node.op != Op::Binary(Binary::Mul) {
        return None;
    }
    with_tape(tape, |tape| {
        let look = |id| behind_aliases(tape, id, &is_fixed);
        let mut at = look(node.args[0])?;
        if look(node.args[1])? != at {
            return None;
        }
        let mut square = Square::default();
        for _ in 0..MOST {
            let n = tape.node(at);
            match n.op {
                Op::Unary(Unary::Sqrt | Unary::Root) => {
                    square.factors.push(n.args[0]);
                    return Some(square);
                }
                Op::Unary(Unary::Abs) => {
                    square.factors.extend([n.args[0]; 2]);
                    return Some(square);
                }
                Op::Unary(Unary::Neg) => at = look(n.args[0])?,
                Op::Binary(Binary::Mul) => {
                    let (scale, root) = match [n.args[1], n.args[0]].map(|id| leads(tape, id)) {
                        [true, false] => (n.args[0], n.args[1]),
                        [false, true] => (n.args[1], n.args[0]),
                        _ => return None,
                    };
                    square.factors.extend([scale; 2]);
                    at = look(root)?;
                }
                Op::Binary(Binary::Div) if !is_active(n.args[1]) => {
                    square.divisors.extend([n.args[1]; 2]);
                    at = look(n.args[0])?;
                }
                _ => return None,
            }
        }
        None
    })?
}

/// The node that others repeat, if derivatives may go through it.
fn behind_aliases(
    tape: &TapeData,
    mut id: NodeId,
    is_fixed: &impl Fn(NodeId) -> bool,
) -> Option<NodeId> {
    for _ in 0..MOST {
        if is_fixed(id) {
            return None;
        }
        match tape.node(id).op {
            Op::Alias => id = tape.node(id).args[0],
            _ => return Some(id),
        }
    }
    None
}

/// Whether a root or an absolute value lies behind factors, signs and identities on the one
/// side where there can be one.
fn leads(tape: &TapeData, id: NodeId) -> bool {
    let mut open: SmallVec<[NodeId; MOST]> = SmallVec::from_slice(&[id]);
    for _ in 0..MOST {
        let Some(id) = open.pop() else { return false };
        let n = tape.node(id);
        match n.op {
            Op::Unary(Unary::Sqrt | Unary::Root | Unary::Abs) => return true,
            Op::Alias | Op::Unary(Unary::Neg) | Op::Binary(Binary::Div) => open.push(n.args[0]),
            Op::Binary(Binary::Mul) => open.extend(n.args.iter().copied()),
            _ => {}
        }
    }
    false
}

impl Square {
    /// What a tangent of factor `i` adds to the square's, and a cotangent of the square to that
    /// of factor `i`.
    pub(super) fn times(
        &self,
        i: usize,
        t: Derivative,
        value: impl Fn(NodeId) -> Var,
    ) -> Derivative {
        let others = self.factors.iter().enumerate().filter(|(j, _)| *j != i);
        let t = others.fold(t, |t, (_, &factor)| t.times(value(factor)));
        self.divisors.iter().fold(t, |t, &c| t.times(value(c).recip()))
    }
}
