//! Transforms: tape in, more tape out. No numbers anywhere.
//!
//! Forward and reverse mode follow mechanically from each primitive's one fact, and what
//! they record are primitives again, so any nesting of them gives any order of derivative.

mod checkpoint;
#[cfg(all(test, feature = "proptest"))]
mod divided;
mod forward;
mod hessian;
mod recompute;
mod reverse;
mod second;
mod squares;
mod vmap;

pub use checkpoint::checkpoint;
pub use second::ValueGradHvp;
pub use vmap::{map_rows, vmap};

use crate::error::At;
use crate::graph::{Hold, NodeId, Op};
use crate::tape::{Var, with_tape};

/// While it lives, recorded nodes carry the places of the nodes they stem from.
struct Stemming {
    tape: Var,
    former: Option<At>,
}

impl Stemming {
    fn begin(tape: Var) -> Stemming {
        let former = with_tape(tape.tape(), |t| t.stems_from).flatten();
        Stemming { tape, former }
    }

    fn from(&self, at: At) {
        with_tape(self.tape.tape(), |t| t.stems_from = Some(at));
    }
}

impl Drop for Stemming {
    fn drop(&mut self) {
        with_tape(self.tape.tape(), |t| t.stems_from = self.former);
    }
}

/// For nodes `low..=high`, whether some output needs them.
fn needed(outputs: &[Var], low: NodeId, high: NodeId) -> Vec<bool> {
    let mut needed = vec![false; (high - low + 1) as usize];
    for out in outputs.iter().filter(|o| o.node() >= low) {
        needed[(out.node() - low) as usize] = true;
    }
    with_tape(outputs[0].tape(), |tape| {
        for id in (low..=high).rev() {
            if needed[(id - low) as usize] {
                for &arg in tape.node(id).args.iter().filter(|&&a| a >= low) {
                    needed[(arg - low) as usize] = true;
                }
            }
        }
    });
    needed
}

/// A private leaf that equals `v`, distinct from all that `f` depends on: derivatives can
/// hold it fixed, and take cotangents of it, even where `v` depends on `x` or `f` on `v`.
fn hold(f: Var, v: Var, at: At) -> Var {
    let level = with_tape(f.tape(), |tape| {
        let mut needed = vec![false; f.node() as usize + 1];
        needed[f.node() as usize] = true;
        let mut level = 0;
        for id in (0..=f.node()).rev().filter(|_| tape.holds) {
            if needed[id as usize] {
                let node = tape.node(id);
                if let Op::Hold(Hold(l)) = node.op {
                    level = level.max(l + 1);
                }
                for &arg in &node.args {
                    needed[arg as usize] = true;
                }
            }
        }
        level
    })
    .unwrap_or(0);
    crate::tape::record1(v, "hold", at, |tape, v| {
        let (shape, dtype) = tape.aval(v);
        Ok(tape.push(Op::Hold(Hold(level)), &[v], shape, dtype, at))
    })
}

impl Var {
    /// Runs `f`, whose recordings on this tape count as made at the given place: for layers and
    /// losses, whose users want to read of their own lines.
    ///
    /// ```
    /// use burlap_autodiff::{At, Cpu, DType, Tape, Var};
    /// #[track_caller]
    /// fn layer(x: Var, w: Var) -> Var {
    ///     x.record_at(At::caller(), || x.matmul(w).tanh())
    /// }
    /// let tape = Tape::new();
    /// let y = layer(tape.input("x", DType::F64, [2, 3]), tape.input("w", DType::F64, [4, 5]));
    /// let error = tape.compile(&Cpu::new(), &[y]).err().map(|e| e.to_string());
    /// assert!(error.is_some_and(|e| e.starts_with("matmul: inner sizes differ: [2, 3] × [4, 5]")));
    /// ```
    pub fn record_at<R>(self, at: At, f: impl FnOnce() -> R) -> R {
        let stemming = Stemming::begin(self);
        // An outer library's place is nearer to the user.
        if stemming.former.is_none() {
            stemming.from(at);
        }
        f()
    }

    /// Leaves an error on the tape, as an ill-formed operation does, and returns a poisoned
    /// value: for libraries that record, and find what they got wrong.
    #[track_caller]
    pub fn fail(self, op: &'static str, problem: impl Into<String>) -> Var {
        let at = At::caller();
        crate::tape::record1(self, op, at, |_, _| {
            Err(crate::Error::Parameter { op, problem: problem.into(), at })
        })
    }
}
