//! Cheap elementwise values that are computed again where they are needed.
//!
//! A value that one fused expression makes and another reads costs a pass through memory on
//! each side; a few additions and products cost less. So an expression takes over the cheap
//! part of what it reads, down to values that are dear or lie in memory anyway, where that
//! leaves fewer bytes to write and read. The same operations give the same bits.

use super::Costs;
use super::fuse::Groups;
use super::layout::{Layout, Role};
use crate::graph::{Graph, NodeId};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Lets groups compute cheap values again, and drops values that nobody reads any more. Returns
/// for each node whether its elements must lie in memory.
pub(super) fn rematerialize(
    graph: &Graph,
    layouts: &[Layout],
    groups: &mut Groups,
    costs: &Costs,
) -> Vec<bool> {
    let mut readers = Readers::new(graph, layouts, groups);
    for g in 0..groups.groups.len() {
        if groups.groups[g].domain.is_none() || groups.groups[g].nodes.is_empty() {
            continue;
        }
        let reading = Reading { graph, layouts, groups, readers: &readers, g, costs };
        let Some(taken) = reading.best() else {
            continue;
        };
        taken.wanted.iter().for_each(|&id| readers.remove(id, g));
        for &leaf in &taken.leaves {
            readers.add(leaf, g);
        }
        groups.again.extend(taken.computed.iter().map(|&id| (g, id)));
        let nodes = &mut groups.groups[g].nodes;
        nodes.extend(taken.computed);
        nodes.sort_unstable();
    }
    keep_what_is_read(graph, layouts, groups)
}

/// Who reads a value from memory.
struct Readers {
    /// Whether it lies there in any case.
    kept: Vec<bool>,
    /// The other groups whose expressions read it, and how many they are.
    by: FxHashSet<(NodeId, usize)>,
    count: Vec<u32>,
}

impl Readers {
    fn new(graph: &Graph, layouts: &[Layout], groups: &Groups) -> Readers {
        let n = graph.nodes.len();
        let kept = layouts.iter().map(|l| l.role != Role::Elementwise).collect();
        let mut readers = Readers { kept, by: FxHashSet::default(), count: vec![0; n] };
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
        self.count[id as usize] += u32::from(self.by.insert((id, group)));
    }

    fn remove(&mut self, id: NodeId, group: usize) {
        self.count[id as usize] -= u32::from(self.by.remove(&(id, group)));
    }

    /// Whether a group is not the only one that reads a value.
    fn others(&self, id: NodeId, group: usize) -> bool {
        self.count[id as usize] > u32::from(self.by.contains(&(id, group)))
    }

    fn in_memory(&self, id: NodeId) -> bool {
        self.kept[id as usize] || self.count[id as usize] > 0
    }
}

/// What a group computes again.
struct Taken {
    /// What it then no longer reads.
    wanted: Vec<NodeId>,
    /// What it computes in place of that.
    computed: Vec<NodeId>,
    /// What it reads to do so.
    leaves: Vec<NodeId>,
}

/// A group and what it reads.
struct Reading<'a> {
    graph: &'a Graph,
    layouts: &'a [Layout],
    groups: &'a Groups,
    readers: &'a Readers,
    g: usize,
    costs: &'a Costs,
}

impl Reading<'_> {
    fn bytes(&self, id: NodeId) -> isize {
        let node = self.graph.node(id);
        // At most so many that sums over a group do not overflow.
        (node.shape.count().min(1 << 45) * node.dtype.size()) as isize
    }

    /// Whether this group may compute a value again: it is cheap, and no array that lies in
    /// memory in any case or is made at another stage.
    fn may_compute(&self, id: NodeId) -> bool {
        let same_stage = self.groups.of[id as usize]
            .is_some_and(|of| self.groups.groups[of].early == self.groups.groups[self.g].early);
        same_stage
            && !self.readers.kept[id as usize]
            && (self.costs.is_cheap)(&self.graph.node(id).op)
    }

    /// The sources of what the group reads from memory.
    fn reads(&self) -> FxHashSet<NodeId> {
        let args = self.groups.groups[self.g].nodes.iter().flat_map(|&n| &self.graph.node(n).args);
        args.filter(|&&a| self.graph.constant_value(a).is_none())
            .map(|&a| self.layouts[a as usize].source)
            .filter(|&source| !self.groups.computes(self.g, source))
            .collect()
    }

    /// The operands of a value that must be computed with it, and those that are read.
    fn operands(&self, id: NodeId) -> impl Iterator<Item = (NodeId, bool)> {
        let args = self.graph.node(id).args.iter();
        args.filter(|&&a| self.graph.constant_value(a).is_none()).map(|&a| {
            let source = self.layouts[a as usize].source;
            (source, source == a && self.may_compute(a))
        })
    }

    /// Adds what is computed for a value to what already is; nothing if that becomes too much.
    fn add(&self, wanted: NodeId, computed: &mut Vec<NodeId>, most: usize) -> bool {
        let before = computed.len();
        let mut next = before;
        if !computed.contains(&wanted) {
            computed.push(wanted);
        }
        while next < computed.len() && computed.len() <= most {
            for (arg, computable) in self.operands(computed[next]) {
                if computable && !computed.contains(&arg) {
                    computed.push(arg);
                }
            }
            next += 1;
        }
        let fits = computed.len() <= most;
        if !fits {
            computed.truncate(before);
        }
        fits
    }

    /// Bytes that are no longer written and read when this group computes a value itself.
    fn saving(&self, wanted: NodeId) -> isize {
        self.bytes(wanted) * if self.readers.others(wanted, self.g) { 1 } else { 2 }
    }

    /// What each of some values is made from that none of them is.
    fn made_from(&self, computed: &mut [NodeId]) -> FxHashMap<NodeId, SmallVec<[NodeId; 8]>> {
        // Operands first.
        computed.sort_unstable();
        let mut all: FxHashMap<NodeId, SmallVec<[NodeId; 8]>> = FxHashMap::default();
        for &id in &*computed {
            let mut leaves: SmallVec<[NodeId; 8]> = SmallVec::new();
            for (arg, computable) in self.operands(id) {
                match all.get(&arg).filter(|_| computable) {
                    Some(from) => leaves.extend_from_slice(from),
                    None => leaves.push(arg),
                }
            }
            leaves.sort_unstable();
            leaves.dedup();
            all.insert(id, leaves);
        }
        all
    }

    /// What is better computed again, if anything.
    fn best(&self) -> Option<Taken> {
        let reads = self.reads();
        let mut wanted: Vec<NodeId> =
            reads.iter().copied().filter(|&id| self.may_compute(id)).collect();
        wanted.sort_unstable();
        let left = self.costs.largest_expression;
        let left = left.saturating_sub(self.groups.groups[self.g].nodes.len());
        let most = self.costs.most_recomputed.min(left);
        let mut computed = Vec::new();
        wanted.retain(|&id| self.add(id, &mut computed, most));
        let made_from = self.made_from(&mut computed);
        let mut users: FxHashMap<NodeId, usize> = FxHashMap::default();
        for leaf in wanted.iter().flat_map(|id| &made_from[id]) {
            *users.entry(*leaf).or_default() += 1;
        }
        // Bytes that are read and written more than before for one of those.
        let price = |leaf: NodeId| {
            let read = usize::from(!reads.contains(&leaf));
            self.bytes(leaf) * (read + usize::from(!self.readers.in_memory(leaf))) as isize
        };
        // A value that costs more than it saves stays in memory.
        for i in (0..wanted.len()).rev() {
            let leaves = &made_from[&wanted[i]];
            let alone = leaves.iter().filter(|&l| users[l] == 1).map(|&l| price(l));
            if alone.sum::<isize>() > self.saving(wanted[i]) {
                leaves.iter().for_each(|l| *users.entry(*l).or_default() -= 1);
                wanted.remove(i);
            }
        }
        let leaves: Vec<NodeId> = users.into_iter().filter(|u| u.1 > 0).map(|u| u.0).collect();
        let prices: isize = leaves.iter().map(|&l| price(l)).sum();
        computed.clear();
        wanted.iter().for_each(|&id| {
            self.add(id, &mut computed, most);
        });
        // Also those that others are made from.
        wanted = computed.iter().copied().filter(|id| reads.contains(id)).collect();
        let savings: isize = wanted.iter().map(|&w| self.saving(w)).sum();
        (prices < savings).then_some(Taken { wanted, computed, leaves })
    }
}

/// Which nodes' elements must lie in memory. Removes values from the groups that made them
/// first where nobody reads them any more.
fn keep_what_is_read(graph: &Graph, layouts: &[Layout], groups: &mut Groups) -> Vec<bool> {
    let source = |id: NodeId| layouts[id as usize].source;
    let mut stored = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|&out| stored[source(out) as usize] = true);
    for (node, layout) in graph.nodes.iter().zip(layouts) {
        if !matches!(layout.role, Role::View | Role::Elementwise | Role::Reduction) {
            node.args.iter().for_each(|&arg| stored[source(arg) as usize] = true);
        }
    }
    // A value is read in its own group and in later ones.
    for g in (0..groups.groups.len()).rev() {
        if groups.groups[g].domain.is_none() {
            continue;
        }
        let mut read: FxHashSet<NodeId> = FxHashSet::default();
        let mut nodes = std::mem::take(&mut groups.groups[g].nodes);
        nodes.reverse();
        nodes.retain(|&id| {
            let first_here = groups.of[id as usize] == Some(g);
            let elementwise = layouts[id as usize].role == Role::Elementwise;
            let needed = !elementwise || read.contains(&id) || first_here && stored[id as usize];
            if !needed && first_here {
                groups.of[id as usize] = None;
            }
            let args = graph.node(id).args.iter().filter(|_| needed);
            for &arg in args.filter(|&&arg| graph.constant_value(arg).is_none()) {
                if source(arg) == arg && groups.computes(g, arg) {
                    read.insert(arg);
                } else {
                    stored[source(arg) as usize] = true;
                }
            }
            needed
        });
        nodes.reverse();
        groups.groups[g].nodes = nodes;
    }
    stored
}
