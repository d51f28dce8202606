//! A model, its data's arrays and a loss: what is minimised, evaluated and used.

use super::data::described;
use super::inputs::Inputs;
use super::programs::Programs;
use super::{Data, Error, ModelState, Result};
use crate::autodiff::{Array, At, Backend, DType, Shape, Var};
use crate::nn::Model;
use crate::optim::random::{Draw, Purpose};
use crate::optim::{BatchSpec, Loss, Objective};
use std::any::TypeId;
use std::sync::Arc;

/// The stream of random bits that make the next step's key of this step's.
const NEXT_KEY: u32 = u32::MAX;

pub(super) type Formula = dyn Fn(Var, &Inputs<'_>) -> Loss + Send + Sync;

type MakeObjective = dyn Fn(&Parts, Pass, Vec<(String, Array)>) -> Objective + Send + Sync;

/// How a model is recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// With random numbers from a key, the last buffer, and new values of the others.
    Training,
    Evaluation,
}

/// What all recordings of a task know.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) model: Model,
    pub(super) spec: BatchSpec,
    pub(super) dtype: DType,
    /// The place of the model's input among the arrays.
    pub(super) input: usize,
    /// Types and shapes of the arrays; of those of examples, those of one.
    pub(super) one: Arc<[(DType, Shape)]>,
    at: At,
}

/// A model, the arrays of its data and a loss of its outputs.
///
/// It makes the [`Objective`] that is minimised, and [evaluates](Task::evaluate) and
/// [uses](Task::predict) the model in any [state](ModelState): a training, saved weights, a parameter
/// vector. Each shape of batches is compiled once.
///
/// ```
/// use burlap::prelude::*;
/// use burlap::train::{Data, Loader, Task, metric};
///
/// let (train, test) = burlap::nn::data::digits_split()?;
/// let (train, test) = (Data::from(train), Data::from(test));
/// let model = Model::new(mlp(&[64, 32, 10], Activation::Relu)?)?;
/// let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
///     loss::cross_entropy(out, batch["labels"])
/// })?;
/// let rule = AdamW::new().no_decay("*.bias");
/// let mut training = Training::new(task.objective()?, Plain, rule, 3e-3, task.init(1))?;
/// for epoch in 0..3 {
///     for batch in Loader::new(&train, 64)?.shuffled(7).epoch(epoch) {
///         training.step(&batch?)?;
///     }
///     let found = task.evaluate(&training, &test, &[metric::loss(), metric::accuracy()])?;
///     println!("{epoch}: {found}");
/// }
/// let logits = task.predict(&training, &test.arrays()[0])?;
/// assert_eq!(logits.shape()[..], [359, 10]);
/// # Ok::<(), burlap::train::Error>(())
/// ```
#[derive(Clone)]
pub struct Task {
    pub(super) parts: Parts,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) loss: Arc<Formula>,
    objective: Arc<MakeObjective>,
    micro_batch: Option<usize>,
    pub(super) evaluation_batch: usize,
    seed: u64,
    pub(super) programs: Arc<Programs>,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Parts { model, dtype, .. } = &self.parts;
        let (total, backend) = (model.layout().total(), self.backend.name());
        write!(f, "Task of {total} {dtype} parameters on {backend}")
    }
}

impl Task {
    /// A task on batches with the arrays of `data`, the first of which is the model's input. The
    /// parameters have its element type where it is of floats, else `F32`. The loss is a formula of
    /// the model's outputs and of the batch's arrays: a mean over examples, or a [ratio](Loss::ratio).
    ///
    /// # Errors
    /// [`Error::Data`] for data without examples.
    #[track_caller]
    pub fn new<L: Into<Loss> + 'static>(
        model: &Model,
        backend: &dyn Backend,
        data: &Data,
        loss: impl Fn(Var, &Inputs<'_>) -> L + Send + Sync + 'static,
    ) -> Result<Task> {
        let first = data.arrays().first().filter(|_| !data.is_empty());
        let dtype = match first.map(Array::dtype) {
            Some(dtype) if dtype.is_float() => dtype,
            Some(_) => DType::F32,
            None => {
                return Err(Error::Data {
                    array: "the number of examples".into(),
                    found: data.len().to_string(),
                    expected: "at least 1, with the model's input as the first array".into(),
                });
            }
        };
        let (model, spec, at) = (model.clone(), data.spec().clone(), At::caller());
        let one = data.first(1)?;
        let one = one.arrays().iter().map(|a| (a.dtype(), a.shape().clone())).collect();
        let parts = Parts { model, spec, dtype, input: 0, one, at };
        let loss: Arc<Formula> =
            Arc::new(move |out, batch| scalar(loss(out, batch).into(), out, at));
        let backend: Arc<dyn Backend> = Arc::from(backend.boxed());
        let (formula, kept) = (Arc::clone(&loss), Arc::clone(&backend));
        let is_mean = TypeId::of::<L>() == TypeId::of::<Var>();
        let objective = move |parts: &Parts, pass: Pass, buffers: Vec<(String, Array)>| {
            let (backend, loss) = (kept.boxed(), Arc::clone(&formula));
            let mean = move |out: Var, batch: &Inputs<'_>| match loss(out, batch) {
                Loss::Mean(mean) => mean,
                Loss::Ratio { numerator, denominator } => numerator / denominator,
            };
            let loss = Arc::clone(&formula);
            match is_mean {
                true => objective(parts, pass, buffers, backend, mean),
                false => {
                    objective(parts, pass, buffers, backend, move |out, batch| loss(out, batch))
                }
            }
        };
        Ok(Task {
            parts,
            backend,
            loss,
            objective: Arc::new(objective),
            micro_batch: None,
            evaluation_batch: 256,
            seed: 0,
            programs: Arc::default(),
        })
    }

    /// Takes the array of another name than the first as the model's input.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that there is not.
    pub fn with_input(mut self, name: &str) -> Result<Task> {
        let Some(place) = self.parts.spec.arrays().position(|(known, _)| known == name) else {
            let names: Vec<&str> = self.parts.spec.arrays().map(|(name, _)| name).collect();
            return Err(Error::Data {
                array: name.to_owned(),
                found: "missing".into(),
                expected: format!("one of {}", names.join(", ")),
            });
        };
        self.parts.input = place;
        // Clones keep theirs.
        self.programs = Arc::default();
        Ok(self)
    }

    /// The element type of the parameters, and of what is computed: `F64` verifies in double
    /// precision what is trained in `F32`.
    #[must_use]
    pub fn with_dtype(mut self, dtype: DType) -> Task {
        self.parts.dtype = dtype;
        self.programs = Arc::default();
        self
    }

    /// Evaluates the objective in chunks of at most so many examples, one after the other: gradient
    /// accumulation, in the memory of one chunk.
    #[must_use]
    pub fn with_micro_batch_size(mut self, size: usize) -> Task {
        self.micro_batch = Some(size);
        self
    }

    /// The seed of dropout and other randomness within the model, 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Task {
        self.seed = seed;
        self
    }

    /// Evaluates and predicts in batches of so many examples, 256 by default.
    ///
    /// # Errors
    /// [`Error::Setting`] for 0.
    pub fn with_evaluation_batch(mut self, size: usize) -> Result<Task> {
        if size == 0 {
            return Err(Error::Setting {
                of: "task",
                name: "the size of evaluation batches",
                value: "0".into(),
                expected: "at least 1",
            });
        }
        self.evaluation_batch = size;
        Ok(self)
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.parts.model
    }

    /// Names and roles of the arrays of a batch.
    #[must_use]
    pub fn spec(&self) -> &BatchSpec {
        &self.parts.spec
    }

    /// First values of the parameters.
    #[must_use]
    pub fn init(&self, seed: u64) -> Array {
        self.parts.model.init(seed, self.parts.dtype)
    }

    /// The loss as a function of the parameters, for training: the model draws its random numbers
    /// from a key that each step makes anew, and that all passes of a step share. The key, where the
    /// model draws, and the model's own buffers are [buffers](Objective::buffers) of the objective, so
    /// they are part of a training's state.
    ///
    /// # Errors
    /// [`Error::Optim`] for micro-batches of no examples.
    pub fn objective(&self) -> Result<Objective> {
        let mut buffers = self.parts.model.buffers(self.parts.dtype);
        let (dtype, shape) = &self.parts.one[self.parts.input];
        let dtype = if dtype.is_float() { self.parts.dtype } else { *dtype };
        if buffers.is_empty() && !self.parts.model.is_random(shape, dtype) {
            return self.finished((self.objective)(&self.parts, Pass::Evaluation, buffers));
        }
        let draw = Draw { seed: self.seed, purpose: Purpose::Key, step: 0, sample: 0 };
        buffers.push(("key".into(), Array::vector(draw.key())));
        self.finished((self.objective)(&self.parts, Pass::Training, buffers))
    }

    /// The loss as a function of the parameters with the model as it is evaluated, without dropout
    /// and with the running statistics of a state: for curvature, sharpness and other measures of a
    /// trained model.
    ///
    /// # Errors
    /// As [`Task::objective`]; [`Error::Data`] for a state without the model's buffers.
    pub fn evaluation_objective(&self, state: &(impl ModelState + ?Sized)) -> Result<Objective> {
        let names = self.parts.model.buffers(self.parts.dtype).into_iter().map(|(name, _)| name);
        let buffers = names.zip(self.buffers_of(state)?).collect();
        self.finished((self.objective)(&self.parts, Pass::Evaluation, buffers))
    }

    /// The values of the model's buffers in a state.
    pub(super) fn buffers_of(&self, state: &(impl ModelState + ?Sized)) -> Result<Vec<Array>> {
        let mut given = state.buffers();
        let one = |(name, like): (String, Array)| {
            let found = given.iter_mut().find(|(known, _)| *known == name).map(|(_, v)| v.clone());
            match found {
                Some(v) if v.shape() == like.shape() && v.dtype() == like.dtype() => Ok(v),
                other => Err(Error::Data {
                    array: format!("the model's buffer {name}"),
                    found: other.as_ref().map_or("missing".into(), described),
                    expected: format!(
                        "{} (a training has it, and saved weights)",
                        described(&like)
                    ),
                }),
            }
        };
        self.parts.model.buffers(self.parts.dtype).into_iter().map(one).collect()
    }

    fn finished(&self, objective: Objective) -> Result<Objective> {
        let entries = self.parts.model.layout().entries();
        let layout = entries.iter().map(|entry| (entry.name(), entry.shape()));
        let objective = objective.with_batch(self.parts.spec.clone()).with_layout(layout)?;
        Ok(match self.micro_batch {
            Some(size) => objective.with_micro_batch_size(size)?,
            None => objective,
        })
    }
}

/// The objective of a task, with buffers where there are some.
fn objective<L: Into<Loss> + 'static>(
    parts: &Parts,
    pass: Pass,
    buffers: Vec<(String, Array)>,
    backend: Box<dyn Backend>,
    loss: impl Fn(Var, &Inputs<'_>) -> L + Send + Sync + 'static,
) -> Objective {
    let (dtype, dim, at) = (parts.dtype, parts.model.layout().total(), parts.at);
    let own = parts.clone();
    let loss = move |out: Var, batch: &[Var]| loss(out, &own.inputs(out, batch));
    let parts = parts.clone();
    if buffers.is_empty() {
        let model = move |p: Var, batch: &[Var]| parts.forward(p, &[], batch);
        return Objective::model_and_loss(backend, dtype, dim, model, loss);
    }
    let model = move |p: Var, batch: &[Var], all: &[Var]| match (pass, all) {
        (Pass::Training, [buffers @ .., key]) => {
            let x = parts.input(p, batch);
            let (out, mut new) = parts.model.record_pass(at, p, x, buffers, Some(*key));
            new.push(key.bits(NEXT_KEY, [2]));
            (out, new)
        }
        _ => (parts.forward(p, all, batch), all.to_vec()),
    };
    Objective::model_and_loss_with_buffers(backend, dtype, dim, buffers, model, loss)
}

impl Parts {
    /// The arrays of a recorded batch, by name.
    pub(super) fn inputs(&self, anchor: Var, batch: &[Var]) -> Inputs<'_> {
        Inputs::new(&self.spec, batch, self.dtype, anchor)
    }

    /// The model's input in a recorded batch.
    pub(super) fn input(&self, anchor: Var, batch: &[Var]) -> Var {
        self.inputs(anchor, batch).at(self.input).unwrap_or(anchor)
    }

    /// The model's outputs as in evaluation.
    pub(super) fn forward(&self, p: Var, buffers: &[Var], batch: &[Var]) -> Var {
        let x = self.input(p, batch);
        self.model.record_pass(self.at, p, x, buffers, None).0
    }
}

/// The loss, or an error of the tape where it is no scalar.
fn scalar(loss: Loss, out: Var, at: At) -> Loss {
    let scalars = match loss {
        Loss::Mean(mean) => [mean, mean],
        Loss::Ratio { numerator, denominator } => [numerator, denominator],
    };
    let Some(other) = scalars.into_iter().find(|v| !v.shape().is_empty()) else {
        return loss;
    };
    let problem = format!("it must be a scalar, not {}{}", other.dtype(), other.shape());
    Loss::Mean(out.record_at(at, || out.fail("loss", problem)))
}
