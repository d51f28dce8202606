//! What each primitive computes, as plainly as can be said.

use crate::error::Result;
use crate::graph::{Graph, Node};
use crate::ops::Operands;

/// The result's elements from the operands' values.
pub(super) fn eval(graph: &Graph, node: &Node, values: &[Vec<f64>]) -> Result<Vec<f64>> {
    node.op.rules().plain(&Operands { graph, node, values })
}
