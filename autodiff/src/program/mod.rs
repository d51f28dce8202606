//! Programs: a graph planned for a backend, ready to run on numbers.

mod compile;
mod staged;

pub use staged::Bound;

use crate::backend::{Backend, Executable};
use crate::error::{Error, Result};
use crate::graph::{Graph, InputSpec};
use crate::interpreter;
use crate::plan::{Plan, explain, make_plan};
use crate::{Array, DType, Shape};
use smallvec::SmallVec;
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
        let shared = Arc::new(Shared { graph: Arc::new(graph), backend: backend.boxed() });
        let executable = backend.compile(shared.plan(0)?)?;
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
        self.shared.graph.output_specs().map(|(shape, dtype)| (shape.clone(), dtype)).collect()
    }

    /// The kernels with their flops and bytes, and the peak of memory, as a table to read. A
    /// dash marks where threads meet.
    pub fn explain(&self) -> &str {
        self.explanation.get_or_init(|| match self.shared.plan(0) {
            Ok(plan) => explain(&plan, None),
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
            let times = self
                .shared
                .with_resident(inputs, |inputs| self.executable.times(inputs, &mut outputs))?;
            let Some(times) = times else {
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
        Ok(explain(&self.shared.plan(0)?, Some(&best)))
    }

    /// The number of primitives that are computed.
    pub fn primitives(&self) -> usize {
        self.shared.graph.nodes.len()
    }

    /// How often each primitive occurs, by name.
    pub fn op_counts(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for node in &self.shared.graph.nodes {
            *counts.entry(node.op.name()).or_default() += 1;
        }
        counts
    }

    /// Runs on the given inputs and returns the outputs, which live where the backend computes.
    /// Inputs that are on the host while the backend has a device are uploaded: those that are
    /// used again are better [uploaded](Backend::upload) once.
    ///
    /// On a [`Cpu`](crate::Cpu) the storage of outputs that nobody holds any more serves the next run,
    /// of whatever program.
    ///
    /// # Errors
    /// [`Error::Count`] and [`Error::Input`] for inputs that do not fit, [`Error::Elsewhere`] for
    /// those of another device, [`Error::Memory`] where
    /// the system has none for outputs or intermediates, [`Error::Index`] for an index beyond its
    /// axis (the first one in the order of recording), [`Error::NonFinite`] while that check is on.
    pub fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>> {
        let mut outputs = self.shared.fresh_outputs()?;
        self.run_into(inputs, &mut outputs)?;
        Ok(outputs)
    }

    /// Runs into existing arrays. Where nobody shares their storage, nothing is allocated; those that
    /// live elsewhere than the backend computes are replaced.
    ///
    /// # Errors
    /// As [`Program::run`], and [`Error::Output`] for outputs that do not fit.
    pub fn run_into(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        self.shared.graph.check_inputs(0, inputs)?;
        self.shared.run(&*self.executable, (inputs, outputs), self.check_finite)
    }

    /// The first primitive whose result is not finite on these inputs though its operands
    /// are, as the error that names it; `None` when there is none. The interpreter looks for it, on
    /// the host: inputs that live on a device are downloaded.
    ///
    /// # Errors
    /// As [`Program::run`], for inputs that do not fit.
    pub fn find_non_finite(&self, inputs: &[&Array]) -> Result<Option<Error>> {
        self.shared.graph.check_inputs(0, inputs)?;
        match self.shared.first_non_finite(inputs) {
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
    fn plan(&self, early: usize) -> Result<Plan> {
        make_plan(&self.graph, early, &self.backend.costs())
    }

    /// The array in the backend's memory, as input number `i`.
    fn resident(&self, i: usize, array: &Array) -> Result<Array> {
        self.backend.upload(array).map_err(|error| match error {
            Error::Elsewhere { found, expected, .. } => {
                let what = format!("input {:?}", self.graph.inputs[i].name);
                Error::Elsewhere { op: "run", what, found, expected }
            }
            error => error,
        })
    }

    /// The leading inputs in the backend's memory.
    fn all_resident(&self, inputs: &[&Array]) -> Result<Vec<Array>> {
        inputs.iter().enumerate().map(|(i, array)| self.resident(i, array)).collect()
    }

    /// Hands inputs on, in the backend's memory.
    fn with_resident<T>(
        &self,
        inputs: &[&Array],
        f: impl FnOnce(&[&Array]) -> Result<T>,
    ) -> Result<T> {
        if inputs.iter().all(|array| self.backend.holds(array)) {
            return f(inputs);
        }
        let arrays = self.all_resident(inputs)?;
        f(&arrays.iter().collect::<SmallVec<[&Array; 8]>>())
    }

    fn fresh_outputs(&self) -> Result<Vec<Array>> {
        let one = |(i, (shape, dtype))| self.output(i, shape, dtype);
        self.graph.output_specs().enumerate().map(one).collect()
    }

    fn output(&self, i: usize, shape: &Shape, dtype: DType) -> Result<Array> {
        self.backend.allocate(dtype, shape).map_err(|error| match error {
            Error::Memory { what, bytes, .. } => {
                Error::Memory { op: "run", what: format!("output {i}, {what}"), bytes }
            }
            error => error,
        })
    }

    /// Runs on checked inputs.
    fn run(
        &self,
        executable: &dyn Executable,
        (inputs, outputs): (&[&Array], &mut [Array]),
        check_finite: bool,
    ) -> Result<()> {
        self.graph.check_outputs(outputs)?;
        for (i, output) in outputs.iter_mut().enumerate() {
            if !self.backend.holds(output) {
                *output = self.output(i, output.shape(), output.dtype())?;
            }
        }
        self.with_resident(inputs, |inputs| executable.run(inputs, outputs))?;
        if check_finite { self.check_finite(inputs, outputs) } else { Ok(()) }
    }

    fn first_non_finite(&self, inputs: &[&Array]) -> Result<()> {
        let host = self.backend.download(inputs)?;
        interpreter::first_non_finite(&self.graph, &host.iter().collect::<Vec<_>>())
    }

    fn check_finite(&self, inputs: &[&Array], outputs: &[Array]) -> Result<()> {
        for (index, output) in outputs.iter().enumerate() {
            if self.backend.is_finite(output)? {
                continue;
            }
            // The oracle goes primitive by primitive, so it can tell which one it was.
            self.first_non_finite(inputs)?;
            // The backend's arithmetic overflowed where the oracle's did not: name the output.
            let node = self.graph.node(self.graph.outputs[index]);
            let found = output.download()?.position(|x| !x.is_finite());
            let (position, value) = found.unwrap_or((0, f64::NAN));
            return Err(Error::NonFinite {
                op: node.op.name(),
                position,
                shape: node.shape.clone(),
                value,
                at: node.at,
            });
        }
        Ok(())
    }
}
