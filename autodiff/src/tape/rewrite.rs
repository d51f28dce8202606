//! Identities applied as transforms record, so that derivatives of derivatives stay small, and
//! as programs are extracted. Each holds for all finite operands; only the sign of a zero may
//! differ. Operands that somebody can name are not seen through: a derivative with respect to
//! them must find its way.

use super::data::TapeData;
use crate::graph::{
    Binary, Broadcast, Concat, Contract, Contraction, Flip, NodeId, Op, Range, Slice, Sum,
    Transpose, Unary,
};
use crate::shape::Axes;
use crate::{DType, Shape};
use smallvec::SmallVec;

pub(super) enum Rewritten {
    /// Nothing applies.
    Same,
    /// The result exists already.
    Node(NodeId),
    /// All elements are one number.
    Constant(f64),
    /// The sum of two values of one shape, reshaped.
    ReshapedSum(NodeId, NodeId),
    /// The sum of two values, each transposed.
    SumOfTransposed(Axes, NodeId, NodeId),
    /// Another primitive on other operands gives the same.
    Op(Op, SmallVec<[NodeId; 3]>),
}

use Rewritten::{Constant, Node, Same};

/// The primitive of a node, where it may be seen through.
fn seen(tape: &TapeData, id: NodeId) -> Option<&Op> {
    tape.hidden(id).map(|node| &node.op)
}

/// The operand of a primitive that is known to have one.
fn inside(tape: &TapeData, id: NodeId) -> NodeId {
    tape.node(id).args[0]
}

pub(super) fn rewrite(
    tape: &TapeData,
    op: &Op,
    args: &[NodeId],
    shape: &Shape,
    dtype: DType,
) -> Rewritten {
    match op {
        Op::Unary(f) => unary(tape, *f, args[0], dtype),
        Op::Binary(f) => binary(tape, *f, args[0], args[1], dtype),
        Op::Select => match tape.hidden_constant(args[0]) {
            Some(mask) => Node(if mask != 0.0 { args[1] } else { args[2] }),
            None if args[1] == args[2] => Node(args[1]),
            None => Same,
        },
        Op::Cast => {
            let from = tape.node(args[0]).dtype;
            match tape.hidden_constant(args[0]) {
                _ if from == dtype => Node(args[0]),
                Some(c) => Constant(c),
                None => Same,
            }
        }
        Op::StopGradient | Op::Recompute(_) => match tape.hidden_constant(args[0]) {
            Some(_) => Node(args[0]),
            None => Same,
        },
        Op::Reshape
        | Op::Broadcast(_)
        | Op::Transpose(_)
        | Op::Slice(_)
        | Op::Flip(_)
        | Op::Concat(_) => movement(tape, op, args, shape),
        Op::Sum(Sum(axes)) => sum(tape, axes, args[0], dtype),
        Op::Contract(Contract(c)) => contract(tape, c, args),
        Op::Alias => Node(args[0]),
        _ => Same,
    }
}

fn unary(tape: &TapeData, f: Unary, x: NodeId, dtype: DType) -> Rewritten {
    if let Some(c) = tape.hidden_constant(x) {
        return Constant(match dtype {
            DType::F32 => f64::from(f.eval(c as f32)),
            DType::F64 | DType::U32 | DType::Bool => f.eval(c),
        });
    }
    match (seen(tape, x), f) {
        (Some(Op::Unary(Unary::Neg)), Unary::Neg) => Node(inside(tape, x)),
        (Some(Op::Unary(Unary::Neg)), f) if is_even(f) => one(Op::Unary(f), inside(tape, x)),
        _ => Same,
    }
}

/// Whether f(−x) = f(x).
fn is_even(f: Unary) -> bool {
    use Unary::*;
    matches!(f, Abs | Cos | Cosh | Sech2 | LogCosh | CosAtan | SecAsin | Gaussian | NormalPdf)
}

fn one(op: Op, x: NodeId) -> Rewritten {
    Rewritten::Op(op, SmallVec::from_slice(&[x]))
}

fn two(f: Binary, a: NodeId, b: NodeId) -> Rewritten {
    Rewritten::Op(Op::Binary(f), SmallVec::from_slice(&[a, b]))
}

fn binary(tape: &TapeData, f: Binary, a: NodeId, b: NodeId, dtype: DType) -> Rewritten {
    let (ca, cb) = (tape.hidden_constant(a), tape.hidden_constant(b));
    if let (Some(x), Some(y)) = (ca, cb) {
        return Constant(match dtype {
            DType::F32 => f64::from(f.eval(x as f32, y as f32)),
            DType::F64 => f.eval(x, y),
            DType::U32 => f64::from(f.eval(x as u32, y as u32)),
            DType::Bool => f64::from(u8::from(f.eval(x != 0.0, y != 0.0))),
        });
    }
    if dtype == DType::Bool {
        return Same;
    }
    let negated = |id: NodeId| match seen(tape, id) {
        Some(Op::Unary(Unary::Neg)) => Some(inside(tape, id)),
        _ => None,
    };
    match (f, ca, cb) {
        (Binary::Add, _, Some(0.0)) | (Binary::Sub, _, Some(0.0)) => return Node(a),
        (Binary::Add, Some(0.0), _) => return Node(b),
        (Binary::Sub, Some(0.0), _) if dtype.is_float() => return one(Op::Unary(Unary::Neg), b),
        (Binary::Mul | Binary::Div, _, Some(1.0)) => return Node(a),
        (Binary::Mul, Some(1.0), _) => return Node(b),
        (Binary::StrongMul | Binary::StrongMulBoth, Some(0.0), _)
        | (Binary::StrongMulBoth, _, Some(0.0)) => return Constant(0.0),
        (Binary::StrongMul | Binary::StrongMulBoth, Some(c), _)
        | (Binary::StrongMul | Binary::StrongMulBoth, _, Some(c))
            if c.is_finite() =>
        {
            return two(Binary::Mul, a, b);
        }
        (Binary::Mul, _, Some(-1.0)) | (Binary::Div, _, Some(-1.0)) => {
            return one(Op::Unary(Unary::Neg), a);
        }
        (Binary::Mul, Some(-1.0), _) => return one(Op::Unary(Unary::Neg), b),
        (Binary::Div, Some(1.0), _) if dtype.is_float() => return one(Op::Unary(Unary::Recip), b),
        _ => {}
    }
    match f {
        Binary::Add => {
            if let Some(sum) = sum_of_reshaped(tape, a, b) {
                return sum;
            }
            if let Some(b) = negated(b) {
                return two(Binary::Sub, a, b);
            }
            if let Some(a) = negated(a) {
                return two(Binary::Sub, b, a);
            }
        }
        Binary::Sub => {
            if let Some(b) = negated(b) {
                return two(Binary::Add, a, b);
            }
        }
        Binary::Mul => {
            if let (Some(a), Some(b)) = (negated(a), negated(b)) {
                return two(Binary::Mul, a, b);
            }
        }
        _ => {}
    }
    // One order for commutative operands, so that a + b and b + a are one node.
    let commutes = matches!(f, Binary::Add | Binary::Mul | Binary::StrongMulBoth);
    if commutes && a > b { two(f, b, a) } else { Same }
}

/// Two values that were reshaped alike are added before: products add up in place.
fn sum_of_reshaped(tape: &TapeData, a: NodeId, b: NodeId) -> Option<Rewritten> {
    let [Some(Op::Reshape), Some(Op::Reshape)] = [a, b].map(|x| seen(tape, x)) else { return None };
    let (inner_a, inner_b) = (inside(tape, a), inside(tape, b));
    let alike = tape.node(inner_a).shape == tape.node(inner_b).shape;
    alike.then(|| Rewritten::ReshapedSum(inner_a, inner_b))
}

fn sum(tape: &TapeData, axes: &Axes, x: NodeId, dtype: DType) -> Rewritten {
    if axes.is_empty() {
        return Node(x);
    }
    let node = tape.node(x);
    if let (Some(c), true) = (tape.hidden_constant(x), dtype.is_float()) {
        let n: usize = axes.iter().map(|&a| node.shape[a as usize]).product();
        return Constant(c * n as f64);
    }
    if let Some(Op::Sum(Sum(inner))) = seen(tape, x) {
        // Axes of the outer sum count what the inner one left.
        let rank = tape.node(node.args[0]).shape.len();
        let left: Vec<u8> = (0..rank as u8).filter(|a| !inner.contains(a)).collect();
        let mut all: Axes = inner.clone();
        all.extend(axes.iter().map(|&a| left[a as usize]));
        all.sort_unstable();
        return one(Op::Sum(Sum(all)), node.args[0]);
    }
    Same
}

fn movement(tape: &TapeData, op: &Op, args: &[NodeId], shape: &Shape) -> Rewritten {
    let x = args[0];
    let node = tape.node(x);
    if let (Some(c), false) = (tape.hidden_constant(x), matches!(op, Op::Concat(_))) {
        return match op {
            // The canonical form of a repeated literal stays as it is.
            Op::Broadcast(Broadcast(axes))
                if axes.is_empty() && node.shape.is_empty() && !shape.is_empty() =>
            {
                Same
            }
            _ => Constant(c),
        };
    }
    let within = seen(tape, x);
    match (op, within) {
        (Op::Reshape, _) if node.shape == *shape => Node(x),
        (Op::Reshape, Some(Op::Reshape)) => one(Op::Reshape, node.args[0]),
        (Op::Broadcast(_), _) if node.shape == *shape => Node(x),
        (Op::Broadcast(Broadcast(outer)), Some(Op::Broadcast(Broadcast(inner)))) => one(
            Op::Broadcast(Broadcast(inner.iter().map(|&a| outer[a as usize]).collect())),
            node.args[0],
        ),
        (Op::Transpose(Transpose(axes)), _)
            if axes.iter().enumerate().all(|(i, &a)| i == a as usize) =>
        {
            Node(x)
        }
        (Op::Transpose(Transpose(outer)), Some(Op::Transpose(Transpose(inner)))) => one(
            Op::Transpose(Transpose(outer.iter().map(|&a| inner[a as usize]).collect())),
            node.args[0],
        ),
        // Cotangents of transposed weights. A recorded product may have other readers.
        (Op::Transpose(Transpose(axes)), Some(Op::Contract(Contract(c))))
            if !tape.is_extraction =>
        {
            exchanged(tape, axes, c, &node.args)
        }
        (Op::Transpose(Transpose(axes)), Some(Op::Binary(Binary::Add)))
            if !tape.is_extraction && is_sum_of_products(tape, axes, x) =>
        {
            Rewritten::SumOfTransposed(axes.clone(), node.args[0], node.args[1])
        }
        (Op::Flip(Flip(axes)), _) if axes.is_empty() => Node(x),
        (Op::Flip(Flip(outer)), Some(Op::Flip(Flip(inner)))) => {
            let mut axes: Axes = outer.iter().filter(|a| !inner.contains(a)).copied().collect();
            axes.extend(inner.iter().filter(|a| !outer.contains(a)).copied());
            axes.sort_unstable();
            one(Op::Flip(Flip(axes)), node.args[0])
        }
        (Op::Slice(Slice(ranges)), _)
            if node.shape == *shape && ranges.iter().all(|r| r.start == 0) =>
        {
            Node(x)
        }
        (Op::Slice(Slice(outer)), Some(Op::Slice(Slice(inner)))) => {
            let both = outer.iter().zip(inner);
            let ranges = both
                .map(|(o, i)| Range { start: i.start + o.start * i.step, step: i.step * o.step });
            one(Op::Slice(Slice(ranges.collect())), node.args[0])
        }
        (Op::Slice(Slice(ranges)), Some(Op::Concat(Concat(axis)))) => {
            slice_of_concat(tape, ranges, *axis, x, shape)
        }
        (Op::Concat(_), _) if args.len() == 1 => Node(x),
        _ => Same,
    }
}

/// Whether a permutation exchanges the blocks of axes that the operands of a product give.
fn exchanges(tape: &TapeData, axes: &Axes, c: &Contraction, args: &[NodeId]) -> bool {
    let batch = c.left_batch.len();
    let rows = tape.node(args[0]).shape.len() - batch - c.left_sum.len();
    let order = (0..batch).chain(batch + rows..axes.len()).chain(batch..batch + rows);
    order.eq(axes.iter().map(|&a| a as usize))
}

/// Terms of a sum of products that are looked at.
const TERMS: usize = 8;

/// Whether a value is a sum of products that a transform recorded, and that a permutation
/// exchanges.
fn is_sum_of_products(tape: &TapeData, axes: &Axes, sum: NodeId) -> bool {
    let mut open: SmallVec<[NodeId; TERMS]> = SmallVec::from_slice(&[sum]);
    for _ in 0..2 * TERMS {
        let Some(id) = open.pop() else { return true };
        match seen(tape, id) {
            Some(Op::Binary(Binary::Add)) => open.extend(tape.node(id).args.iter().copied()),
            Some(Op::Contract(Contract(c))) if exchanges(tape, axes, c, &tape.node(id).args) => {}
            _ => return false,
        }
    }
    false
}

/// A product whose result is read with its blocks of axes exchanged is that of the exchanged
/// operands.
fn exchanged(tape: &TapeData, axes: &Axes, c: &Contraction, args: &[NodeId]) -> Rewritten {
    if !exchanges(tape, axes, c, args) {
        return Same;
    }
    let operands = SmallVec::from_slice(&[args[1], args[0]]);
    Rewritten::Op(Op::Contract(Contract(Box::new(c.clone().swapped()))), operands)
}

/// Operands that are transposes are read where they come from: any axes can be paired.
fn contract(tape: &TapeData, c: &Contraction, args: &[NodeId]) -> Rewritten {
    let (mut c, mut a, mut b) = (c.clone(), args[0], args[1]);
    let left = through_transpose(tape, &mut a, &mut c.left_batch, &mut c.left_sum);
    let right = through_transpose(tape, &mut b, &mut c.right_batch, &mut c.right_sum);
    if left || right {
        return Rewritten::Op(Op::Contract(Contract(Box::new(c))), SmallVec::from_slice(&[a, b]));
    }
    Same
}

fn through_transpose(tape: &TapeData, x: &mut NodeId, batch: &mut Axes, sum: &mut Axes) -> bool {
    let Some(Op::Transpose(Transpose(axes))) = seen(tape, *x) else { return false };
    let inner = |list: &Axes| list.iter().map(|&i| axes[i as usize]).collect::<Axes>();
    // The result has the free axes in the operand's order, which must stay the same.
    let free = (0..axes.len() as u8).filter(|a| !batch.contains(a) && !sum.contains(a)).collect();
    if !inner(&free).is_sorted() {
        return false;
    }
    (*batch, *sum) = (inner(batch), inner(sum));
    *x = inside(tape, *x);
    true
}

/// A slice that lies within one part of a concatenation is a slice of that part.
fn slice_of_concat(
    tape: &TapeData,
    ranges: &[Range],
    axis: u8,
    concat: NodeId,
    shape: &Shape,
) -> Rewritten {
    let axis = axis as usize;
    let Some(ends) = tape.ends.get(&concat).filter(|_| shape[axis] > 0) else { return Same };
    let first = ranges[axis].start;
    let last = first + (shape[axis] - 1) * ranges[axis].step;
    // The first part that ends behind it, by bisection: there may be many parts, and slices.
    let place = ends.partition_point(|&end| end <= first);
    if last >= ends[place] {
        return Same;
    }
    let mut ranges: SmallVec<[Range; 2]> = SmallVec::from_slice(ranges);
    ranges[axis].start -= if place > 0 { ends[place - 1] } else { 0 };
    one(Op::Slice(Slice(ranges)), tape.node(concat).args[place])
}
