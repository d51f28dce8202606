//! Which values need a buffer of their own, and which are views of another's.

use crate::Shape;
use crate::graph::{Graph, Node, NodeId, Op};
use crate::shape::Strides;
use smallvec::SmallVec;

/// What the planner does with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An input or literal array.
    Array,
    /// A scalar literal: an immediate operand of expressions.
    Constant,
    /// Strided access to another node's elements.
    View,
    /// Part of a fused expression.
    Elementwise,
    /// A reduction that can end an expression.
    Reduction,
    /// A reshape whose operand's strides force a copy.
    Copy,
    /// A kernel of its own.
    Kernel,
    /// A contraction computed by the kernel of the sum that it is a term of.
    Term,
}

/// How a node's elements lie in the buffer of its source.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) role: Role,
    /// The node whose buffer it is; itself unless a view.
    pub(super) source: NodeId,
    pub(super) offset: isize,
    pub(super) strides: Strides,
}

/// The layouts of all nodes, each buffer being contiguous.
pub(super) fn layouts(graph: &Graph) -> Vec<Layout> {
    let mut all: Vec<Layout> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let own =
            |role| Layout { role, source: id as NodeId, offset: 0, strides: node.shape.strides() };
        let layout = match &node.op {
            Op::Input(_) | Op::Literal(_) => own(Role::Array),
            Op::Constant(_) => own(Role::Constant),
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast => {
                own(Role::Elementwise)
            }
            Op::Sum(_) | Op::Max(_) | Op::Min(_) => own(Role::Reduction),
            // A view, so that what is computed again cannot join the operand's group and run early.
            Op::Recompute(_)
            | Op::Reshape
            | Op::Broadcast(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::Flip(_) => {
                let operand = node.args[0] as usize;
                match view(node, &graph.nodes[operand].shape, &all[operand]) {
                    Some(view) => view,
                    None => own(Role::Copy),
                }
            }
            _ => own(Role::Kernel),
        };
        all.push(layout);
    }
    all
}

/// Lets sums of contractions be kernels that add each product to the former ones in place.
pub(super) fn absorb_terms(graph: &Graph, layouts: &mut [Layout], uses: &[u32], early: &[bool]) {
    for (id, node) in graph.nodes.iter().enumerate() {
        let is_term = |&a: &NodeId| {
            let a = a as usize;
            // A sum of contractions is a term as well.
            let sum = layouts[a].role == Role::Kernel && is_sum(&graph.nodes[a]);
            let product = matches!(graph.nodes[a].op, Op::Contract(_));
            (sum || product) && uses[a] == 1 && early[a] == early[id]
        };
        if is_sum(node) && node.args.iter().all(is_term) {
            layouts[id].role = Role::Kernel;
            node.args.iter().for_each(|&a| layouts[a as usize].role = Role::Term);
        }
    }
}

pub(super) fn is_sum(node: &Node) -> bool {
    matches!(node.op, Op::Binary(crate::graph::Binary::Add))
}

fn view(node: &Node, from: &Shape, operand: &Layout) -> Option<Layout> {
    let mut offset = operand.offset;
    let strides = match &node.op {
        Op::Recompute(_) => operand.strides.clone(),
        Op::Reshape => reshaped_strides(from, &operand.strides, &node.shape)?,
        Op::Broadcast(axes) => {
            let mut strides: Strides = SmallVec::from_elem(0, node.shape.len());
            for (i, &a) in axes.iter().enumerate() {
                strides[a as usize] = operand.strides[i];
            }
            strides
        }
        Op::Transpose(axes) => axes.iter().map(|&a| operand.strides[a as usize]).collect(),
        Op::Slice(ranges) => {
            let mut strides = operand.strides.clone();
            for (axis, r) in ranges.iter().enumerate() {
                offset += r.start as isize * strides[axis];
                strides[axis] *= r.step as isize;
            }
            strides
        }
        Op::Flip(axes) => {
            let mut strides = operand.strides.clone();
            for &a in axes {
                let a = a as usize;
                offset += (from[a] as isize - 1).max(0) * strides[a];
                strides[a] = -strides[a];
            }
            strides
        }
        _ => return None,
    };
    Some(Layout { role: Role::View, source: operand.source, offset, strides })
}

/// Strides of the same elements under another shape, or `None` where only a copy has them.
pub(crate) fn reshaped_strides(from: &[usize], strides: &[isize], to: &[usize]) -> Option<Strides> {
    let mut result: Strides = SmallVec::from_elem(0, to.len());
    if to.contains(&0) {
        return Some(result);
    }
    // Runs of axes with equal products are matched from the left.
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (i0, j0) = (i, j);
        let (mut m, mut n) = (1, 1);
        loop {
            if m == n && i > i0 && j > j0 {
                break;
            }
            if m <= n && i < from.len() && (m < n || i == i0) {
                m *= from[i];
                i += 1;
            } else if j < to.len() {
                n *= to[j];
                j += 1;
            } else if i < from.len() {
                m *= from[i];
                i += 1;
            } else {
                break;
            }
        }
        // Within a run of the operand neighbours must follow one another.
        let run: SmallVec<[(usize, isize); 4]> =
            (i0..i).filter(|&a| from[a] != 1).map(|a| (from[a], strides[a])).collect();
        if run.windows(2).any(|w| w[0].1 != w[1].1 * w[1].0 as isize) {
            return None;
        }
        let mut step = run.last().map_or(0, |r| r.1);
        for a in (j0..j).rev() {
            result[a] = if to[a] == 1 { 0 } else { step };
            step *= to[a] as isize;
        }
    }
    Some(result)
}

/// Whether a view covers its elements one after the other in row-major order.
pub(crate) fn is_contiguous(shape: &[usize], strides: &[isize]) -> bool {
    let mut step = 1;
    for (&n, &s) in shape.iter().zip(strides).rev() {
        if n != 1 && s != step {
            return shape.contains(&0);
        }
        step *= n as isize;
    }
    true
}
