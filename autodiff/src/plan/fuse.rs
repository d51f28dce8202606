//! Groups of elementwise nodes that become one kernel.
//!
//! Nodes are taken in order. Each joins the *latest* group among its operands' when that
//! has the same domain: all other operands were then made before it, so the order of the
//! groups stays a valid order of execution. Afterwards a group whose results go to a single
//! later group of the same domain sinks into that.

use super::Costs;
use super::layout::{Layout, Role};
use crate::Shape;
use crate::graph::{Graph, NodeId};
use crate::shape::Axes;
use crate::work::Lowering;
use rustc_hash::FxHashSet;

/// A phase of the program before it has buffers.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) nodes: Vec<NodeId>,
    /// The common domain of a fused expression; `None` for a kernel of its own.
    pub(super) domain: Option<Shape>,
    /// The axes of the reductions at its end.
    pub(super) reduced: Option<Axes>,
    pub(super) early: bool,
}

pub(super) struct Groups {
    /// In order of execution; emptied ones have sunk into others.
    pub(super) groups: Vec<Group>,
    /// The group of each node that is computed at all, the first one where several do.
    pub(super) of: Vec<Option<usize>>,
    /// What groups compute that others have computed before.
    pub(super) again: FxHashSet<(usize, NodeId)>,
}

impl Groups {
    /// Whether a node is computed in a group.
    pub(super) fn computes(&self, group: usize, id: NodeId) -> bool {
        self.of[id as usize] == Some(group) || self.again.contains(&(group, id))
    }
}

pub(super) fn group(graph: &Graph, layouts: &[Layout], early: &[bool], costs: &Costs) -> Groups {
    let mut groups: Vec<Group> = Vec::new();
    let mut of: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let stored = stored_constants(graph, layouts);
    for (id, node) in graph.nodes.iter().enumerate() {
        let role = layouts[id].role;
        let domain = match role {
            Role::Elementwise => Some(node.shape.clone()),
            Role::Reduction => Some(graph.node(node.args[0]).shape.clone()),
            Role::Kernel | Role::Copy => None,
            Role::Constant if stored[id] => Some(node.shape.clone()),
            _ => continue,
        };
        let axes = match node.op.rules().lowering() {
            Lowering::Reduction(_, axes) => Some(axes.clone()),
            _ => None,
        };
        let latest =
            node.args.iter().filter_map(|&a| of[layouts[a as usize].source as usize]).max();
        let joins = latest.filter(|&g| {
            let group: &Group = &groups[g];
            let direct = node.args.iter().all(|&a| {
                let source = layouts[a as usize].source;
                of[source as usize] != Some(g)
                    || (source == a && layouts[a as usize].role == Role::Elementwise)
            });
            domain.is_some()
                && group.domain == domain
                && group.early == early[id]
                && group.nodes.len() < costs.growing_expression
                && (axes.is_none() || group.reduced.is_none() || group.reduced == axes)
                && direct
        });
        let g = joins.unwrap_or_else(|| {
            groups.push(Group { nodes: Vec::new(), domain, reduced: None, early: early[id] });
            groups.len() - 1
        });
        groups[g].nodes.push(id as NodeId);
        if axes.is_some() {
            groups[g].reduced = axes;
        }
        of[id] = Some(g);
    }
    // Terms are computed where their sum is.
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        if of[id].is_some() {
            let terms = node.args.iter().filter(|&&a| layouts[a as usize].role == Role::Term);
            terms.for_each(|&a| of[a as usize] = of[id]);
        }
    }
    sink(graph, layouts, (&mut groups, &mut of), costs.largest_expression);
    Groups { groups, of, again: FxHashSet::default() }
}

/// Scalar literals that need memory, since some user is not an expression.
fn stored_constants(graph: &Graph, layouts: &[Layout]) -> Vec<bool> {
    let mut stored = vec![false; graph.nodes.len()];
    let mut mark = |id: NodeId| stored[layouts[id as usize].source as usize] = true;
    graph.outputs.iter().for_each(|&out| mark(out));
    for (id, node) in graph.nodes.iter().enumerate() {
        let immediate = matches!(layouts[id].role, Role::Elementwise | Role::Reduction);
        if layouts[id].role != Role::View {
            node.args
                .iter()
                .filter(|&&a| !(immediate && graph.constant_value(a).is_some()))
                .for_each(|&a| mark(a));
        }
    }
    stored
}

fn sink(
    graph: &Graph,
    layouts: &[Layout],
    (groups, of): (&mut [Group], &mut [Option<usize>]),
    largest: usize,
) {
    // The only group that uses each group's nodes directly; `usize::MAX` when not unique.
    const NONE: usize = usize::MAX - 1;
    const MANY: usize = usize::MAX;
    let mut user = vec![NONE; groups.len()];
    let mark = |user: &mut Vec<usize>, g: usize, by: usize| {
        user[g] = if user[g] == NONE || user[g] == by { by } else { MANY };
    };
    for &out in &graph.outputs {
        if let Some(g) = of[layouts[out as usize].source as usize] {
            user[g] = MANY;
        }
    }
    for (id, node) in graph.nodes.iter().enumerate() {
        let Some(by) = of[id] else { continue };
        for &arg in &node.args {
            let source = layouts[arg as usize].source;
            let Some(g) = of[source as usize].filter(|&g| g != by) else {
                continue;
            };
            let inside =
                source == arg && matches!(layouts[id].role, Role::Elementwise | Role::Reduction);
            mark(&mut user, g, if inside { by } else { MANY });
        }
    }
    // Where a group's nodes went; later groups are done first, so one look suffices.
    let mut went: Vec<usize> = (0..groups.len()).collect();
    for g in (0..groups.len()).rev() {
        if user[g] >= groups.len() {
            continue;
        }
        let target = went[user[g]];
        let (before, after) = groups.split_at_mut(target);
        let (group, target_group) = (&mut before[g], &mut after[0]);
        let fits = group.domain.is_some()
            && group.domain == target_group.domain
            && group.reduced.is_none()
            && group.early == target_group.early
            && group.nodes.len() + target_group.nodes.len() <= largest;
        if fits {
            let mut nodes = std::mem::take(&mut group.nodes);
            for &n in &nodes {
                of[n as usize] = Some(target);
            }
            nodes.append(&mut target_group.nodes);
            nodes.sort_unstable();
            target_group.nodes = nodes;
            went[g] = target;
        }
    }
}
