//! Vectorisation: the same function of many values at once, recorded with a leading axis.

use super::Stemming;
use crate::Shape;
use crate::error::{At, Error};
use crate::graph::{Hold, Node, NodeId, Op};
use crate::ops::{Batching, lift};
use crate::tape::{Hidden, TapeData, Var, enter, record1, with_tape};
use smallvec::SmallVec;

/// The nodes `low..` that outputs need and that depend on a replaced one, which count
/// themselves, but nothing below them.
fn affected(tape: &TapeData, outputs: &[Var], replaced: &[bool], low: NodeId) -> Vec<bool> {
    let place = |id: NodeId| id.checked_sub(low).map(|i| i as usize);
    let mut depends = replaced.to_vec();
    for i in 0..depends.len() {
        let args = || tape.node(low + i as NodeId).args.iter();
        depends[i] = depends[i] || args().any(|&a| place(a).is_some_and(|a| depends[a]));
    }
    let mut needed = vec![false; depends.len()];
    for i in outputs.iter().filter_map(|y| place(y.node())) {
        needed[i] = depends[i];
    }
    for i in (0..needed.len()).rev().filter(|&i| !replaced[i]) {
        if needed[i] {
            for a in tape.node(low + i as NodeId).args.iter().filter_map(|&a| place(a)) {
                needed[a] |= depends[a];
            }
        }
    }
    needed
}

/// Records what depends on the replaced variables again, in the order of the tape.
fn record(outputs: &[Var], over: &[(Var, Var)], size: usize, at: At) -> Vec<Var> {
    let id = outputs[0].tape();
    let low = over.iter().map(|(x, _)| x.node()).min().unwrap_or(0);
    let high = outputs.iter().map(|y| y.node()).max().unwrap_or(0);
    let mut table: Vec<Option<Var>> = vec![None; (high + 1).saturating_sub(low) as usize];
    for &(x, batched) in over.iter().filter(|(x, _)| x.node() <= high) {
        table[(x.node() - low) as usize] = Some(batched);
    }
    let replaced: Vec<bool> = table.iter().map(Option::is_some).collect();
    let wanted = with_tape(id, |tape| affected(tape, outputs, &replaced, low)).unwrap_or_default();
    let look = |table: &[Option<Var>], node: NodeId| {
        node.checked_sub(low).and_then(|i| table.get(i as usize).copied().flatten())
    };
    let stemming = Stemming::begin(outputs[0]);
    for i in (0..wanted.len()).filter(|&i| wanted[i] && !replaced[i]) {
        let Some(node) = with_tape(id, |tape| Node::clone(tape.node(low + i as NodeId))) else {
            continue;
        };
        let args: SmallVec<[Var; 3]> = node.args.iter().map(|&a| Var::new(id, a)).collect();
        let batched: SmallVec<[Option<Var>; 3]> =
            node.args.iter().map(|&a| look(&table, a)).collect();
        stemming.from(node.at);
        let batching = Batching { node: &node, args: &args, batched: &batched, size };
        match node.op.rules().batched(&batching) {
            Ok(y) => table[i] = Some(y),
            Err(poisoned) => return vec![poisoned; outputs.len()],
        }
    }
    drop(stemming);
    let repeated = |y: Var| lift(y, size, at).unwrap_or_else(|poisoned| poisoned);
    outputs.iter().map(|&y| look(&table, y.node()).unwrap_or_else(|| repeated(y))).collect()
}

/// The size of the leading axis that all batched variables have.
fn common_size(
    tape: &TapeData,
    pairs: &[(NodeId, NodeId)],
    op: &'static str,
    at: At,
) -> Result<usize, Error> {
    let mut size = None;
    for (i, &(x, batched)) in pairs.iter().enumerate() {
        let ((sx, tx), (sb, tb)) = (tape.aval(x), tape.aval(batched));
        if tx != tb {
            let problem = "a variable and what replaces it must be of one type".into();
            return Err(Error::DType { op, problem, operands: vec![tx, tb], at });
        }
        if sb.is_empty() || sb[1..] != sx[..] {
            let problem = "what replaces a variable must have its shape behind a leading axis";
            let operands = vec![sx, sb];
            return Err(Error::Shape { op, problem: problem.into(), operands, at });
        }
        if size.is_some_and(|k| k != sb[0]) {
            let operands = pairs.iter().map(|p| tape.aval(p.1).0).collect();
            let problem = "the leading axes differ".into();
            return Err(Error::Shape { op, problem, operands, at });
        }
        if pairs[..i].iter().any(|p| p.0 == x && p.1 != batched) {
            let problem = "one variable is replaced by two values".into();
            return Err(Error::Parameter { op, problem, at });
        }
        size = Some(sb[0]);
    }
    size.ok_or_else(|| Error::Parameter { op, problem: "nothing is replaced".into(), at })
}

/// [`vmap`], whose errors speak of the operation `op` at the place `at`.
pub(super) fn vmap_at(outputs: &[Var], over: &[(Var, Var)], op: &'static str, at: At) -> Vec<Var> {
    if outputs.is_empty() {
        return Vec::new();
    }
    let pairs = over.iter().flat_map(|&(x, batched)| [x, batched]);
    let all: Vec<Var> = outputs.iter().copied().chain(pairs).collect();
    let size = enter(&all, op, at, |tape, nodes| {
        let pairs: Vec<(NodeId, NodeId)> =
            nodes[outputs.len()..].chunks_exact(2).map(|p| (p[0], p[1])).collect();
        common_size(tape, &pairs, op, at)
    });
    match size {
        Ok(size) => {
            let hidden = Hidden::begin(outputs[0].tape());
            let found = record(outputs, over, size, at);
            drop(hidden);
            found.into_iter().map(|y| y.own(at)).collect()
        }
        Err(poisoned) => vec![poisoned; outputs.len()],
    }
}

/// Records the outputs again with a leading axis: each `(x, batched)` replaces `x`, of shape
/// s, by `batched`, of shape `[k, ..s]`. Entry i of an output is what it was with entry i of
/// each `batched` in place of its `x`.
///
/// An `x` may be any value of the tape; what it was computed from is left behind. What does
/// not depend on an `x` is shared by all entries and not recorded again; an output that
/// depends on none is repeated. Results are recorded values like others, so derivatives of
/// them, `vmap` of derivatives, and `vmap` of `vmap` mean what they say.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape, vmap};
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [2]);
/// let v = tape.input("v", DType::F64, [2]);
/// let vs = tape.literal(&Array::from_vec([3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0])?);
/// // The third derivative tensor at x, contracted twice: for each row v of vs, ∇(vᵀHv).
/// let f = x.at(0).square() * x.at(1).square();
/// let (_, along) = f.second_directional_grad(x, v);
/// let all = vmap(&[along], &[(v, vs)])[0];
/// let out = tape.compile_with(&Cpu::new(), &[x], &[all])?.run(&[&Array::vector([1.0, 2.0])])?;
/// assert_eq!(out[0].to_string(), "[[0, 8],\n [4, 0],\n [20, 16]]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// On the tape, when it is compiled: [`Error::Shape`] for leading axes that differ or other
/// shapes, [`Error::DType`] for other types, [`Error::Parameter`] where nothing is replaced or
/// one variable twice, [`Error::ForeignVar`] for variables of several tapes.
#[track_caller]
pub fn vmap(outputs: &[Var], over: &[(Var, Var)]) -> Vec<Var> {
    vmap_at(outputs, over, "vmap", At::caller())
}

/// A leaf of its own that stands for any entry along the first axis of a value.
fn row_of(rows: Var, at: At) -> Var {
    record1(rows, "map_rows", at, |tape, rows| {
        let (shape, dtype) = tape.aval(rows);
        if shape.is_empty() {
            let (op, problem) = ("map_rows", "a scalar has no rows".into());
            return Err(Error::Shape { op, problem, operands: vec![shape], at });
        }
        let row = Shape::from(&shape[1..]);
        let zeros = tape.full(0.0, &row, dtype, at);
        // A level that no other `Hold` has: levels grow along the tape by at most one a node.
        let level = tape.nodes.len() as u32;
        let id = tape.append(Op::Hold(Hold(level)), &[zeros], row, dtype, at);
        tape.rows.insert(id);
        Ok(id)
    })
}

/// Applies a recorded function to the rows (entries along the first axis) of several values
/// at once: row i of each result is what `f` gives for row i of each of `rows`.
///
/// `f` is called once, with variables of its own that stand for any row; outside of `f` they
/// mean nothing. What else it uses is shared by all rows. Per-example gradients are
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape, map_rows};
/// let tape = Tape::new();
/// let w = tape.input("w", DType::F64, [2]);
/// let xs = tape.input("xs", DType::F64, [3, 2]);
/// let ys = tape.input("ys", DType::F64, [3]);
/// let each = map_rows([xs, ys], |[x, y]| {
///     let loss = (x.dot(w) - y).square();
///     [loss, loss.grad(w)]
/// });
/// let program = tape.compile(&Cpu::new(), &each)?;
/// let xs = Array::from_vec([3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
/// let out = program.run(&[&Array::vector([2.0, 3.0]), &xs, &Array::vector([1.0, 1.0, 1.0])])?;
/// assert_eq!(out[0].to_string(), "[1, 4, 16]");
/// assert_eq!(out[1].to_string(), "[[2, 0],\n [0, 4],\n [8, 8]]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// On the tape, as [`vmap`]; [`Error::Shape`] for a scalar, which has no rows;
/// [`Error::Parameter`] when an output depends on a row outside of `f`.
#[track_caller]
pub fn map_rows<const N: usize, R: AsRef<[Var]>>(
    rows: [Var; N],
    f: impl FnOnce([Var; N]) -> R,
) -> Vec<Var> {
    let at = At::caller();
    let row = rows.map(|r| row_of(r, at));
    let over: Vec<(Var, Var)> = row.into_iter().zip(rows).collect();
    vmap_at(f(row).as_ref(), &over, "map_rows", at)
}
