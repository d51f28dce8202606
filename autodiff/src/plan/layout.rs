//! Which values need a buffer of their own, and which are views of another's.

use crate::graph::{Binary, Graph, Node, NodeId, Op};
use crate::shape::Strides;
use crate::work::{Lowering, Strided};

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
    /// A view whose operand's strides force a copy.
    Copy,
    /// A kernel of its own.
    Kernel,
    /// Computed by the kernels of the sum that it is a term of.
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
        let layout = match node.op.rules().lowering() {
            Lowering::Given if matches!(node.op, Op::Constant(_)) => own(Role::Constant),
            Lowering::Given => own(Role::Array),
            Lowering::Instruction(_) => own(Role::Elementwise),
            Lowering::Reduction(..) => own(Role::Reduction),
            Lowering::View(movement) => {
                let operand = node.args[0] as usize;
                let Layout { source, offset, strides, .. } = all[operand].clone();
                let strided = Strided { offset, strides };
                match movement.view(&graph.nodes[operand].shape, &node.shape, strided) {
                    Some(Strided { offset, strides }) => {
                        Layout { role: Role::View, source, offset, strides }
                    }
                    None => own(Role::Copy),
                }
            }
            Lowering::SideBySide(_) | Lowering::Added(_) | Lowering::Kernels(_) => {
                own(Role::Kernel)
            }
        };
        all.push(layout);
    }
    all
}

/// Lets sums of what kernels can add be kernels that add each term to the former ones in place.
pub(super) fn absorb_terms(graph: &Graph, layouts: &mut [Layout], uses: &[u32], early: &[bool]) {
    for (id, node) in graph.nodes.iter().enumerate() {
        let is_term = |&a: &NodeId| {
            let a = a as usize;
            // A sum of terms is a term as well.
            let sum = layouts[a].role == Role::Kernel && is_sum(&graph.nodes[a]);
            let added = matches!(graph.nodes[a].op.rules().lowering(), Lowering::Added(_));
            (sum || added) && uses[a] == 1 && early[a] == early[id]
        };
        if is_sum(node) && node.args.iter().all(is_term) {
            layouts[id].role = Role::Kernel;
            node.args.iter().for_each(|&a| layouts[a as usize].role = Role::Term);
        }
    }
}

pub(super) fn is_sum(node: &Node) -> bool {
    matches!(node.op, Op::Binary(Binary::Add))
}
