//! Fused expressions: from the nodes of a group to instructions over registers.

use super::fuse::Group;
use super::lower::{Lowering, combine};
use super::{Instruction, Map, Reduction, Register, Scalar, View};
use crate::graph::{NodeId, Op};
use crate::{DType, Shape};
use rustc_hash::FxHashMap;

fn instruction(scalar: Scalar, dtype: DType) -> Instruction {
    Instruction { scalar, operand: dtype, dtype, args: [0; 3] }
}

/// One load, one store.
pub(super) fn copy(domain: Shape, from: View, to: View, dtype: DType) -> Map {
    Map {
        domain,
        loads: vec![from],
        load_types: vec![dtype],
        code: vec![instruction(Scalar::Load(0), dtype)],
        stores: vec![(0, to)],
        ..Map::default()
    }
}

/// Adds to what is there.
pub(super) fn add(domain: Shape, from: View, to: View, dtype: DType) -> Map {
    let sum = Scalar::Binary(crate::graph::Binary::Add);
    Map {
        domain,
        loads: vec![from, to.clone()],
        load_types: vec![dtype; 2],
        code: vec![
            instruction(Scalar::Load(0), dtype),
            instruction(Scalar::Load(1), dtype),
            Instruction { args: [0, 1, 0], ..instruction(sum, dtype) },
        ],
        stores: vec![(2, to)],
        ..Map::default()
    }
}

/// Zeros.
pub(super) fn fill(domain: Shape, to: View, dtype: DType) -> Map {
    Map {
        domain,
        code: vec![instruction(Scalar::Constant(0.0), dtype)],
        stores: vec![(0, to)],
        ..Map::default()
    }
}

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
        let r = self.push(instruction(Scalar::Constant(value), dtype));
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
        let r = self.push(instruction(Scalar::Load(number), dtype));
        self.loads.insert(view, r);
        r
    }
}

impl Lowering<'_> {
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
            if let Some(combine) = combine(&node.op) {
                let store = self.place(id);
                e.map.reductions.push(Reduction { register: args[0], combine, store });
                continue;
            }
            let operand = node.args.last().map_or(node.dtype, |&a| self.graph.node(a).dtype);
            let scalar = match &node.op {
                Op::Unary(f) => Scalar::Unary(*f),
                Op::Binary(f) => Scalar::Binary(*f),
                Op::Compare(f) => Scalar::Compare(*f),
                Op::Select => Scalar::Select,
                Op::Cast => Scalar::Cast(operand),
                Op::Constant(bits) => Scalar::Constant(f64::from_bits(*bits)),
                // Groups hold elementwise nodes, reductions and literals only.
                _ => continue,
            };
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
