//! Fused expressions: from the nodes of a group to instructions over registers.

use super::fuse::Group;
use super::lower::Planner;
use crate::DType;
use crate::graph::NodeId;
use crate::work::{Instruction, Lowering, Map, Reduction, Register, Scalar, View};
use rustc_hash::FxHashMap;

#[derive(Default)]
struct Expression {
    map: Map,
    registers: FxHashMap<NodeId, Register>,
    constants: FxHashMap<(u64, DType), Register>,
    loads: FxHashMap<View, Register>,
}

impl Expression {
    fn push(&mut self, instruction: Instruction) -> Register {
        self.map.code.push(instruction);
        (self.map.code.len() - 1) as Register
    }

    fn constant(&mut self, value: f64, dtype: DType) -> Register {
        if let Some(&r) = self.constants.get(&(value.to_bits(), dtype)) {
            return r;
        }
        let r = self.push(Instruction::new(Scalar::Constant(value), dtype));
        self.constants.insert((value.to_bits(), dtype), r);
        r
    }

    fn load(&mut self, view: View, dtype: DType) -> Register {
        if let Some(&r) = self.loads.get(&view) {
            return r;
        }
        let number = self.map.loads.len() as u16;
        self.map.loads.push(view.clone());
        self.map.load_types.push(dtype);
        let r = self.push(Instruction::new(Scalar::Load(number), dtype));
        self.loads.insert(view, r);
        r
    }
}

impl Planner<'_> {
    /// The expression of a group.
    pub(super) fn expression(&mut self, g: usize, group: &Group) -> Map {
        let mut e = Expression::default();
        e.map.domain = group.domain.clone().unwrap_or_default();
        e.map.reduced = group.reduced.clone().unwrap_or_default();
        for &id in &group.nodes {
            let node = self.graph.node(id);
            let mut args: [Register; 3] = [0; 3];
            for (slot, &arg) in args.iter_mut().zip(&node.args) {
                let dtype = self.graph.node(arg).dtype;
                *slot = match (e.registers.get(&arg), self.graph.constant_value(arg)) {
                    (Some(&r), _) => r,
                    (None, Some(c)) => e.constant(c, dtype),
                    (None, None) => {
                        let view = self.view(arg);
                        e.load(view, dtype)
                    }
                };
            }
            let scalar = match node.op.rules().lowering() {
                Lowering::Reduction(combine, _) => {
                    let store = self.place(id);
                    e.map.reductions.push(Reduction { register: args[0], combine, store });
                    continue;
                }
                Lowering::Instruction(scalar) => scalar,
                // Groups hold elementwise nodes, reductions and literals only.
                _ => match self.graph.constant_value(id) {
                    Some(c) => Scalar::Constant(c),
                    None => continue,
                },
            };
            let operand = node.args.last().map_or(node.dtype, |&a| self.graph.node(a).dtype);
            let r = e.push(Instruction { scalar, operand, dtype: node.dtype, args });
            e.registers.insert(id, r);
            if self.stored[id as usize] && self.groups.of[id as usize] == Some(g) {
                let store = self.place(id);
                e.map.stores.push((r, store));
            }
        }
        e.map
    }
}
