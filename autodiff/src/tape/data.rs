//! The nodes of a tape.
//!
//! What a user records is a node of its own, since derivatives may be asked with respect to
//! it. What transforms record inside themselves nobody can name: there equal nodes are shared
//! and identities applied, as they are when a program is extracted.

use super::rewrite::{Rewritten, rewrite};
use super::sharing::Sharing;
use crate::error::{At, Error, Result};
use crate::graph::{Binary, Broadcast, Concat, Node, NodeId, Op, Transpose};
use crate::shape::Axes;
use crate::{Array, DType, Shape};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::ops::Range;

/// A declared input.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) node: NodeId,
}

/// What a tape holds.
#[derive(Default, Debug)]
pub(crate) struct TapeData {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) literals: Vec<Array>,
    pub(crate) error: Option<Error>,
    /// While a transform or a layer records, nodes and errors carry the place they stem from.
    pub(crate) stems_from: Option<At>,
    /// Whether any `Hold` has been recorded.
    pub(crate) holds: bool,
    /// How many transforms record at the moment, one inside the other.
    pub(crate) transforms: u32,
    /// Whether this is the copy from which a program is made.
    pub(super) is_extraction: bool,
    /// Stretches of nodes whose values derivatives compute again, in the order of their ends:
    /// an inner one comes before the one around it.
    pub(crate) regions: Vec<Range<NodeId>>,
    /// For nodes that were recorded again: the node whose value they have.
    pub(crate) originals: FxHashMap<NodeId, NodeId>,
    /// The stand-ins of `map_rows`, which mean nothing outside of its function.
    pub(crate) rows: FxHashSet<NodeId>,
    /// Where the parts of a hidden concatenation end.
    pub(super) ends: FxHashMap<NodeId, Vec<usize>>,
    /// Hidden nodes, to find equal ones.
    shared: Sharing,
    /// For each node, whether nobody can name it: then it may be shared and seen through.
    hidden: Vec<bool>,
    input_names: FxHashSet<String>,
    /// The numbers of literals of few elements, by type, shape and bits.
    small_literals: FxHashMap<(DType, Shape, SmallVec<[u64; 4]>), u32>,
}

impl TapeData {
    /// An empty copy, with room for so many nodes, from which a program is made.
    pub(super) fn for_extraction(nodes: usize) -> TapeData {
        TapeData {
            transforms: 1,
            is_extraction: true,
            nodes: Vec::with_capacity(nodes),
            hidden: Vec::with_capacity(nodes),
            shared: Sharing::with_capacity(nodes),
            ..TapeData::default()
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// Shape and element type.
    pub(crate) fn aval(&self, id: NodeId) -> (Shape, DType) {
        let node = self.node(id);
        (node.shape.clone(), node.dtype)
    }

    /// The number that the next new node gets.
    pub(crate) fn next(&self) -> NodeId {
        self.nodes.len() as NodeId
    }

    /// Makes a region of all nodes from `start` on.
    pub(crate) fn close_region(&mut self, start: NodeId) {
        if start < self.next() {
            self.regions.push(start..self.next());
        }
    }

    /// The node itself, or the one whose value it computes again.
    pub(crate) fn original(&self, id: NodeId) -> NodeId {
        self.originals.get(&id).copied().unwrap_or(id)
    }

    /// Records a well-formed primitive; inside of transforms simplified, and shared with an
    /// equal one.
    pub(crate) fn push(
        &mut self,
        op: Op,
        args: &[NodeId],
        shape: Shape,
        dtype: DType,
        at: At,
    ) -> NodeId {
        if self.transforms == 0 {
            return self.append(op, args, shape, dtype, at);
        }
        match rewrite(self, &op, args, &shape, dtype) {
            Rewritten::Same => self.insert(op, args, shape, dtype, at),
            Rewritten::Node(id) => id,
            Rewritten::Constant(c) => self.full(c, &shape, dtype, at),
            Rewritten::Op(op, args) => self.push(op, &args, shape, dtype, at),
            Rewritten::ReshapedSum(a, b) => {
                let inner = self.node(a).shape.clone();
                let sum = self.push(Op::Binary(Binary::Add), &[a, b], inner, dtype, at);
                self.push(Op::Reshape, &[sum], shape, dtype, at)
            }
            Rewritten::SumOfTransposed(axes, a, b) => {
                let terms = [a, b].map(|term| {
                    self.push(
                        Op::Transpose(Transpose(axes.clone())),
                        &[term],
                        shape.clone(),
                        dtype,
                        at,
                    )
                });
                self.push(Op::Binary(Binary::Add), &terms, shape, dtype, at)
            }
        }
    }

    /// A node of its own: the one place where nodes are made, so no node has a shape that memory
    /// cannot hold, whoever records it. Such a one fails, and is poisoned under a shape of as many
    /// axes.
    pub(crate) fn append(
        &mut self,
        op: Op,
        args: &[NodeId],
        shape: Shape,
        dtype: DType,
        at: At,
    ) -> NodeId {
        // The message is made for those that need one alone: there may be millions of nodes.
        if !shape.is_possible()
            && let Err(error) = self.check_size(op.name(), &shape, at)
        {
            return self.fail(error, shape.of_ones(), dtype);
        }
        self.holds |= matches!(op, Op::Hold(_));
        let id = self.nodes.len() as NodeId;
        let at = self.stems_from.unwrap_or(at);
        self.nodes.push(Node { op, args: SmallVec::from_slice(args), shape, dtype, at });
        self.hidden.push(false);
        id
    }

    /// A variable of its own with the value of a node that others may have, or be shared with.
    pub(crate) fn alias(&mut self, id: NodeId, at: At) -> NodeId {
        let (shape, dtype) = self.aval(id);
        self.append(Op::Alias, &[id], shape, dtype, at)
    }

    /// From now on, what is recorded cannot be named.
    pub(crate) fn begin_transform(&mut self) {
        // What an earlier transform recorded inside a region is not kept for this one.
        if self.transforms == 0 && !self.regions.is_empty() {
            self.shared.clear();
        }
        self.transforms += 1;
    }

    /// What a call that began at node `before` returns: a variable of its own, unless a
    /// transform made the call.
    pub(crate) fn returned(&mut self, id: NodeId, before: NodeId, at: At) -> NodeId {
        if self.transforms == 0 && (id < before || self.hidden[id as usize]) {
            self.alias(id, at)
        } else {
            id
        }
    }

    /// A node that nobody can name.
    pub(super) fn hidden(&self, id: NodeId) -> Option<&Node> {
        self.hidden[id as usize].then(|| self.node(id))
    }

    /// A hidden node, the same for equal ones.
    pub(super) fn insert(
        &mut self,
        op: Op,
        args: &[NodeId],
        shape: Shape,
        dtype: DType,
        at: At,
    ) -> NodeId {
        if let Some(id) = self.shared.find_or_note(&self.nodes, &op, args, &shape, dtype) {
            return id;
        }
        let id = self.append(op, args, shape, dtype, at);
        self.hidden[id as usize] = true;
        if let Op::Concat(Concat(axis)) = self.node(id).op {
            self.note_ends(id, axis as usize);
        }
        id
    }

    /// Keeps the first error, and returns a poisoned node.
    pub(crate) fn fail(&mut self, error: Error, shape: Shape, dtype: DType) -> NodeId {
        let error = match self.stems_from {
            Some(place) => error.relocated(place),
            None => error,
        };
        self.error.get_or_insert(error);
        let unique = self.nodes.len() as u32;
        self.append(Op::Poison(unique), &[], shape, dtype, At::caller())
    }

    pub(super) fn input(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
        at: At,
    ) -> Result<NodeId> {
        self.check_size("input", &shape, at)?;
        if !self.input_names.insert(name.to_owned()) {
            let problem = format!("there is an input named {name:?} already");
            return Err(Error::Parameter { op: "input", problem, at });
        }
        let node = self.append(Op::Input(self.inputs.len() as u32), &[], shape, dtype, at);
        self.inputs.push(Input { name: name.to_owned(), node });
        Ok(node)
    }

    pub(crate) fn literal(&mut self, array: Array, at: At) -> NodeId {
        if array.shape().is_empty() {
            return self.insert(
                Op::Constant(array.at(0).unwrap_or_default().to_bits()),
                &[],
                Shape::scalar(),
                array.dtype(),
                at,
            );
        }
        let (shape, dtype) = (array.shape().clone(), array.dtype());
        let new = self.literals.len() as u32;
        let position = if array.len() < 64 {
            let bits = (0..array.len()).filter_map(|i| Some(array.at(i)?.to_bits())).collect();
            *self.small_literals.entry((dtype, shape.clone(), bits)).or_insert(new)
        } else {
            // Comparing contents would cost more than it saves.
            new
        };
        if position == new {
            self.literals.push(array);
        }
        self.insert(Op::Literal(position), &[], shape, dtype, at)
    }

    fn note_ends(&mut self, id: NodeId, axis: usize) {
        let mut end = 0;
        let parts = self.node(id).args.iter();
        let ends = parts.map(|&part| {
            end += self.node(part).shape[axis];
            end
        });
        let ends = ends.collect();
        self.ends.insert(id, ends);
    }

    /// A literal repeated to a shape.
    pub(crate) fn full(&mut self, value: f64, shape: &Shape, dtype: DType, at: At) -> NodeId {
        let bits = dtype.round(value).to_bits();
        let scalar = self.insert(Op::Constant(bits), &[], Shape::scalar(), dtype, at);
        if shape.is_empty() {
            return scalar;
        }
        self.insert(Op::Broadcast(Broadcast(Axes::new())), &[scalar], shape.clone(), dtype, at)
    }

    /// The literal that all elements of a node equal, if it is one.
    pub(crate) fn constant_value(&self, mut id: NodeId) -> Option<f64> {
        loop {
            let node = self.node(id);
            match node.op {
                Op::Constant(bits) => return Some(f64::from_bits(bits)),
                Op::Alias | Op::Broadcast(_) => id = node.args[0],
                _ => return None,
            }
        }
    }

    /// The same, where no derivative can be asked with respect to it.
    pub(crate) fn hidden_constant(&self, id: NodeId) -> Option<f64> {
        let node = self.hidden(id)?;
        let scalar = if let Op::Broadcast(_) = node.op { self.hidden(node.args[0])? } else { node };
        match scalar.op {
            Op::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    pub(crate) fn reshape(&mut self, x: NodeId, shape: Shape, at: At) -> NodeId {
        let dtype = self.node(x).dtype;
        self.push(Op::Reshape, &[x], shape, dtype, at)
    }

    /// Repeats a node to a shape under NumPy's rule, which must hold.
    pub(crate) fn broadcast_to(&mut self, x: NodeId, shape: &Shape, at: At) -> NodeId {
        let (from, dtype) = self.aval(x);
        if from == *shape {
            return x;
        }
        let shift = shape.len() - from.len();
        let kept: Vec<usize> = (0..from.len()).filter(|&i| from[i] == shape[i + shift]).collect();
        let x = self.reshape(x, kept.iter().map(|&i| from[i]).collect(), at);
        let axes = kept.iter().map(|&i| (i + shift) as u8).collect();
        self.push(Op::Broadcast(Broadcast(axes)), &[x], shape.clone(), dtype, at)
    }

    /// What [`append`](TapeData::append) checks, where an error is wanted before that.
    pub(crate) fn check_size(&self, op: &'static str, shape: &Shape, at: At) -> Result<()> {
        match shape.problem() {
            None => Ok(()),
            Some(problem) => Err(Error::Parameter { op, problem, at }),
        }
    }
}
