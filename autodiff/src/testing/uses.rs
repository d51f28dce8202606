//! Random uses of primitives, from their examples.

use super::recorder::{Choices, Recorder};
use crate::graph::{Binary, Compare, Unary};
use crate::ops::{Fact, Sample};
use crate::tape::node_of;
use crate::{Array, DType, Op};

impl Recorder<'_> {
    /// A primitive that is linear in its operands, so that bounds and smoothness are known of any: one
    /// that is new occurs in programs without a step of its own.
    pub(super) fn example(&mut self, c: &mut Choices) {
        let rows = Unary::ALL.len() + Binary::ALL.len() + Compare::ALL.len();
        let all = Op::examples();
        // Elementwise ones have steps of their own.
        let all = all.get(rows..).unwrap_or(&all);
        let (name, examples) = &all[c.below(all.len())];
        let example = &examples[c.below(examples.len())];
        let mut depends = false;
        let mut operands = Vec::new();
        let mut names = Vec::new();
        for sample in &example.operands {
            let shape = sample.shape();
            let count: usize = shape.iter().product();
            let from = match sample {
                Sample::Real(_) => self.reals.take(c),
                Sample::Mask(_) => self.masks.take(c),
                Sample::Integer(_, below) => {
                    let integers: Vec<u32> =
                        (0..count).map(|_| c.below(*below as usize) as u32).collect();
                    names.push(format!("{integers:?}"));
                    let Ok(integers) = Array::from_vec(shape, integers) else { return };
                    operands.push(self.tape.literal(&integers));
                    continue;
                }
            };
            // Its elements, again and again.
            let flat = from.var.flatten();
            let n = flat.shape()[0];
            let cycle: Vec<u32> = (0..count).map(|i| (i % n.max(1)) as u32).collect();
            if n == 0 {
                return;
            }
            operands.push(flat.gather(0, self.tape.literal(&Array::vector(cycle))).reshape(shape));
            depends |= from.depends;
            names.push(from.name);
        }
        let result = (example.record)(&operands);
        let Some(node) = node_of(result) else { return };
        if !matches!(node.op.rules().derivative(), Fact::Linear(_) | Fact::Bilinear(_)) {
            return;
        }
        let text = format!("{name} of cycles of {}", names.join(", "));
        let of_reals = example.operands.iter().any(|s| matches!(s, Sample::Real(_)));
        match node.dtype {
            DType::F32 | DType::F64 => {
                let bounded = result.cast(self.dtype).sin();
                self.give(format!("sin({text})"), bounded, 1.0, depends);
            }
            // What becomes of reals may be decided by their rounding.
            DType::U32 | DType::Bool if of_reals => {}
            DType::U32 => self.give(text, result, f64::from(u32::MAX), false),
            DType::Bool => self.give(text, result, 1.0, false),
        }
    }
}
