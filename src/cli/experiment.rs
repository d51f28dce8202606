//! A network, its data and the settings of a run; training with any optimizer.

use super::command::cpu;
use super::data::{DataArgs, batch_arrays, batches, model};
use super::error::{Error, OfFlag, Result, usage};
use super::method_args::MethodArgs;
use super::{numbers, progress, saved};
use crate::autodiff::{Array, Cpu, DType, Tape, Var};
use crate::nn::data::{Dataset, Loader};
use crate::nn::{Model, loss, memory};
use crate::optim::{
    self, Decay, Evaluation, MethodSettings, Objective, Optimizer, Schedule, Sgd, Training,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batch size of the evaluation of whole sets, which bounds memory.
const EVALUATION_BATCH: usize = 1024;

/// Vectors of the parameters' length that a training has at the same time, at least: parameters,
/// their neighbour, momenta, two gradients, the step, and the doubles that first values are drawn in.
const VECTORS: u64 = 8;

/// The decay of the learning rate.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScheduleKind {
    /// Along half a cosine to zero at the end.
    #[default]
    Cosine,
    /// Not at all.
    Constant,
}

/// The flags of a training run: data, network, method, update rule, length.
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
    pub schedule: ScheduleKind,

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

/// The files of a run.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The file that is written after every epoch.
    pub save: Option<PathBuf>,
    /// The saved run that training goes on from.
    pub resume: Option<PathBuf>,
}

/// The state of a run at the end of an epoch.
#[derive(Debug)]
pub struct Epoch<'a> {
    /// The number of epochs done.
    pub number: u64,
    /// The training, with its parameters.
    pub training: &'a Training,
    /// The mean of the batches' losses during the epoch.
    pub loss: f64,
    /// The mean of the method's own sharpness estimates, where it makes any.
    pub sharpness: Option<f64>,
    /// The time of the epoch's steps.
    pub seconds: f64,
}

/// A finished run.
#[derive(Debug)]
pub struct TrainedRun {
    /// The training at its end, with its parameters.
    pub training: Training,
    /// The method's effective settings.
    pub settings: MethodSettings,
    /// The time of the steps.
    pub time: Duration,
}

/// A network and its data, with the settings of a run.
///
/// This is the loop of the commands, whose saved runs and mean losses of epochs are those of the
/// first release; [`Trainer`](crate::train::Trainer) is the loop for programs.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The settings.
    pub args: TrainingArgs,
    /// The backend.
    pub backend: Cpu,
    /// The network.
    pub model: Arc<Model>,
    /// The training set.
    pub train: Arc<Dataset>,
    /// The set that the run is judged on.
    pub test: Arc<Dataset>,
}

impl Experiment {
    /// Reads the data and makes the network.
    ///
    /// # Errors
    /// For settings out of range, and what reading the data reports.
    pub fn new(args: &TrainingArgs) -> Result<Experiment> {
        let (train, test) = args.data.load(args.seed)?;
        Experiment::on(args, Arc::new(train), Arc::new(test))
    }

    /// On data that have been read: the first set is trained on, the run is judged on the other.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn on(args: &TrainingArgs, train: Arc<Dataset>, test: Arc<Dataset>) -> Result<Experiment> {
        let backend = cpu(args.threads)?;
        let model = Arc::new(model(&args.model, &train)?);
        let total = model.layout().total();
        memory::check(VECTORS * size_of::<f32>() as u64 * total as u64)
            .of_flag(format!("--model {}: training {total} parameters", args.model))?;
        Ok(Experiment { args: args.clone(), backend, model, train, test })
    }

    /// The mean cross-entropy of a batch, as an objective.
    pub fn objective(&self) -> Objective {
        let model = Arc::clone(&self.model);
        let dim = model.layout().total();
        let model = move |x: Var, batch: &[Var]| model.forward(x, batch[0]);
        let loss = |logits: Var, batch: &[Var]| loss::cross_entropy(logits, batch[1]);
        Objective::model_and_loss(self.backend.clone(), DType::F32, dim, model, loss)
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
            return usage(format!(
                "--drop-last: {examples} examples do not fill a batch of {batch}"
            ));
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

    /// A run at its start, and its method's effective settings.
    ///
    /// # Errors
    /// For an unknown method or a setting out of range.
    pub fn training(&self, name: &str) -> Result<(Training, MethodSettings)> {
        let a = &self.args;
        let settings = a.method.settings(a.seed, self.model.layout())?.applicable_to(name)?;
        let resolved = optim::method(name, &settings)?;
        let objective = self.objective();
        let rule = Sgd::new().with_momentum(a.momentum).with_weight_decay(a.weight_decay);
        let optimizer = Optimizer::new(rule, &self.backend, DType::F32, objective.dim())?;
        let steps = a.epochs * self.loader()?.batches_per_epoch() as u64;
        let decay = match a.schedule {
            ScheduleKind::Cosine => Decay::Cosine { total: steps.max(1), floor: 0.0 },
            ScheduleKind::Constant => Decay::Constant,
        };
        let schedule = Schedule::new(a.lr, decay)?;
        let start = self.model.init(a.seed, DType::F32);
        let training = Training::new(objective, resolved.method, optimizer, schedule, start)?;
        Ok((training, resolved.settings))
    }

    /// Trains with one method, saving and resuming where files are named.
    ///
    /// # Errors
    /// What training and the files report.
    pub fn fit(&self, name: &str, files: &Files) -> Result<TrainedRun> {
        self.fit_observed(name, files, |_| Ok(()))
    }

    /// [Trains](Experiment::fit), and calls `observe` after each epoch; its time is not part of the
    /// run's. An epoch is saved after it has been observed: a run that was killed between the two
    /// observes it once more, from the same parameters. The observer may have errors of its own.
    ///
    /// # Errors
    /// What training, the files or the observer report.
    pub fn fit_observed<E: From<Error>>(
        &self,
        name: &str,
        files: &Files,
        mut observe: impl FnMut(&Epoch<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<TrainedRun, E> {
        let a = &self.args;
        let mut begin = Instant::now();
        let mut time = Duration::ZERO;
        let (mut training, settings) = self.training(name)?;
        let loader = self.loader()?;
        let per_epoch = loader.batches_per_epoch() as u64;
        if let Some(path) = &files.resume {
            saved::resume(path, name, a, &mut training)?;
        }
        let template = "{prefix:>13} {bar:30} {pos}/{len} {msg} {eta}";
        let bar = progress::bar(template, a.epochs * per_epoch, name);
        bar.set_position(training.steps());
        for epoch in training.steps() / per_epoch.max(1)..a.epochs {
            let mut means = Means::default();
            for indices in loader.epoch(epoch) {
                let evaluation = self.step(name, &mut training, &indices)?;
                bar.set_message(format!("loss {:.4}", evaluation.loss));
                bar.inc(1);
                means.add(&evaluation);
            }
            let elapsed = begin.elapsed();
            time += elapsed;
            let (loss, sharpness) = means.values();
            let (number, seconds) = (epoch + 1, elapsed.as_secs_f64());
            observe(&Epoch { number, training: &training, loss, sharpness, seconds })?;
            begin = Instant::now();
            if let Some(path) = &files.save {
                saved::save(path, name, a, &training)?;
            }
        }
        bar.finish_and_clear();
        Ok(TrainedRun { training, settings, time: time + begin.elapsed() })
    }

    fn step(&self, name: &str, training: &mut Training, indices: &[usize]) -> Result<Evaluation> {
        let batch = batch_arrays(self.train.gather(indices)?, self.train.dim())?;
        training.step(&batch).map_err(|cause| Error::Step {
            method: name.to_owned(),
            step: training.steps(),
            cause: Box::new(cause),
        })
    }

    /// Mean loss and accuracy over a data set.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn evaluate(&self, set: &Dataset, x: &Array) -> Result<(f64, f64)> {
        let (mut total_loss, mut correct) = (0.0, 0.0);
        for batch in batches(set, EVALUATION_BATCH, usize::MAX)? {
            let tape = Tape::new();
            let params = tape.input("parameters", DType::F32, x.shape());
            let features = tape.input("features", DType::F32, batch[0].shape());
            let labels = tape.input("labels", DType::U32, batch[1].shape());
            let logits = self.model.forward(params, features);
            let outputs = [loss::cross_entropy(logits, labels), loss::accuracy(logits, labels)];
            let means = tape.compile(&self.backend, &outputs)?.run(&[x, &batch[0], &batch[1]])?;
            let count = batch[1].len() as f64;
            total_loss += count * means[0].item()?;
            correct += count * means[1].item()?;
        }
        let n = set.len() as f64;
        Ok((total_loss / n, correct / n))
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
    fn add(&mut self, evaluation: &Evaluation) {
        self.loss += evaluation.loss;
        self.steps += 1.0;
        if let Some(sharpness) = evaluation.sharpness {
            self.sharpness += sharpness;
            self.measured += 1.0;
        }
    }

    fn values(&self) -> (f64, Option<f64>) {
        let sharpness = (self.measured > 0.0).then(|| self.sharpness / self.measured);
        (self.loss / self.steps, sharpness)
    }
}
