//! The oracle: one plain loop a primitive, in `f64`, without fusion or planning. Values are
//! rounded to their element type after every primitive.

mod eval;

use crate::Array;
use crate::backend::{Backend, Executable};
use crate::error::{Error, Result};
use crate::graph::{Graph, Op};
use crate::plan::{Costs, Plan};
use std::sync::Arc;

/// The backend that other backends are tested against.
///
/// ```
/// use burlap_autodiff::{Array, DType, Interpreter, Tape};
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F32, []);
/// let out = tape.compile(&Interpreter, &[x.exp()])?.run(&[&Array::scalar(1f32)])?;
/// assert_eq!(out[0].to_string(), "2.7182817");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Interpreter;

impl Backend for Interpreter {
    fn name(&self) -> &'static str {
        "interpreter"
    }

    fn boxed(&self) -> Box<dyn Backend> {
        Box::new(*self)
    }

    fn costs(&self) -> Costs {
        Costs::default()
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        Ok(Box::new(Interpreted { graph: plan.graph }))
    }
}

struct Interpreted {
    graph: Arc<Graph>,
}

impl Executable for Interpreted {
    fn bind(&mut self, early: &[&Array]) -> Result<()> {
        // Nothing is kept: each run computes everything.
        self.graph.check_leading(early)?;
        self.graph.check_places("the host", early, &[], Array::is_on_host)
    }

    fn run(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.graph.check_inputs(0, inputs)?;
        self.graph.check_outputs(outputs)?;
        self.graph.check_places("the host", inputs, outputs, Array::is_on_host)?;
        let values = evaluate(&self.graph, inputs, |_, _| Ok(()))?;
        for (out, &id) in outputs.iter_mut().zip(&self.graph.outputs) {
            out.fill_from_f64(&values[id as usize]);
        }
        Ok(())
    }
}

/// All values in order; those that nothing needs any more are emptied.
fn evaluate(
    graph: &Graph,
    inputs: &[&Array],
    mut inspect: impl FnMut(usize, &[Vec<f64>]) -> Result<()>,
) -> Result<Vec<Vec<f64>>> {
    let mut last = vec![usize::MAX; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        node.args.iter().for_each(|&a| last[a as usize] = id);
    }
    graph.outputs.iter().for_each(|&o| last[o as usize] = usize::MAX);
    let mut values: Vec<Vec<f64>> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let bytes = node.shape.count().saturating_mul(size_of::<f64>());
        // Some primitives take what they need at once, and abort where there is none.
        Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| Error::Memory {
            op: "interpreter",
            what: format!("the result of {}, of shape {}", node.op.name(), node.shape),
            bytes,
        })?;
        let mut value = match node.op {
            Op::Input(i) => inputs[i as usize].to_f64_vec(),
            Op::Literal(i) => graph.literals[i as usize].to_f64_vec(),
            _ => eval::eval(graph, node, &values)?,
        };
        value.iter_mut().for_each(|x| *x = node.dtype.round(*x));
        values.push(value);
        inspect(id, &values)?;
        for &arg in node.args.iter().filter(|&&a| last[a as usize] == id) {
            values[arg as usize] = Vec::new();
        }
    }
    Ok(values)
}

/// Fails at the first primitive whose result is not finite though its operands are.
pub(crate) fn first_non_finite(graph: &Graph, inputs: &[&Array]) -> Result<()> {
    let wrong = |values: &[f64]| values.iter().position(|x| !x.is_finite());
    let error = |id: usize, position: usize, value: f64| {
        let node = &graph.nodes[id];
        Error::NonFinite {
            op: node.op.name(),
            position,
            shape: node.shape.clone(),
            value,
            at: node.at,
        }
    };
    let values = evaluate(graph, inputs, |id, values| {
        let node = &graph.nodes[id];
        match wrong(&values[id]) {
            Some(p) if node.args.iter().all(|&a| wrong(&values[a as usize]).is_none()) => {
                Err(error(id, p, values[id][p]))
            }
            _ => Ok(()),
        }
    })?;
    // Only values that were infinite from the start.
    for &id in &graph.outputs {
        if let Some(p) = wrong(&values[id as usize]) {
            return Err(error(id as usize, p, values[id as usize][p]));
        }
    }
    Ok(())
}
