//! Programs: a graph planned for a backend, ready to run on numbers.
//!
//! Planning happens after all differentiation: values are laid out (`layout`), fused
//! (`fuse`), cheap ones computed again where they are read (`again`), lowered to kernels over
//! views (`lower`, `expressions`, `products`), arranged in steps that threads share (`schedule`)
//! and given memory by liveness (`memory`).

mod again;
mod explain;
mod expressions;
mod fuse;
mod graph;
pub(crate) mod layout;
mod lower;
mod memory;
pub mod plan;
mod products;
pub(crate) mod schedule;
mod staged;

pub use graph::{Graph, InputSpec};
pub(crate) use lower::plan as make_plan;
pub use plan::Plan;
pub use staged::Bound;

use crate::backend::{Backend, Executable};
use crate::error::{Error, Result};
use crate::interpreter;
use crate::array::Returned;
use crate::{Array, DType, Shape};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A compiled program. Running it twice gives the same bits, and threads may share it: runs at
/// the same time do not wait for one another.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [2]);
/// let program = tape.compile(&Cpu::new(), &[x.square().sum()])?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| program.run(&[&Array::vector([3.0, 4.0])]));
///     }
/// });
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
pub struct Program {
    shared: Arc<Shared>,
    executable: Box<dyn Executable>,
    check_finite: bool,
    explanation: OnceLock<String>,
}

/// What a program and its staged forms have in common.
struct Shared {
    graph: Arc<Graph>,
    backend: Box<dyn Backend>,
    returned: Arc<Returned>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("inputs", &self.shared.graph.inputs.len())
            .field("outputs", &self.shared.graph.outputs.len())
            .field("primitives", &self.shared.graph.nodes.len())
            .finish()
    }
}

impl Program {
    pub(crate) fn new(graph: Graph, backend: &dyn Backend) -> Result<Program> {
        let graph = Arc::new(graph);
        let executable = backend.compile(make_plan(&graph, 0)?)?;
        let returned = Returned::new(graph.outputs.len());
        let shared = Arc::new(Shared { graph, backend: backend.boxed(), returned });
        Ok(Program { shared, executable, check_finite: false, explanation: OnceLock::new() })
    }

    /// Lets every run fail with [`Error::NonFinite`] when an output holds a NaN or an
    /// infinity; the error names the primitive that first produced one.
    #[must_use]
    pub fn with_finite_check(mut self) -> Program {
        self.check_finite = true;
        self
    }

    /// The inputs, in the order in which they are given.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.shared.graph.inputs
    }

    /// Shape and element type of each output.
    pub fn outputs(&self) -> Vec<(Shape, DType)> {
        self.shared.outputs()
    }

    /// The kernels with their flops and bytes, and the peak of memory, as a table to read. A
    /// dash marks where threads meet.
    pub fn explain(&self) -> &str {
        self.explanation.get_or_init(|| match make_plan(&self.shared.graph, 0) {
            Ok(plan) => explain::explain(&plan, None),
            Err(error) => error.to_string(),
        })
    }

    /// The same table with the time of each kernel on these inputs, alone on one thread: the
    /// fastest of five runs, in microseconds, with its share of the whole and its rate.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F32, [64, 64]);
    /// let program = tape.compile(&Cpu::new(), &[x.matmul(x).tanh().sum().grad(x)])?;
    /// let profile = program.profile(&[&Array::zeros(DType::F32, [64, 64])])?;
    /// assert!(profile.contains("product 64 × 64 × 64"));
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::run`]; [`Error::Backend`] where the backend cannot tell.
    pub fn profile(&self, inputs: &[&Array]) -> Result<String> {
        self.shared.graph.check_inputs(0, inputs)?;
        let mut outputs = self.shared.fresh_outputs()?;
        let mut best: Vec<Duration> = Vec::new();
        for _ in 0..5 {
            let Some(times) = self.executable.times(inputs, &mut outputs)? else {
                let (backend, problem) =
                    (self.shared.backend.name(), "it does not tell times".into());
                return Err(Error::Backend { backend, problem });
            };
            match best.is_empty() {
                true => best = times,
                false => {
                    best.iter_mut().zip(times).for_each(|(best, time)| *best = time.min(*best))
                }
            }
        }
        Ok(explain::explain(&make_plan(&self.shared.graph, 0)?, Some(&best)))
    }

    /// The number of primitives that are computed.
    pub fn primitives(&self) -> usize {
        self.shared.graph.nodes.len()
    }

    /// How often each primitive occurs, by name.
    pub fn census(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for node in &self.shared.graph.nodes {
            *counts.entry(node.op.name()).or_default() += 1;
        }
        counts
    }

    /// Runs on the given inputs and returns the outputs.
    ///
    /// The storage of outputs that nobody holds any more serves the next run, so a program keeps
    /// up to one set of outputs besides its own memory.
    ///
    /// # Errors
    /// [`Error::Count`] and [`Error::Input`] for inputs that do not fit, [`Error::Memory`] where
    /// the system has none for outputs or intermediates, [`Error::Index`] for an index beyond its
    /// axis (the first one in the order of recording), [`Error::NonFinite`] while that check is on.
    pub fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>> {
        let mut outputs = self.shared.fresh_outputs()?;
        self.run_into(inputs, &mut outputs)?;
        Ok(outputs)
    }

    /// Runs into existing arrays. Where nobody shares their storage, nothing is allocated.
    ///
    /// # Errors
    /// As [`Program::run`], and [`Error::Output`] for outputs that do not fit.
    pub fn run_into(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.shared.graph.check_inputs(0, inputs)?;
        self.shared.graph.check_outputs(outputs)?;
        self.executable.run(inputs, outputs)?;
        if self.check_finite { self.shared.check_finite(inputs, outputs) } else { Ok(()) }
    }

    /// The first primitive whose result is not finite on these inputs though its operands
    /// are, as the error that names it; `None` when there is none.
    ///
    /// # Errors
    /// As [`Program::run`], for inputs that do not fit.
    pub fn find_non_finite(&self, inputs: &[&Array]) -> Result<Option<Error>> {
        self.shared.graph.check_inputs(0, inputs)?;
        match interpreter::first_non_finite(&self.shared.graph, inputs) {
            Err(error @ Error::NonFinite { .. }) => Ok(Some(error)),
            other => other.map(|()| None),
        }
    }

    /// Binds the leading inputs and runs what depends on them alone. The result runs the
    /// rest as often as wanted: repeated Hessian-vector products at one point skip the
    /// primal work.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [2]);
    /// let v = tape.input("v", DType::F64, [2]);
    /// let program = tape.compile(&Cpu::new(), &[x.exp().sum().hvp(x, v)])?;
    /// let bound = program.bind(&[&Array::vector([0.0, 1.0])])?;
    /// assert_eq!(bound.run(&[&Array::vector([3.0, 0.0])])?[0].to_string(), "[3, 0]");
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn bind(&self, leading: &[&Array]) -> Result<Bound> {
        Bound::new(Arc::clone(&self.shared), leading, self.check_finite)
    }
}

impl Shared {
    fn outputs(&self) -> Vec<(Shape, DType)> {
        let spec = |&id| (self.graph.node(id).shape.clone(), self.graph.node(id).dtype);
        self.graph.outputs.iter().map(spec).collect()
    }

    fn fresh_outputs(&self) -> Result<Vec<Array>> {
        let outputs = self.outputs().into_iter().enumerate();
        outputs.map(|(i, (shape, dtype))| self.returned.array(i, dtype, shape)).collect()
    }

    fn check_finite(&self, inputs: &[&Array], outputs: &[Array]) -> Result<()> {
        let finite = |a: &Array| match a.data() {
            crate::array::Data::F32(v) => v.iter().all(|x| x.is_finite()),
            crate::array::Data::F64(v) => v.iter().all(|x| x.is_finite()),
            _ => true,
        };
        let Some(index) = outputs.iter().position(|a| !finite(a)) else {
            return Ok(());
        };
        // The oracle goes primitive by primitive, so it can tell which one it was.
        interpreter::first_non_finite(&self.graph, inputs)?;
        // The backend's arithmetic overflowed where the oracle's did not: name the output.
        let node = self.graph.node(self.graph.outputs[index]);
        let values = outputs[index].to_f64_vec();
        let position = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
        let value = values[position];
        Err(Error::NonFinite {
            op: node.op.name(),
            position,
            shape: node.shape.clone(),
            value,
            at: node.at,
        })
    }
}
