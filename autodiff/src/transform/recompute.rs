//! What derivatives of regions use in place of kept values: the region recorded again.
//!
//! A transform of a region records a region: its own nodes and the recomputed ones. So any
//! nesting of transforms keeps no more than what enters and leaves.

use crate::graph::{Node, NodeId, Op, Recompute};
use crate::tape::{TapeData, TapeId, Var, with_tape};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::ops::Range;

/// A node's operands and its result, as values that its derivative can use.
pub(super) type Values = (SmallVec<[Var; 3]>, Var);

/// A node's own operands and result.
pub(super) fn kept(tape: TapeId, id: NodeId, node: &Node) -> Values {
    (node.args.iter().map(|&a| Var::new(tape, a)).collect(), Var::new(tape, id))
}

/// Values from outside, on which a region is recorded again. A sweep has its own, so that what
/// another one recorded before does not count as kept.
#[derive(Default)]
struct Outside {
    number: u32,
    entered: RefCell<FxHashMap<NodeId, NodeId>>,
}

impl Outside {
    fn new(number: u32) -> Outside {
        Outside { number, ..Outside::default() }
    }

    /// The value of a node from outside.
    fn enter(&self, tape: &mut TapeData, id: NodeId) -> NodeId {
        if tape.hidden_constant(id).is_some() {
            return id;
        }
        *self.entered.borrow_mut().entry(id).or_insert_with(|| {
            let ((shape, dtype), at) = (tape.aval(id), tape.node(id).at);
            tape.append(Op::Recompute(Recompute(self.number)), &[id], shape, dtype, at)
        })
    }
}

/// The node's primitive on other operands, known to compute the same.
fn again(tape: &mut TapeData, id: NodeId, args: &[NodeId]) -> NodeId {
    let Node { op, shape, dtype, at, .. } = tape.node(id).clone();
    // Its place is its own, not that of the node for whose sake it is recorded.
    let place = tape.stems_from.replace(at);
    // Neither simplified nor shared: a derivative may be asked with respect to it.
    let copy = tape.append(op, args, shape, dtype, at);
    tape.stems_from = place;
    let original = tape.original(id);
    tape.originals.insert(copy, original);
    copy
}

/// The regions that share nodes with `low..=high`.
fn overlapping(tape: TapeId, low: NodeId, high: NodeId) -> Vec<Range<NodeId>> {
    with_tape(tape, |t| {
        t.regions.iter().filter(|r| r.start <= high && r.end > low).cloned().collect()
    })
    .unwrap_or_default()
}

/// The nodes among `low..=high` that are one of the variables, recomputed or not, each with
/// the variable's position.
pub(super) fn positions(
    tape: TapeId,
    low: NodeId,
    high: NodeId,
    variables: impl Iterator<Item = Var>,
) -> Vec<(NodeId, usize)> {
    with_tape(tape, |t| {
        let mut found: Vec<(NodeId, usize)> =
            variables.enumerate().map(|(position, x)| (t.original(x.node()), position)).collect();
        let mut by_node: FxHashMap<NodeId, SmallVec<[usize; 1]>> = FxHashMap::default();
        if !t.originals.is_empty() {
            found.iter().for_each(|&(id, position)| by_node.entry(id).or_default().push(position));
        }
        for (&copy, original) in t.originals.iter().filter(|_| !by_node.is_empty()) {
            let positions = by_node.get(original).into_iter().flatten();
            found.extend(positions.map(|&position| (copy, position)));
        }
        found.retain(|&(id, _)| id >= low && id <= high);
        found
    })
    .unwrap_or_default()
}

/// The least node that is one of the variables.
pub(super) fn lowest(tape: TapeId, variables: impl Iterator<Item = Var>) -> Option<NodeId> {
    with_tape(tape, |t| variables.map(|x| t.original(x.node())).min()).flatten()
}

/// A region while a reverse sweep passes it.
struct Frame {
    region: Range<NodeId>,
    /// Once the sweep needs values.
    opened: Option<Opened>,
}

struct Opened {
    outside: Outside,
    /// The first node that the sweep recorded for the region.
    first: NodeId,
    copies: Vec<Option<NodeId>>,
}

/// Values for a reverse sweep over `low..=high`.
pub(super) struct Backward {
    tape: TapeId,
    low: NodeId,
    needed: Vec<bool>,
    /// Regions below the current node, the outer after the inner.
    below: Vec<Range<NodeId>>,
    /// Regions around the current node, the outer before the inner.
    around: Vec<Frame>,
}

impl Backward {
    /// `None` where no region is passed. `needed` are the nodes that the outputs need.
    pub(super) fn begin(
        tape: TapeId,
        low: NodeId,
        high: NodeId,
        needed: &[bool],
    ) -> Option<Backward> {
        let below = overlapping(tape, low, high);
        let needed = if below.is_empty() { return None } else { needed.to_vec() };
        Some(Backward { tape, low, needed, below, around: Vec::new() })
    }

    /// Goes down to a node.
    pub(super) fn reach(&mut self, id: NodeId) {
        while let Some(frame) = self.around.pop_if(|f| id < f.region.start) {
            self.close(&frame);
        }
        while let Some(region) = self.below.pop_if(|r| id < r.end) {
            self.around.push(Frame { region, opened: None });
        }
    }

    fn close(&self, frame: &Frame) {
        if let Some(opened) = &frame.opened {
            with_tape(self.tape, |tape| tape.close_region(opened.first));
        }
    }

    /// Leaves the last regions.
    pub(super) fn end(mut self) {
        while let Some(frame) = self.around.pop() {
            self.close(&frame);
        }
    }

    /// Operands and result of a node that has the cotangent `ct`.
    pub(super) fn values(
        &mut self,
        id: NodeId,
        node: &Node,
        ct: Var,
        is_leaf: &[bool],
    ) -> Option<Values> {
        with_tape(self.tape, |tape| {
            for depth in 0..self.around.len() {
                if self.around[depth].opened.is_none() {
                    self.open(tape, depth, id, ct.node(), is_leaf);
                }
            }
            let depth = self.around.len();
            let mut value = |id| Var::new(self.tape, self.value(tape, depth, id));
            (node.args.iter().map(|&a| value(a)).collect(), value(id))
        })
    }

    /// Records what a region computes up to a node again. The cotangent tells sweeps apart:
    /// those over the same region with different ones must not keep values for each other.
    fn open(
        &mut self,
        tape: &mut TapeData,
        depth: usize,
        up_to: NodeId,
        number: u32,
        is_leaf: &[bool],
    ) {
        let first = tape.next();
        let region = self.around[depth].region.clone();
        let start = region.start.max(self.low);
        let copies = vec![None; (up_to - start + 1) as usize];
        self.around[depth].opened = Some(Opened { outside: Outside::new(number), first, copies });
        let mut inner = Nested::new(tape, start, up_to, &region);
        for id in start..=up_to {
            inner.reach(tape, id);
            let i = (id - self.low) as usize;
            if !self.needed[i] || is_leaf[i] || tape.node(id).args.is_empty() {
                continue;
            }
            let args = tape.node(id).args.clone();
            let args: SmallVec<[NodeId; 3]> =
                args.iter().map(|&a| self.value(tape, depth + 1, a)).collect();
            let copy = again(tape, id, &args);
            if let Some(opened) = &mut self.around[depth].opened {
                opened.copies[(id - start) as usize] = Some(copy);
            }
        }
        inner.end(tape);
    }

    /// A node's value where the sweep is, once it has asked for those of the current node.
    pub(super) fn value_of(&self, id: NodeId) -> Var {
        let depth = self.around.len();
        let value = with_tape(self.tape, |tape| self.value(tape, depth, id));
        Var::new(self.tape, value.unwrap_or(id))
    }

    /// A node's value inside the outermost `depth` regions.
    fn value(&self, tape: &mut TapeData, depth: usize, id: NodeId) -> NodeId {
        let copy = |frame: &Frame| {
            let i = id.checked_sub(frame.region.start.max(self.low))?;
            *frame.opened.as_ref()?.copies.get(i as usize)?
        };
        let around = &self.around[..depth];
        let found = around.iter().enumerate().rev().find_map(|(d, f)| Some((d + 1, copy(f)?)));
        let (from, value) = found.unwrap_or((0, id));
        let opened = around[from..].iter().filter_map(|f| f.opened.as_ref());
        opened.fold(value, |value, o| o.outside.enter(tape, value))
    }
}

/// Regions inside what is recorded again become regions there.
struct Nested {
    /// By their beginnings, the first last; of two that begin together the outer is last.
    ahead: Vec<Range<NodeId>>,
    /// Where each open one ends, and its first new node.
    open: Vec<(NodeId, NodeId)>,
}

impl Nested {
    fn over(mut regions: Vec<Range<NodeId>>) -> Nested {
        regions.sort_by_key(|r| (Reverse(r.start), r.end));
        Nested { ahead: regions, open: Vec::new() }
    }

    fn new(tape: &TapeData, low: NodeId, high: NodeId, within: &Range<NodeId>) -> Nested {
        // By binary search: a tape may have many regions, each of which is recorded again.
        let begin = tape.regions.partition_point(|r| r.end <= low);
        let end = tape.regions.partition_point(|r| r.end <= within.end);
        let inside = |r: &&Range<NodeId>| r.start >= within.start && r.start <= high;
        let regions = tape.regions[begin..end].iter().filter(inside);
        Nested::over(regions.filter(|r| *r != within).cloned().collect())
    }

    /// Goes up to a node.
    fn reach(&mut self, tape: &mut TapeData, id: NodeId) {
        while let Some((_, first)) = self.open.pop_if(|(end, _)| id >= *end) {
            tape.close_region(first);
        }
        while let Some(region) = self.ahead.pop_if(|r| r.start <= id) {
            self.open.push((region.end, tape.next()));
        }
    }

    fn end(mut self, tape: &mut TapeData) {
        while let Some((_, first)) = self.open.pop() {
            tape.close_region(first);
        }
    }
}

/// Values for a forward sweep over `low..=high`: regions are recorded again next to their
/// tangents, and so is all that follows from them. Nobody then needs the first recording.
pub(super) struct Forward {
    tape: TapeId,
    low: NodeId,
    outside: Outside,
    regions: Nested,
    copies: Vec<Option<NodeId>>,
}

impl Forward {
    /// `None` where no region depends on the variables. `needed` are the nodes that the
    /// outputs need, `fixed` the variables; `number` tells sweeps apart.
    pub(super) fn begin(
        tape: TapeId,
        low: NodeId,
        high: NodeId,
        needed: &[bool],
        fixed: &[bool],
        number: u32,
    ) -> Option<Forward> {
        let mut regions = overlapping(tape, low, high);
        if regions.is_empty() {
            return None;
        }
        // How many nodes before each one depend on the variables.
        let counts = with_tape(tape, |t| {
            let mut depends = fixed.to_vec();
            let mut counts = vec![0u32];
            for id in low..=high {
                let i = (id - low) as usize;
                let args = &t.node(id).args;
                depends[i] |= args.iter().any(|&a| a >= low && depends[(a - low) as usize]);
                counts.push(counts[i] + u32::from(depends[i] && needed[i] && !fixed[i]));
            }
            counts
        })?;
        let count = |id: NodeId| counts[((id.max(low) - low) as usize).min(needed.len())];
        regions.retain(|r| count(r.end) > count(r.start));
        if regions.is_empty() {
            return None;
        }
        let copies = vec![None; needed.len()];
        Some(Forward {
            tape,
            low,
            outside: Outside::new(number),
            regions: Nested::over(regions),
            copies,
        })
    }

    /// Goes up to a node.
    pub(super) fn reach(&mut self, id: NodeId) {
        with_tape(self.tape, |tape| self.regions.reach(tape, id));
    }

    /// Leaves the last regions.
    pub(super) fn end(self) {
        with_tape(self.tape, |tape| self.regions.end(tape));
    }

    /// A node's value where the sweep is.
    pub(super) fn value(&self, id: NodeId) -> Var {
        let inside = !self.regions.open.is_empty();
        let value = with_tape(self.tape, |tape| self.operand(tape, id, inside));
        Var::new(self.tape, value.unwrap_or(id))
    }

    /// The copy of a node; without one, its value from outside where a region asks for it.
    fn operand(&self, tape: &mut TapeData, id: NodeId, inside: bool) -> NodeId {
        match self.copy(id) {
            Some(copy) => copy.node(),
            None if inside => self.outside.enter(tape, id),
            None => id,
        }
    }

    /// The recomputed value of a node, where there is one.
    pub(super) fn copy(&self, id: NodeId) -> Option<Var> {
        let i = id.checked_sub(self.low)?;
        self.copies.get(i as usize)?.map(|copy| Var::new(self.tape, copy))
    }

    /// Operands and result of a node that the outputs need, recorded again where it must be.
    pub(super) fn values(&mut self, id: NodeId, node: &Node) -> Option<Values> {
        let inside = !self.regions.open.is_empty() && !node.args.is_empty();
        if !inside && node.args.iter().all(|&a| self.copy(a).is_none()) {
            return Some(kept(self.tape, id, node));
        }
        with_tape(self.tape, |tape| {
            let args: SmallVec<[NodeId; 3]> =
                node.args.iter().map(|&a| self.operand(tape, a, inside)).collect();
            let copy = again(tape, id, &args);
            self.copies[(id - self.low) as usize] = Some(copy);
            let var = |id: NodeId| Var::new(self.tape, id);
            (args.iter().map(|&a| var(a)).collect(), var(copy))
        })
    }
}
