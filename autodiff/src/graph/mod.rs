//! What a recorded computation is: nodes, each a primitive of the closed set on earlier nodes, and
//! the part of them that a program computes.

mod binary;
mod contraction;
mod op;
mod parameters;
mod unary;

pub use binary::{Binary, Compare};
pub(crate) use binary::{TakesFunction, binary_rows, compare_rows};
pub use contraction::Contraction;
pub use op::Op;
// Each primitive of the list is a type.
pub(crate) use op::*;
pub(crate) use parameters::Along;
pub use parameters::{Distribution, Padding, Range};
pub use unary::Unary;
pub(crate) use unary::unary_rows;

use crate::error::{At, Error, Result};
use crate::{Array, DType, Shape};
use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// A node's position on its tape.
pub(crate) type NodeId = u32;

/// A recorded primitive.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) args: SmallVec<[NodeId; 3]>,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
    pub(crate) at: At,
}

impl Node {
    pub(crate) fn key(op: &Op, args: &[NodeId], shape: &Shape, dtype: DType) -> u64 {
        let mut hasher = FxHasher::default();
        (op, args, shape, dtype).hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn is(&self, op: &Op, args: &[NodeId], shape: &Shape, dtype: DType) -> bool {
        self.op == *op && self.args[..] == *args && self.dtype == dtype && self.shape == *shape
    }
}

/// An input of a program.
#[derive(Clone, Debug)]
pub struct InputSpec {
    /// The name it was declared with.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
    /// Where it was declared.
    pub at: At,
}

/// Primitives in topological order, with inputs, literals and outputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) literals: Vec<Array>,
    pub(crate) outputs: Vec<NodeId>,
}

impl Graph {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// Drops what no output needs and numbers the rest anew.
    pub(crate) fn prune(&mut self) {
        let mut needed = vec![false; self.nodes.len()];
        for &out in &self.outputs {
            needed[out as usize] = true;
        }
        for id in (0..self.nodes.len()).rev().filter(|&id| id < self.nodes.len()) {
            if needed[id] {
                for &arg in &self.nodes[id].args {
                    needed[arg as usize] = true;
                }
            }
        }
        if needed.iter().all(|&n| n) {
            return;
        }
        let mut renumbered: Vec<NodeId> = vec![0; self.nodes.len()];
        let (mut id, mut next) = (0, 0);
        // In place: there may be millions.
        self.nodes.retain_mut(|node| {
            let keep = needed[id];
            if keep {
                node.args.iter_mut().for_each(|arg| *arg = renumbered[*arg as usize]);
                renumbered[id] = next;
                next += 1;
            }
            id += 1;
            keep
        });
        for out in &mut self.outputs {
            *out = renumbered[*out as usize];
        }
    }

    /// The literal that all elements of a node equal, if it is one.
    pub(crate) fn constant_value(&self, id: NodeId) -> Option<f64> {
        let node = self.node(id);
        let scalar = match node.op {
            Op::Broadcast(_) => self.node(node.args[0]),
            _ => node,
        };
        match scalar.op {
            Op::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// How often each node is an operand or an output.
    pub(crate) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes.len()];
        let args = self.nodes.iter().flat_map(|n| &n.args);
        args.chain(&self.outputs).for_each(|&a| uses[a as usize] += 1);
        uses
    }

    /// For each node, whether it depends on nothing but the first `early` inputs.
    pub(crate) fn early_nodes(&self, early: usize) -> Vec<bool> {
        let mut flags: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let flag = match node.op {
                Op::Input(i) => (i as usize) < early,
                _ => node.args.iter().all(|&a| flags[a as usize]),
            };
            flags.push(flag && early > 0);
        }
        flags
    }

    /// Shape and element type of each output.
    pub(crate) fn output_specs(&self) -> impl Iterator<Item = (&Shape, DType)> {
        self.outputs.iter().map(|&id| (&self.node(id).shape, self.node(id).dtype))
    }

    /// Checks inputs that start at position `first`.
    pub(crate) fn check_inputs(&self, first: usize, given: &[&Array]) -> Result<()> {
        let specs = &self.inputs[first..];
        if specs.len() != given.len() {
            let (expected, found) = (specs.len(), given.len());
            return Err(Error::Count { what: "inputs", expected, found });
        }
        specs.iter().zip(given).try_for_each(|(spec, array)| spec.check(array))
    }

    /// Checks the first inputs, where only those are given.
    pub(crate) fn check_leading(&self, given: &[&Array]) -> Result<()> {
        self.inputs.iter().zip(given).try_for_each(|(spec, array)| spec.check(array))
    }

    /// Checks outputs.
    pub(crate) fn check_outputs(&self, given: &[Array]) -> Result<()> {
        let ids = &self.outputs;
        if ids.len() != given.len() {
            return Err(Error::Count { what: "outputs", expected: ids.len(), found: given.len() });
        }
        for (index, (&id, array)) in ids.iter().zip(given).enumerate() {
            let node = self.node(id);
            if node.shape != *array.shape() || node.dtype != array.dtype() {
                return Err(Error::Output {
                    index,
                    expected_dtype: node.dtype,
                    expected: node.shape.clone(),
                    found_dtype: array.dtype(),
                    found: array.shape().clone(),
                });
            }
        }
        Ok(())
    }

    /// Checks that arrays live where they are needed: inputs, the first ones or all, and outputs.
    pub(crate) fn check_places(
        &self,
        expected: &'static str,
        inputs: &[&Array],
        outputs: &[Array],
        is_there: impl Fn(&Array) -> bool,
    ) -> Result<()> {
        let wrong = |what: String, array: &Array| {
            let found = array.location();
            Err(Error::Elsewhere { op: "run", what, found, expected })
        };
        if let Some((i, array)) = inputs.iter().enumerate().find(|(_, array)| !is_there(array)) {
            return wrong(format!("input {:?}", self.inputs[i].name), array);
        }
        match outputs.iter().enumerate().find(|(_, array)| !is_there(array)) {
            Some((i, array)) => wrong(format!("output {i}"), array),
            None => Ok(()),
        }
    }
}

impl InputSpec {
    fn check(&self, array: &Array) -> Result<()> {
        if self.shape == *array.shape() && self.dtype == array.dtype() {
            return Ok(());
        }
        Err(Error::Input {
            name: self.name.clone(),
            expected_dtype: self.dtype,
            expected: self.shape.clone(),
            found_dtype: array.dtype(),
            found: array.shape().clone(),
            at: self.at,
        })
    }
}
