//! Equal nodes are found among the readers of their last operand.

use crate::graph::{Node, NodeId, Op};
use crate::{DType, Shape};
use hashbrown::HashTable;

/// Readers of one operand that are looked through; further ones are found by their hash.
const LISTED: usize = 6;

const NONE: NodeId = NodeId::MAX;

/// Nodes that equal ones are shared with.
///
/// A node's equal reads the same operands. The readers of an operand are mostly few, and stand close to
/// it: to look through them touches memory that was just written, where a table of all nodes is a
/// miss of the caches for each.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// For each node, the latest of those whose last recorded operand it is.
    latest: Vec<NodeId>,
    /// For each node, the one before it in that list.
    earlier: Vec<NodeId>,
    /// Nodes without operands, and those of full lists.
    table: HashTable<NodeId>,
}

impl Sharing {
    /// Room for so many nodes.
    pub(super) fn with_capacity(nodes: usize) -> Sharing {
        let list = || Vec::with_capacity(nodes);
        Sharing { latest: list(), earlier: list(), table: HashTable::new() }
    }

    /// Forgets all nodes.
    pub(super) fn clear(&mut self) {
        self.latest.clear();
        self.earlier.clear();
        self.table.clear();
    }

    /// An equal node among those that were noted, or else notes that the next node is to be this one.
    pub(super) fn find_or_note(
        &mut self,
        nodes: &[Node],
        op: &Op,
        args: &[NodeId],
        shape: &Shape,
        dtype: DType,
    ) -> Option<NodeId> {
        let next = nodes.len() as NodeId;
        let is = |id: NodeId| nodes[id as usize].is(op, args, shape, dtype);
        let last = args.iter().copied().max();
        if let Some(last) = last {
            let mut id = self.latest.get(last as usize).copied().unwrap_or(NONE);
            for _ in 0..LISTED {
                if id == NONE {
                    self.note(last, next);
                    return None;
                }
                if is(id) {
                    return Some(id);
                }
                id = self.earlier[id as usize];
            }
        }
        let key = Node::key(op, args, shape, dtype);
        let rehash = |&id: &NodeId| {
            let node = &nodes[id as usize];
            Node::key(&node.op, &node.args, &node.shape, node.dtype)
        };
        match self.table.find(key, |&id| is(id)) {
            Some(&id) => Some(id),
            None => {
                self.table.insert_unique(key, next, rehash);
                None
            }
        }
    }

    fn note(&mut self, last: NodeId, next: NodeId) {
        let nodes = next as usize + 1;
        if self.latest.len() < nodes {
            self.latest.resize(nodes, NONE);
            self.earlier.resize(nodes, NONE);
        }
        self.earlier[next as usize] = self.latest[last as usize];
        self.latest[last as usize] = next;
    }
}
