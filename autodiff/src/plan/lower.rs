//! From groups to kernels: buffers, views, and what primitives make of them.

use super::fuse::{self, Groups};
use super::layout::{self, Layout, Role};
use super::{Costs, Plan, memory, rematerialize, schedule};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Op};
use crate::work::{
    Buffer, BufferId, Emit, Kernel, Lowering, Map, Place, View, Work, is_contiguous,
};
use crate::{DType, Shape};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// What has been decided so far.
pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    costs: &'a Costs,
    pub(super) layouts: Vec<Layout>,
    pub(super) groups: Groups,
    /// Whether a node's elements must lie in memory.
    pub(super) stored: Vec<bool>,
    /// Where a source node's elements lie, once decided.
    pub(super) places: Vec<Option<View>>,
    pub(super) buffers: Vec<Buffer>,
    pub(super) kernels: Vec<Kernel>,
    /// Parts of concatenations that are computed in place: the concatenation and the part's number.
    in_place: FxHashSet<(NodeId, usize)>,
}

/// Plans a graph whose first `early` inputs are bound before the others, for a machine of these
/// costs.
///
/// # Errors
/// [`Error::Memory`] for intermediate values that no machine can address.
pub(crate) fn plan(shared: &Arc<Graph>, early: usize, costs: &Costs) -> Result<Plan> {
    let graph = &**shared;
    let mut layouts = layout::layouts(graph);
    let early_nodes = graph.early_nodes(early);
    let uses = graph.uses();
    layout::absorb_terms(graph, &mut layouts, &uses, &early_nodes);
    let mut groups = fuse::group(graph, &layouts, &early_nodes, costs);
    let stored = rematerialize::rematerialize(graph, &layouts, &mut groups, costs);
    let n = graph.nodes.len();
    let mut planner = Planner {
        graph,
        costs,
        layouts,
        groups,
        stored,
        places: vec![None; n],
        buffers: Vec::new(),
        kernels: Vec::new(),
        in_place: FxHashSet::default(),
    };
    let outputs = planner.place_outputs(&uses, &early_nodes);
    planner.place_parts(&uses);
    let mut order: Vec<usize> = (0..planner.groups.groups.len()).collect();
    order.sort_by_key(|&g| !planner.groups.groups[g].early);
    let mut early_kernels = 0;
    for g in order {
        planner.emit(g);
        if planner.groups.groups[g].early {
            early_kernels = planner.kernels.len();
        }
    }
    planner.copy_outputs(&outputs);
    let Planner { mut buffers, kernels, .. } = planner;
    let (phases, early_phases) = schedule::phases(&kernels, early_kernels, &buffers, costs);
    let sizes = memory::assign(&mut buffers, &kernels, &phases, early_phases, costs.alignment);
    let memory::Sizes { arena, kept } = sizes.ok_or_else(|| Error::Memory {
        op: "compile",
        what: "intermediates".into(),
        bytes: usize::MAX,
    })?;
    Ok(Plan {
        graph: Arc::clone(shared),
        kernels,
        phases,
        early_inputs: early,
        early_phases,
        buffers,
        arena,
        kept,
        alignment: costs.alignment,
    })
}

impl Planner<'_> {
    fn shape(&self, id: NodeId) -> &Shape {
        &self.graph.node(id).shape
    }

    fn dtype(&self, id: NodeId) -> DType {
        self.graph.node(id).dtype
    }

    fn buffer(&mut self, dtype: DType, count: usize) -> BufferId {
        self.buffers.push(Buffer { dtype, count, place: Place::Arena(0) });
        self.buffers.len() - 1
    }

    /// A fresh contiguous buffer.
    fn fresh(&mut self, shape: &Shape, dtype: DType) -> View {
        let buffer = self.buffer(dtype, shape.count());
        View { buffer, offset: 0, strides: shape.strides() }
    }

    /// Where a source node lies; decides it at first use.
    pub(super) fn place(&mut self, id: NodeId) -> View {
        if let Some(view) = &self.places[id as usize] {
            return view.clone();
        }
        let node = self.graph.node(id);
        let view = self.fresh(&node.shape, node.dtype);
        self.buffers[view.buffer].place = match node.op {
            Op::Input(i) => Place::Input(i as usize),
            Op::Literal(i) => Place::Literal(i as usize),
            _ => Place::Arena(0),
        };
        self.places[id as usize] = Some(view.clone());
        view
    }

    /// The view of any node's elements.
    pub(super) fn view(&mut self, id: NodeId) -> View {
        let layout = self.layouts[id as usize].clone();
        let base = self.place(layout.source);
        if layout.source == id {
            return base;
        }
        // Only contiguous places have views taken of them: see `assign`.
        View { buffer: base.buffer, offset: base.offset + layout.offset, strides: layout.strides }
    }

    /// Lets a node be computed straight into `target` (strides along the node's axes),
    /// through reshapes and transposes of which nobody else needs the elements elsewhere.
    fn assign(&mut self, mut id: NodeId, mut target: View, uses: &[u32]) -> bool {
        // Whether somebody else takes views of the elements, at any stage on the way.
        let mut shared = false;
        loop {
            let node = self.graph.node(id);
            let contiguous = is_contiguous(&node.shape, &target.strides);
            let layout = &self.layouts[id as usize];
            shared |= uses[id as usize] > 1;
            match (layout.role, node.op.rules().lowering()) {
                (Role::View, Lowering::View(movement)) => {
                    let operand = node.args[0];
                    let placed = movement.place(self.shape(operand), &node.shape, &target.strides);
                    let Some(strides) = placed else { return false };
                    target.strides = strides;
                    id = operand;
                }
                // Of any strides, as are sums that kernels add up.
                (Role::Elementwise, _)
                | (Role::Kernel, Lowering::Added(_) | Lowering::Instruction(_)) => break,
                (Role::Reduction | Role::Kernel, _) if contiguous => break,
                _ => return false,
            }
        }
        if self.places[id as usize].is_some() || self.groups.of[id as usize].is_none() {
            return false;
        }
        // Views of a node assume that it is contiguous.
        if is_contiguous(self.shape(id), &target.strides) {
            target.strides = self.shape(id).strides();
        } else if shared {
            return false;
        }
        self.places[id as usize] = Some(target);
        true
    }

    /// Gives every output its array; returns those that must be copied into it.
    fn place_outputs(&mut self, uses: &[u32], early: &[bool]) -> Vec<(NodeId, BufferId)> {
        let mut copies = Vec::new();
        for (i, &out) in self.graph.outputs.iter().enumerate() {
            let node = self.graph.node(out);
            let view = self.fresh(&node.shape, node.dtype);
            self.buffers[view.buffer].place = Place::Output(i);
            let buffer = view.buffer;
            // Early results must outlive the run, and output arrays change from run to run.
            if early[out as usize] || !self.assign(out, view, uses) {
                copies.push((out, buffer));
            }
        }
        copies
    }

    /// Lets the parts of concatenations be computed straight into the whole.
    fn place_parts(&mut self, uses: &[u32]) {
        for id in (0..self.graph.nodes.len()).rev() {
            let node = &self.graph.nodes[id];
            let Lowering::SideBySide(axis) = node.op.rules().lowering() else { continue };
            let whole = self.place(id as NodeId);
            let mut start = 0;
            for (number, &part) in node.args.iter().enumerate() {
                let size = self.shape(part)[axis];
                let offset = whole.offset + start as isize * whole.strides[axis];
                let target = View { buffer: whole.buffer, offset, strides: whole.strides.clone() };
                // Early parts of a late whole would be overwritten between runs.
                let same_stage = self.stage(part) == self.stage(id as NodeId);
                if same_stage && size > 0 && self.assign(part, target, uses) {
                    self.in_place.insert((id as NodeId, number));
                }
                start += size;
            }
        }
    }

    fn stage(&self, id: NodeId) -> Option<bool> {
        self.groups.of[self.layouts[id as usize].source as usize]
            .map(|g| self.groups.groups[g].early)
    }

    fn copy_outputs(&mut self, copies: &[(NodeId, BufferId)]) {
        for &(out, buffer) in copies {
            let view = self.view(out);
            let to = View { buffer, offset: 0, strides: self.shape(out).strides() };
            self.copy(view, to, out, self.shape(out).clone());
        }
    }

    /// A kernel that copies elements from view to view over a domain.
    fn copy(&mut self, from: View, to: View, id: NodeId, domain: Shape) {
        if from == to || domain.count() == 0 {
            return;
        }
        self.push(Map::copy(domain, from, to, self.dtype(id)).into(), id);
    }

    fn push(&mut self, mut work: Work, id: NodeId) {
        work.kind_mut().divide_rows_beyond(self.costs.long_row);
        let node = self.graph.node(id);
        self.kernels.push(Kernel { work, name: node.op.name(), at: node.at });
    }

    fn emit(&mut self, g: usize) {
        let group = self.groups.groups[g].clone();
        let Some(&first) = group.nodes.first() else {
            return;
        };
        if group.domain.is_some() {
            let map = self.expression(g, &group);
            self.push(map.into(), group.nodes[group.nodes.len() - 1]);
            return;
        }
        self.kernel(first);
    }

    /// A contiguous view of a node's elements, copied if need be.
    fn contiguous(&mut self, id: NodeId) -> View {
        let view = self.view(id);
        let (shape, dtype) = (self.shape(id).clone(), self.dtype(id));
        if is_contiguous(&shape, &view.strides) {
            return view;
        }
        let packed = self.fresh(&shape, dtype);
        self.copy(view, packed.clone(), id, shape);
        packed
    }

    fn kernel(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let out = self.place(id);
        match node.op.rules().lowering() {
            Lowering::Kernels(kernels) => kernels.emit(out, &mut Emitter { planner: self, id }),
            Lowering::Added(kernels) => {
                kernels.emit(out, false, &mut Emitter { planner: self, id })
            }
            Lowering::Instruction(_) => self.sum(id, &out),
            Lowering::SideBySide(axis) => {
                let mut start = 0;
                for (number, &part) in node.args.iter().enumerate() {
                    let shape = self.shape(part).clone();
                    let offset = out.offset + start as isize * out.strides[axis];
                    let to = View { buffer: out.buffer, offset, strides: out.strides.clone() };
                    if !self.in_place.contains(&(id, number)) {
                        let from = self.view(part);
                        self.copy(from, to, part, shape.clone());
                    }
                    start += shape[axis];
                }
            }
            // The operand's elements in their order, which no strides say.
            Lowering::View(_) => {
                let from = self.view(node.args[0]);
                let shape = self.shape(node.args[0]).clone();
                let to = View { buffer: out.buffer, offset: out.offset, strides: shape.strides() };
                self.copy(from, to, id, shape);
            }
            // No kernels of their own.
            Lowering::Given | Lowering::Reduction(..) => {}
        }
    }

    /// A sum of what kernels can add: each term is added to the former ones.
    fn sum(&mut self, id: NodeId, out: &View) {
        let mut terms: Vec<NodeId> = vec![id];
        let mut add = false;
        while let Some(id) = terms.pop() {
            let node = self.graph.node(id);
            match node.op.rules().lowering() {
                Lowering::Added(kernels) => {
                    kernels.emit(out.clone(), add, &mut Emitter { planner: self, id });
                    add = true;
                }
                _ => terms.extend(node.args.iter().rev()),
            }
        }
    }
}

/// The planner, as a primitive sees it.
struct Emitter<'p, 'g> {
    planner: &'p mut Planner<'g>,
    /// The primitive.
    id: NodeId,
}

impl Emitter<'_, '_> {
    fn operand(&self, i: usize) -> NodeId {
        self.planner.graph.node(self.id).args[i]
    }
}

impl Emit for Emitter<'_, '_> {
    fn shape(&self, operand: usize) -> Shape {
        self.planner.shape(self.operand(operand)).clone()
    }

    fn dtype(&self, operand: usize) -> DType {
        self.planner.dtype(self.operand(operand))
    }

    fn result(&self) -> (Shape, DType) {
        (self.planner.shape(self.id).clone(), self.planner.dtype(self.id))
    }

    fn view(&mut self, operand: usize) -> View {
        self.planner.view(self.operand(operand))
    }

    fn contiguous(&mut self, operand: usize) -> View {
        self.planner.contiguous(self.operand(operand))
    }

    fn fresh(&mut self, shape: &Shape, dtype: DType) -> View {
        self.planner.fresh(shape, dtype)
    }

    fn push(&mut self, work: Work) {
        self.planner.push(work, self.id);
    }

    fn copy_operand(&mut self, operand: usize, from: View, to: View, domain: Shape) {
        self.planner.copy(from, to, self.operand(operand), domain);
    }
}
