//! The loop: epochs over a data set, validation, averages, checkpoints, and who watches.

mod average;
mod checkpoint;
mod dry_run;
mod fit;
mod history;
mod rate_sweep;
mod record;
pub(super) mod running;
mod signal;
mod stop;

pub use average::Average;
pub use dry_run::DryRun;
pub use fit::Run;
pub use rate_sweep::RateSweep;
pub use record::{EpochRecord, Measurement, StepRecord};
pub use stop::{Every, Patience, Reason};

use super::observe::Observer;
use super::{Data, Loader, Metric, Task};
use crate::optim::Training;
use average::Averaged;
use running::Running;
use std::path::PathBuf;
use stop::Target;

/// The training loop with what belongs to it.
///
/// Everything it does can be done by hand with [`Training::step`], [`Task::evaluate`] and a loop; it
/// adds the order of events:
///
/// 1. A batch is taken; the gradient estimator and the update rule make a step of it. An error
///    before the commit leaves everything as it was.
/// 2. The commit: parameters, state of rule and estimator, buffers; then the [average](Average).
/// 3. Observers [measure](Observer::measure) and get the [record of the step](StepRecord).
/// 4. At the end of an epoch the weights (averaged ones where there are) are validated and the best
///    kept; observers get the [record of the epoch](EpochRecord).
/// 5. A checkpoint is written where one is due, and where Ctrl-C ended a step; a second Ctrl-C ends
///    the process.
/// 6. Early stopping: with a patience of 5 the run ends 5 epochs after the best one.
///
/// ```
/// use burlap::prelude::*;
/// use burlap::train::{Average, Csv, Data, Every, Loader, Patience, Progress, Task, TopEigenvalue};
/// use burlap::train::{Trainer, metric};
/// # let folder = tempfile::tempdir()?;
/// # let file = |name: &str| folder.path().join(name);
///
/// let (train, valid) = burlap::nn::data::digits_split()?;
/// let (train, valid) = (Data::from(train), Data::from(valid));
/// let model = Model::new(mlp(&[64, 32, 10], Activation::Relu)?)?;
/// let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
///     loss::cross_entropy(out, batch["labels"])
/// })?;
/// let rule = AdamW::new().no_decay("*.bias");
/// let training = Training::new(task.objective()?, Sam::new(0.05)?, rule, 1e-2, task.init(1))?;
///
/// let run = Trainer::new(&task, training, Loader::new(&train, 64)?.shuffled(7))
///     .validate(&valid, [metric::loss(), metric::accuracy()])
///     .observe(Progress::bar()) // silent without a terminal
///     .observe(Csv::to(file("run.csv")))
///     .observe(TopEigenvalue::every(20)) // warm-started; η λ_max beside it
///     .average(Average::ema(0.99))
///     .keep_best("accuracy")
///     .stop_early("loss", Patience::epochs(5))
///     .checkpoint(file("run.safetensors"), Every::epochs(1)) // goes on by itself when it is there
///     .fit(3)?;
/// assert!(run.history()[2].get("accuracy") > Some(0.8));
/// run.best().save(file("best.safetensors"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trainer {
    running: Running,
    observers: Vec<Box<dyn Observer>>,
    listens: bool,
    begun: bool,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Running { task, training, loader, .. } = &self.running;
        write!(f, "Trainer of {task:?}: {training:?}, {loader:?}")
    }
}

impl Trainer {
    /// A loop over a loader's batches.
    #[must_use]
    pub fn new(task: &Task, training: Training, loader: Loader) -> Trainer {
        let running = Running::new(task.clone(), training, loader);
        Trainer { running, observers: Vec::new(), listens: true, begun: false }
    }

    /// Evaluates metrics on other data at the end of each epoch.
    #[must_use]
    pub fn validate(mut self, data: &Data, metrics: impl IntoIterator<Item = Metric>) -> Trainer {
        let metrics: Vec<Metric> = metrics.into_iter().collect();
        let numbers = metrics.iter().filter(|metric| !metric.is_table);
        self.running.metrics = numbers.map(|metric| metric.name().to_owned()).collect();
        self.running.validation = Some((data.clone(), metrics));
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + 'static) -> Trainer {
        self.running.measures.extend(observer.measures());
        self.observers.push(Box::new(observer));
        self
    }

    /// Evaluates an average of the weights in place of the last ones.
    #[must_use]
    pub fn average(mut self, average: Average) -> Trainer {
        self.running.average = Some(Averaged::new(average));
        self
    }

    /// Keeps the weights of the epoch at which a metric of the validation (or "training loss") was
    /// best.
    #[must_use]
    pub fn keep_best(mut self, metric: &str) -> Trainer {
        self.running.target = Some(Target::new(metric, None));
        self
    }

    /// [Keeps the best](Trainer::keep_best), and writes them to a file whenever they are better.
    #[must_use]
    pub fn save_best(mut self, metric: &str, path: impl Into<PathBuf>) -> Trainer {
        self.running.best_path = Some(path.into());
        self.keep_best(metric)
    }

    /// Ends the run when a metric of the validation (or "training loss") has not improved for long.
    #[must_use]
    pub fn stop_early(mut self, metric: &str, patience: Patience) -> Trainer {
        self.running.stopping = Some(Target::new(metric, Some(patience)));
        self
    }

    /// Writes everything that the next step reads to a file, and at the end of the run.
    /// [`fit`](Trainer::fit) goes on from that file where it is there, to the bit; one of another run
    /// is refused with what differs. Numbers of threads and the size of micro-batches may differ.
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>, every: Every) -> Trainer {
        self.running.checkpoint = Some((path.into(), every));
        self
    }

    /// Leaves signals alone: by default the first Ctrl-C (SIGINT, or SIGTERM) during
    /// [`fit`](Trainer::fit) ends the run after the present step, with a checkpoint.
    #[must_use]
    pub fn without_signals(mut self) -> Trainer {
        self.listens = false;
        self
    }

    /// The training in its present state.
    #[must_use]
    pub fn training(&self) -> &Training {
        &self.running.training
    }
}
