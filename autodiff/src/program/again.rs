//! Cheap elementwise values that are computed again where they are needed.
//!
//! A value that one fused expression makes and another reads costs a pass through memory on
//! each side; a few additions and products cost less. So an expression takes over the cheap
//! part of what it reads, down to values that are dear or lie in memory anyway, where that
//! leaves fewer bytes to write and read. The same operations give the same bits.

use super::Graph;
use super::fuse::Groups;
use super::layout::{Layout, Role};
use crate::ops::{Binary, Op, Unary};
use crate::tape::NodeId;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// Operations that an expression takes over at most: many cost more than a pass.
const MOST: usize = 24;

/// Nodes of an expression at most: as many as `fuse` lets sink into one.
const LONGEST: usize = 128;

/// Whether computing a value is cheaper than a pass through memory.
fn cheap(op: &Op) -> bool {
    match op {
        Op::Unary(f) => matches!(f, Unary::Neg | Unary::Abs | Unary::Sign),
        Op::Binary(f) => !matches!(f, Binary::Div | Binary::Pow),
        Op::Compare(_) | Op::Select => true,
        _ => false,
    }
}

/// Lets groups compute cheap values again, and drops values that nobody reads any more.
pub(super) fn take_over(graph: &Graph, layouts: &[Layout], groups: &mut Groups) {
    let mut readers = Readers::new(graph, layouts, groups);
    for g in 0..groups.groups.len() {
        if groups.groups[g].domain.is_none() || groups.groups[g].nodes.is_empty() {
            continue;
        }
        let Some(taken) = (Reading { graph, layouts, groups, readers: &readers, g }).best() else {
            continue;
        };
        for &id in &taken.wanted {
            readers.by[id as usize].retain(|by| *by != g);
        }
        for &leaf in &taken.leaves {
            readers.add(leaf, g);
        }
        groups.again.extend(taken.computed.iter().map(|&id| (g, id)));
        let nodes = &mut groups.groups[g].nodes;
        nodes.extend(taken.computed);
        nodes.sort_unstable();
    }
    drop_unread(graph, layouts, groups, &readers);
}

/// Who reads a value from memory.
struct Readers {
    /// Whether it lies there in any case.
    kept: Vec<bool>,
    /// The other groups whose expressions read it.
    by: Vec<SmallVec<[usize; 2]>>,
}

impl Readers {
    fn new(graph: &Graph, layouts: &[Layout], groups: &Groups) -> Readers {
        let n = graph.nodes.len();
        let kept = layouts.iter().map(|l| l.role != Role::Elementwise).collect();
        let mut readers = Readers { kept, by: vec![SmallVec::new(); n] };
        for &out in &graph.outputs {
            readers.kept[layouts[out as usize].source as usize] = true;
        }
        for (id, node) in graph.nodes.iter().enumerate() {
            let expression = matches!(layouts[id].role, Role::Elementwise | Role::Reduction);
            for &arg in &node.args {
                let source = layouts[arg as usize].source;
                let (Some(by), Some(of)) = (groups.of[id], groups.of[source as usize]) else {
                    continue;
                };
                let same_stage = groups.groups[by].early == groups.groups[of].early;
                if !expression || source != arg || !same_stage {
                    readers.kept[source as usize] = true;
                } else if by != of {
                    readers.add(arg, by);
                }
            }
        }
        readers
    }

    fn add(&mut self, id: NodeId, group: usize) {
        let by = &mut self.by[id as usize];
        if !by.contains(&group) {
            by.push(group);
        }
    }

    fn in_memory(&self, id: NodeId) -> bool {
        self.kept[id as usize] || !self.by[id as usize].is_empty()
    }
}

/// What a group might compute again.
struct Taken {
    /// What it then no longer reads.
    wanted: Vec<NodeId>,
    /// What it computes in place of that.
    computed: FxHashSet<NodeId>,
    /// What it reads to do so.
    leaves: FxHashSet<NodeId>,
}

/// A group and what it reads.
struct Reading<'a> {
    graph: &'a Graph,
    layouts: &'a [Layout],
    groups: &'a Groups,
    readers: &'a Readers,
    g: usize,
}

impl Reading<'_> {
    fn bytes(&self, id: NodeId) -> isize {
        let node = self.graph.node(id);
        (node.shape.count() * node.dtype.size()) as isize
    }

    /// Whether this group may compute a value again: it is cheap, and no array that lies in
    /// memory in any case or is made at another stage.
    fn may_compute(&self, id: NodeId) -> bool {
        let same_stage = self.groups.of[id as usize]
            .is_some_and(|of| self.groups.groups[of].early == self.groups.groups[self.g].early);
        same_stage && !self.readers.kept[id as usize] && cheap(&self.graph.node(id).op)
    }

    /// The sources of what the group reads from memory.
    fn reads(&self) -> FxHashSet<NodeId> {
        let args = self.groups.groups[self.g].nodes.iter().flat_map(|&n| &self.graph.node(n).args);
        args.filter(|&&a| self.graph.constant_value(a).is_none())
            .map(|&a| self.layouts[a as usize].source)
            .filter(|&source| !self.groups.computes(self.g, source))
            .collect()
    }

    /// What is computed and read for `wanted`; none where that is too much.
    fn closure(&self, wanted: Vec<NodeId>) -> Option<Taken> {
        let (mut computed, mut leaves) = (FxHashSet::default(), FxHashSet::default());
        let mut open = wanted.clone();
        while let Some(id) = open.pop() {
            if !computed.insert(id) {
                continue;
            }
            if computed.len() > MOST {
                return None;
            }
            for &arg in &self.graph.node(id).args {
                let source = self.layouts[arg as usize].source;
                if self.graph.constant_value(arg).is_some() {
                    continue;
                }
                if source == arg && self.may_compute(arg) {
                    open.push(arg);
                } else {
                    leaves.insert(source);
                }
            }
        }
        let fits = self.groups.groups[self.g].nodes.len() + computed.len() <= LONGEST;
        fits.then_some(Taken { wanted, computed, leaves })
    }

    /// Bytes that are written and read more than before.
    fn cost(&self, taken: &Taken, reads: &FxHashSet<NodeId>) -> isize {
        let more = taken.leaves.iter().filter(|l| !reads.contains(l)).map(|&l| self.bytes(l));
        let stored = taken.leaves.iter().filter(|&&l| !self.readers.in_memory(l));
        let fewer = taken.wanted.iter().map(|&w| {
            let others = self.readers.by[w as usize].iter().any(|&by| by != self.g);
            self.bytes(w) * if others { 1 } else { 2 }
        });
        more.chain(stored.map(|&l| self.bytes(l))).sum::<isize>() - fewer.sum::<isize>()
    }

    /// What is best computed again, if anything.
    fn best(&self) -> Option<Taken> {
        let reads = self.reads();
        let mut wanted: Vec<NodeId> =
            reads.iter().copied().filter(|&id| self.may_compute(id)).collect();
        wanted.sort_unstable();
        let mut best: Option<(isize, Taken)> = None;
        let consider = |wanted: Vec<NodeId>, best: &mut Option<(isize, Taken)>| {
            let found = self.closure(wanted).map(|taken| (self.cost(&taken, &reads), taken));
            let better = found.filter(|(cost, _)| best.as_ref().is_none_or(|(b, _)| cost < b));
            let is_better = better.is_some();
            if is_better {
                *best = better;
            }
            is_better
        };
        while !wanted.is_empty() && !consider(wanted.clone(), &mut best) {
            wanted.pop();
        }
        // Without one of them it may be better still.
        for id in wanted.into_iter().rev() {
            let without = best.as_ref().map(|(_, taken)| taken.wanted.iter());
            let without = without?.copied().filter(|&w| w != id).collect();
            consider(without, &mut best);
        }
        best.filter(|(cost, _)| *cost < 0).map(|(_, taken)| taken)
    }
}

/// Removes values from the groups that made them where all readers compute them again.
fn drop_unread(graph: &Graph, layouts: &[Layout], groups: &mut Groups, readers: &Readers) {
    for g in 0..groups.groups.len() {
        let mut read: FxHashSet<NodeId> = FxHashSet::default();
        let mut kept: Vec<NodeId> = Vec::new();
        for &id in groups.groups[g].nodes.iter().rev() {
            let first_here = groups.of[id as usize] == Some(g);
            let elementwise = layouts[id as usize].role == Role::Elementwise;
            if read.contains(&id) || !elementwise || first_here && readers.in_memory(id) {
                read.extend(&graph.node(id).args);
                kept.push(id);
            } else if first_here {
                groups.of[id as usize] = None;
            }
        }
        kept.reverse();
        groups.groups[g].nodes = kept;
    }
}
