//! A network, its data and the settings of a run; training with any optimizer.

use crate::command::cpu;
use crate::curvature::Curvature;
use crate::data::{DataArgs, arrays, model, pieces};
use crate::method_args::MethodArgs;
use crate::numbers;
use crate::saved;
use anyhow::{Context, Result, bail};
use burlap::autodiff::{Array, Cpu, DType, Tape};
use burlap::nn::data::{Dataset, Loader};
use burlap::nn::{Model, loss, memory};
use burlap::optim::{
    self, Decay, Evaluation, Objective, Optimizer, ResolvedMethod, Schedule, Sgd, Training,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Examples in one piece when a whole set is evaluated: bounds memory.
const PIECE: usize = 1024;

/// Vectors of the parameters' length that a training has at the same time, at least: parameters,
/// their neighbour, momenta, two gradients, the step, and the doubles that first values are drawn in.
const VECTORS: u64 = 8;

/// How the learning rate falls.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Falling {
    /// Along half a cosine to zero at the end.
    #[default]
    Cosine,
    /// Not at all.
    Constant,
}

/// What is trained, and how.
#[derive(clap::Args, Clone, Debug)]
pub struct TrainingArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub data: DataArgs,

    /// mlp, mlp:H1,H2,… (hidden sizes), simple (the six-layer network with a shared layer), or
    /// paper (the same with one layer more)
    #[arg(long, default_value = "mlp")]
    pub model: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub method: MethodArgs,

    /// Learning rate
    #[arg(long, default_value_t = 0.05, value_parser = numbers::not_negative)]
    pub lr: f64,

    /// How the learning rate falls
    #[arg(long, value_enum, default_value = "cosine")]
    pub schedule: Falling,

    /// Momentum
    #[arg(long, default_value_t = 0.9, value_parser = numbers::below_one)]
    pub momentum: f64,

    /// Weight decay
    #[arg(long, default_value_t = 0.0, value_parser = numbers::not_negative)]
    pub weight_decay: f64,

    /// Passes over the training set
    #[arg(long, default_value_t = 30, value_parser = numbers::whole_u64(0..=numbers::MANY_U64))]
    pub epochs: u64,

    /// Examples a step
    #[arg(long, default_value_t = 64, value_parser = numbers::count)]
    pub batch: usize,

    /// Leave out the last batch of an epoch where it is not full
    #[arg(long)]
    pub drop_last: bool,

    /// Seed of initialisation, shuffling and directions
    #[arg(long, default_value_t = 1, value_parser = numbers::seed)]
    pub seed: u64,

    /// Threads, at most one for each processor, which is the default
    #[arg(long, value_parser = numbers::count)]
    pub threads: Option<usize>,
}

/// Where a run is kept after each epoch, and what it goes on from.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Saved here after every epoch.
    pub save: Option<PathBuf>,
    /// Gone on from here.
    pub resume: Option<PathBuf>,
}

/// What is known at the end of an epoch.
#[derive(Debug)]
pub struct Epoch<'a> {
    /// The number of epochs done.
    pub number: u64,
    /// The run.
    pub training: &'a Training,
    /// The mean of the batches' losses during the epoch.
    pub loss: f64,
    /// The mean of the method's own sharpness estimates, where it makes any.
    pub sharpness: Option<f64>,
}

/// A finished run.
#[derive(Debug)]
pub struct Fitted {
    /// The run.
    pub training: Training,
    /// The method's settings.
    pub named: ResolvedMethod,
    /// The time of the steps.
    pub time: Duration,
}

/// A network and its data, with the settings of a run.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The settings.
    pub args: TrainingArgs,
    /// The backend.
    pub backend: Cpu,
    /// The network.
    pub model: Arc<Model>,
    /// The training set.
    pub train: Rc<Dataset>,
    /// The set that the run is judged on.
    pub test: Rc<Dataset>,
}

impl Experiment {
    /// Reads the data and makes the network.
    ///
    /// # Errors
    /// For settings out of range, and what reading the data reports.
    pub fn new(args: &TrainingArgs) -> Result<Experiment> {
        let (train, test) = args.data.load(args.seed)?;
        Experiment::on(args, Rc::new(train), Rc::new(test))
    }

    /// On data that have been read: the first set is trained on, the run is judged on the other.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn on(args: &TrainingArgs, train: Rc<Dataset>, test: Rc<Dataset>) -> Result<Experiment> {
        let backend = cpu(args.threads)?;
        let model = Arc::new(model(&args.model, &train)?);
        let total = model.layout().total();
        memory::check(VECTORS * size_of::<f32>() as u64 * total as u64)
            .with_context(|| format!("--model {}: training {total} parameters", args.model))?;
        Ok(Experiment { args: args.clone(), backend, model, train, test })
    }

    /// The mean cross-entropy of a batch, as an objective.
    pub fn objective(&self) -> Objective {
        let model = Arc::clone(&self.model);
        let dim = model.layout().total();
        Objective::new(self.backend.clone(), DType::F32, dim, move |x, batch| {
            loss::cross_entropy(model.forward(x, batch[0]), batch[1])
        })
    }

    /// The batches of the training set.
    ///
    /// # Errors
    /// For batches of no examples, or an epoch without batches.
    pub fn loader(&self) -> Result<Loader> {
        let (examples, batch) = (self.train.len(), self.args.batch);
        let loader =
            Loader::new(examples, batch)?.shuffled(self.args.seed).drop_last(self.args.drop_last);
        if loader.batches_per_epoch() == 0 {
            bail!("--drop-last: {examples} examples do not fill a batch of {batch}");
        }
        Ok(loader)
    }

    /// Whether runs of these names could begin, before any work is done or anything written.
    ///
    /// # Errors
    /// For an unknown method or a setting out of range.
    pub fn check(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| self.training(name).map(drop))
    }

    /// A run at its start, and its method's settings.
    ///
    /// # Errors
    /// For an unknown method or a setting out of range.
    pub fn training(&self, name: &str) -> Result<(Training, ResolvedMethod)> {
        let a = &self.args;
        let settings = a.method.settings(a.seed, self.model.layout())?.applicable_to(name)?;
        let mut named = optim::method(name, &settings)?;
        let objective = self.objective();
        let rule = Sgd::new().with_momentum(a.momentum).with_weight_decay(a.weight_decay);
        let optimizer = Optimizer::new(rule, &self.backend, DType::F32, objective.dim())?;
        let steps = a.epochs * self.loader()?.batches_per_epoch() as u64;
        let decay = match a.schedule {
            Falling::Cosine => Decay::Cosine { total: steps.max(1), floor: 0.0 },
            Falling::Constant => Decay::Constant,
        };
        let schedule = Schedule::new(a.lr, decay)?;
        let start = self.model.init(a.seed, DType::F32);
        let method = std::mem::replace(&mut named.method, Box::new(optim::Plain));
        Ok((Training::boxed(objective, method, optimizer, schedule, start)?, named))
    }

    /// Trains with one optimizer, saving and resuming where files are named. What `observe` does
    /// after each epoch is not part of the time. An epoch is saved after it has been observed: a run
    /// that was killed between the two observes it once more, from the same parameters.
    ///
    /// # Errors
    /// What training, the files or the observer report.
    pub fn fit(
        &self,
        name: &str,
        files: &Files,
        mut observe: impl FnMut(&Epoch<'_>) -> Result<()>,
    ) -> Result<Fitted> {
        let a = &self.args;
        let mut begin = Instant::now();
        let mut time = Duration::ZERO;
        let (mut training, named) = self.training(name)?;
        let loader = self.loader()?;
        let per_epoch = loader.batches_per_epoch() as u64;
        if let Some(path) = &files.resume {
            saved::resume(path, name, a, &mut training)?;
        }
        let bar = ProgressBar::new(a.epochs * per_epoch);
        bar.set_style(ProgressStyle::with_template(
            "{prefix:>13} {bar:30} {pos}/{len} {msg} {eta}",
        )?);
        bar.set_prefix(name.to_owned());
        bar.set_position(training.steps());
        for epoch in training.steps() / per_epoch.max(1)..a.epochs {
            let mut means = Means::default();
            for indices in loader.epoch(epoch) {
                let batch = arrays(self.train.gather(&indices)?, self.train.dim())?;
                let found = training
                    .step(&batch)
                    .with_context(|| format!("{name}, step {}", training.steps()))?;
                bar.set_message(format!("loss {:.4}", found.loss));
                bar.inc(1);
                means.add(&found);
            }
            time += begin.elapsed();
            let (loss, sharpness) = means.of();
            observe(&Epoch { number: epoch + 1, training: &training, loss, sharpness })?;
            begin = Instant::now();
            if let Some(path) = &files.save {
                saved::save(path, name, a, &training)?;
            }
        }
        bar.finish_and_clear();
        Ok(Fitted { training, named, time: time + begin.elapsed() })
    }

    /// Mean loss and accuracy over a data set.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn evaluate(&self, set: &Dataset, x: &Array) -> Result<(f64, f64)> {
        let (mut total_loss, mut correct) = (0.0, 0.0);
        for piece in pieces(set, PIECE, usize::MAX)? {
            let tape = Tape::new();
            let params = tape.input("parameters", DType::F32, x.shape());
            let features = tape.input("features", DType::F32, piece[0].shape());
            let labels = tape.input("labels", DType::U32, piece[1].shape());
            let logits = self.model.forward(params, features);
            let outputs = [loss::cross_entropy(logits, labels), loss::accuracy(logits, labels)];
            let found = tape.compile(&self.backend, &outputs)?.run(&[x, &piece[0], &piece[1]])?;
            let count = piece[1].len() as f64;
            total_loss += count * found[0].item()?;
            correct += count * found[1].item()?;
        }
        let n = set.len() as f64;
        Ok((total_loss / n, correct / n))
    }

    /// Curvature of the training loss at a point.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn curvature(&self, objective: &Objective, x: &Array, probes: usize) -> Result<Curvature> {
        Curvature::measure(objective, x, &self.train, probes, self.args.seed)
    }
}

/// Means over an epoch.
#[derive(Default)]
struct Means {
    loss: f64,
    sharpness: f64,
    steps: f64,
    measured: f64,
}

impl Means {
    fn add(&mut self, found: &Evaluation) {
        self.loss += found.loss;
        self.steps += 1.0;
        if let Some(sharpness) = found.sharpness {
            self.sharpness += sharpness;
            self.measured += 1.0;
        }
    }

    fn of(&self) -> (f64, Option<f64>) {
        let sharpness = (self.measured > 0.0).then(|| self.sharpness / self.measured);
        (self.loss / self.steps, sharpness)
    }
}
