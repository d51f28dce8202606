//! The part of a tape that a program computes: what the outputs need, with equal nodes shared.

use super::{TapeData, Var};
use crate::error::{At, Error, Result};
use crate::graph::{Graph, InputSpec, NodeId, Op, Recompute};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

impl TapeData {
    /// Marks the operands of all marked nodes.
    fn mark_operands(&self, marked: &mut [bool]) {
        for id in (0..self.nodes.len()).rev() {
            if marked[id] {
                for &arg in &self.nodes[id].args {
                    marked[arg as usize] = true;
                }
            }
        }
    }

    /// The nodes that tell recomputations apart, with what they are computed from: those whose
    /// value can be known, to see which are equal. Empty where nothing is recomputed.
    fn compared(&self, needed: &[bool], inputs: &[Option<u32>]) -> Vec<bool> {
        let mut compared = Vec::new();
        let nodes = self.nodes.iter().zip(needed).filter(|(_, needed)| **needed);
        for (node, _) in nodes {
            if let Op::Recompute(Recompute(number)) = node.op {
                compared.resize(self.nodes.len(), false);
                compared[number as usize] = true;
            }
        }
        if compared.is_empty() {
            return compared;
        }
        self.mark_operands(&mut compared);
        for id in 0..compared.len() {
            let node = &self.nodes[id];
            let known = !matches!(node.op, Op::Input(_)) || inputs[id].is_some();
            compared[id] &= known && node.args.iter().all(|&a| compared[a as usize]);
        }
        compared
    }

    /// The part of the tape that the outputs need, as a graph of its own.
    pub(crate) fn extract(&self, inputs: &[Var], outputs: &[Var], at: At) -> Result<Graph> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let mut position = vec![None; self.nodes.len()];
        for (i, var) in inputs.iter().enumerate() {
            let Op::Input(_) = self.node(var.node()).op else {
                let node = self.node(var.node());
                let problem = format!("a listed input is the result of {}", node.op.name());
                return Err(Error::Parameter { op: "compile", problem, at });
            };
            position[var.node() as usize] = Some(i as u32);
        }
        let mut needed = vec![false; self.nodes.len()];
        for var in outputs {
            needed[var.node() as usize] = true;
        }
        self.mark_operands(&mut needed);
        if let Some(&row) = self.rows.iter().filter(|&&row| needed[row as usize]).min() {
            let (op, at) = ("map_rows", self.node(row).at);
            let problem = "an output depends on a row of its function, which means nothing outside";
            return Err(Error::Parameter { op, problem: problem.into(), at });
        }
        let compared = self.compared(&needed, &position);
        let is_kept = |id: usize| needed[id] || compared.get(id) == Some(&true);
        let mut graph = Graph::default();
        for var in inputs {
            let node = self.node(var.node());
            let Op::Input(i) = node.op else { continue };
            graph.inputs.push(InputSpec {
                name: self.inputs[i as usize].name.clone(),
                shape: node.shape.clone(),
                dtype: node.dtype,
                at: node.at,
            });
        }
        // Nobody can name what a program contains.
        let mut replay = TapeData::for_extraction(needed.iter().filter(|n| **n).count());
        let mut renumbered: Vec<NodeId> = vec![0; self.nodes.len()];
        let mut literals: FxHashMap<u32, u32> = FxHashMap::default();
        for (id, node) in self.nodes.iter().enumerate().filter(|(id, _)| is_kept(*id)) {
            let args: SmallVec<[NodeId; 3]> =
                node.args.iter().map(|&a| renumbered[a as usize]).collect();
            let op = match &node.op {
                Op::Input(i) => match position[id] {
                    Some(p) => Op::Input(p),
                    None => {
                        let name = self.inputs[*i as usize].name.clone();
                        return Err(Error::UnlistedInput { name, at: node.at });
                    }
                },
                Op::Literal(l) => Op::Literal(*literals.entry(*l).or_insert_with(|| {
                    replay.literals.push(self.literals[*l as usize].clone());
                    replay.literals.len() as u32 - 1
                })),
                // The cotangent that tells sweeps apart may be one with another's by now.
                Op::Recompute(Recompute(number)) => {
                    Op::Recompute(Recompute(match is_kept(*number as usize) {
                        true => renumbered[*number as usize],
                        false => number | 1 << 31,
                    }))
                }
                op => op.clone(),
            };
            let (shape, dtype, at) = (node.shape.clone(), node.dtype, node.at);
            renumbered[id] = match op {
                Op::StopGradient | Op::Hold(_) | Op::Alias => args[0],
                op @ (Op::Input(_) | Op::Literal(_)) => replay.insert(op, &[], shape, dtype, at),
                op => replay.push(op, &args, shape, dtype, at),
            };
        }
        graph.outputs = outputs.iter().map(|v| renumbered[v.node() as usize]).collect();
        graph.nodes = replay.nodes;
        graph.literals = replay.literals;
        graph.prune();
        Ok(graph)
    }
}
