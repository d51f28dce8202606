//! From groups to kernels: buffers, views, instructions.

use super::fuse::{self, Groups};
use super::layout::{self, Layout, Role, is_contiguous, reshaped_strides};
use super::{Buffer, BufferId, Combine, Indexed, Kernel, Place, Plan, View, Work};
use super::{Costs, again, memory, products, schedule};
use crate::error::{Error, Result};
use crate::graph::{Along, Graph, NodeId, Op};
use crate::{DType, Shape};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// The planner's state: what has been decided so far.
pub(super) struct Lowering<'a> {
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
    let stored = again::take_over(graph, &layouts, &mut groups, costs);
    let n = graph.nodes.len();
    let mut lowering = Lowering {
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
    let outputs = lowering.place_outputs(&uses, &early_nodes);
    lowering.place_parts(&uses);
    let mut order: Vec<usize> = (0..lowering.groups.groups.len()).collect();
    order.sort_by_key(|&g| !lowering.groups.groups[g].early);
    let mut early_kernels = 0;
    for g in order {
        lowering.emit(g);
        if lowering.groups.groups[g].early {
            early_kernels = lowering.kernels.len();
        }
    }
    lowering.copy_outputs(&outputs);
    let Lowering { mut buffers, kernels, .. } = lowering;
    let (steps, early_steps) = schedule::steps(&kernels, early_kernels, &buffers, costs);
    let sizes = memory::assign(&mut buffers, &kernels, &steps, early_steps, costs.alignment);
    let memory::Sizes { arena, kept } = sizes.ok_or_else(|| Error::Memory {
        op: "compile",
        what: "intermediates".into(),
        bytes: usize::MAX,
    })?;
    Ok(Plan {
        graph: Arc::clone(shared),
        kernels,
        steps,
        early_inputs: early,
        early_steps,
        buffers,
        arena,
        kept,
        alignment: costs.alignment,
    })
}

impl Lowering<'_> {
    pub(super) fn shape(&self, id: NodeId) -> &Shape {
        &self.graph.node(id).shape
    }

    fn dtype(&self, id: NodeId) -> DType {
        self.graph.node(id).dtype
    }

    pub(super) fn buffer(&mut self, dtype: DType, count: usize) -> BufferId {
        self.buffers.push(Buffer { dtype, count, place: Place::Arena(0) });
        self.buffers.len() - 1
    }

    /// A fresh contiguous buffer.
    pub(super) fn fresh(&mut self, shape: &Shape, dtype: DType) -> View {
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
            match (layout.role, &node.op) {
                (Role::View, Op::Reshape) => {
                    let operand = node.args[0];
                    let Some(strides) =
                        reshaped_strides(&node.shape, &target.strides, self.shape(operand))
                    else {
                        return false;
                    };
                    target.strides = strides;
                    id = operand;
                }
                (Role::View, Op::Transpose(axes)) => {
                    let mut strides = target.strides.clone();
                    for (i, &a) in axes.iter().enumerate() {
                        strides[a as usize] = target.strides[i];
                    }
                    target.strides = strides;
                    id = node.args[0];
                }
                (Role::Elementwise, _) | (Role::Kernel, Op::Contract(_) | Op::Binary(_)) => break,
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
            let Op::Concat(axis) = node.op else { continue };
            let whole = self.place(id as NodeId);
            let mut start = 0;
            for (number, &part) in node.args.iter().enumerate() {
                let size = self.shape(part)[axis as usize];
                let offset = whole.offset + start as isize * whole.strides[axis as usize];
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
    pub(super) fn copy(&mut self, from: View, to: View, id: NodeId, domain: Shape) {
        if from == to || domain.count() == 0 {
            return;
        }
        let map = super::expressions::copy(domain, from, to, self.dtype(id));
        self.push(Work::Map(map), id);
    }

    pub(super) fn push(&mut self, mut work: Work, id: NodeId) {
        if let Work::Map(map) = &mut work {
            let [_, r, b] = map.split();
            map.has_long_rows = r * b > self.costs.long_row;
        }
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
            self.push(Work::Map(map), group.nodes[group.nodes.len() - 1]);
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
        match &node.op {
            Op::Reshape => {
                let from = self.view(node.args[0]);
                let shape = self.shape(node.args[0]).clone();
                let to = View { buffer: out.buffer, offset: out.offset, strides: shape.strides() };
                self.copy(from, to, id, shape);
            }
            Op::Pad(padding) => {
                let fill = super::expressions::fill(node.shape.clone(), out.clone(), node.dtype);
                self.push(Work::Map(fill), id);
                let from = self.view(node.args[0]);
                let mut inside = out;
                for (axis, p) in padding.iter().enumerate() {
                    inside.offset += p.before as isize * inside.strides[axis];
                    inside.strides[axis] *= (p.between + 1) as isize;
                }
                let shape = self.shape(node.args[0]).clone();
                self.copy(from, inside, id, shape);
            }
            Op::Concat(axis) => {
                let axis = *axis as usize;
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
            Op::Contract(c) => products::lower(self, id, c, out, false),
            Op::Binary(_) => products::lower_sum(self, id, &out),
            Op::Random(distribution, stream) => {
                let key = self.contiguous(node.args[0]);
                let (count, dtype) = (node.shape.count(), node.dtype);
                let work = Work::Random {
                    key,
                    out,
                    distribution: *distribution,
                    stream: *stream,
                    count,
                    dtype,
                };
                self.push(work, id);
            }
            op => self.indexing(id, op.clone(), out),
        }
    }

    fn indexing(&mut self, id: NodeId, op: Op, out: View) {
        let node = self.graph.node(id);
        let x = self.contiguous(node.args[0]);
        let indices = node.args.get(1).map(|&i| self.contiguous(i));
        let from = self.shape(node.args[0]).clone();
        let index_shape = node.args.get(1).map(|&i| self.shape(i).clone()).unwrap_or_default();
        // The axis is that of the larger side: the source of a gather, the result of a scatter.
        let (Along { axis, labels }, whole, along) = match op {
            Op::Gather(a) | Op::ArgMax(a) => (a.into(), &from, false),
            Op::TakeAlong(a) => (a, &from, true),
            Op::ScatterAdd(a) => (a.into(), &node.shape, false),
            Op::ScatterAlong(a) => (a, &node.shape, true),
            _ => return,
        };
        let axis = axis as usize;
        let indexed = Indexed {
            x,
            indices,
            out,
            outer: whole[..axis].iter().product(),
            size: whole[axis],
            positions: if along { index_shape[axis] } else { index_shape.count() },
            inner: whole[axis + 1..].iter().product(),
            along,
            labels,
            dtype: self.dtype(node.args[0]),
        };
        let work = match op {
            Op::ArgMax(_) => Work::ArgMax(indexed),
            Op::Gather(_) | Op::TakeAlong(_) => Work::Gather(indexed),
            _ => Work::Scatter(indexed),
        };
        self.push(work, id);
    }
}

/// How a reduction primitive combines.
pub(super) fn combine(op: &Op) -> Option<Combine> {
    match op {
        Op::Sum(_) => Some(Combine::Sum),
        Op::Max(_) => Some(Combine::Max),
        Op::Min(_) => Some(Combine::Min),
        _ => None,
    }
}
