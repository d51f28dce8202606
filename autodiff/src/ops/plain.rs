//! What the plain loops of primitives are made of. Values are `f64`, whatever their type.

use crate::graph::{Graph, Node};
use crate::shape::Axes;
use crate::{DType, Shape};

/// A node and the values of what was computed before it.
pub(crate) struct Operands<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) node: &'a Node,
    pub(crate) values: &'a [Vec<f64>],
}

impl Operands<'_> {
    /// The elements of operand `i`.
    pub(super) fn value(&self, i: usize) -> &[f64] {
        &self.values[self.node.args[i] as usize]
    }

    /// The shape of operand `i`.
    pub(super) fn shape(&self, i: usize) -> &Shape {
        &self.graph.node(self.node.args[i]).shape
    }

    /// The element type of operand `i`.
    pub(super) fn dtype(&self, i: usize) -> DType {
        self.graph.node(self.node.args[i]).dtype
    }

    /// For each position of the result, the element of the first operand at another one.
    pub(super) fn moved(&self, from: impl Fn(&[usize]) -> Vec<usize>) -> Vec<f64> {
        let (x, shape) = (self.value(0), self.shape(0));
        positions(&self.node.shape).map(|p| x[flat(shape, &from(&p))]).collect()
    }
}

/// All positions of a shape in row-major order.
pub(super) fn positions(shape: &Shape) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..shape.count()).map(|i| position(shape, i))
}

pub(super) fn position(shape: &Shape, mut i: usize) -> Vec<usize> {
    let mut p = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        p[axis] = i % shape[axis];
        i /= shape[axis];
    }
    p
}

pub(super) fn flat(shape: &Shape, p: &[usize]) -> usize {
    p.iter().zip(shape.iter()).fold(0, |i, (p, n)| i * n + p)
}

/// a + b; integers wrap.
pub(super) fn plus(dtype: DType, a: f64, b: f64) -> f64 {
    match dtype {
        DType::U32 => f64::from((a as u32).wrapping_add(b as u32)),
        DType::F32 | DType::F64 | DType::Bool => a + b,
    }
}

pub(super) fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// Combines the elements of the first operand over axes, in their order.
pub(super) fn reduce(
    of: &Operands<'_>,
    axes: &Axes,
    start: f64,
    f: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let (from, out) = (of.shape(0), &of.node.shape);
    let mut result = vec![start; out.count()];
    for (p, &x) in positions(from).zip(of.value(0)) {
        let kept: Vec<usize> =
            (0..p.len()).filter(|&a| !axes.contains(&(a as u8))).map(|a| p[a]).collect();
        let i = flat(out, &kept);
        result[i] = f(result[i], x);
    }
    result
}
