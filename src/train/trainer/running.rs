//! A run between two steps: what it has, and how a step, an epoch and a checkpoint change it.

use super::average::Averaged;
use super::checkpoint::Saved;
use super::record::{EpochRecord, Measurement, StepRecord};
use super::stop::{Every, Target};
use crate::autodiff::Array;
use crate::optim::{State, Training};
use crate::train::observe::View;
use crate::train::{Batch, Data, Error, Loader, Metric, Result, Task, Weights};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The name of the mean of the batches' losses, where there is no validation.
pub(super) const TRAINING_LOSS: &str = "training loss";

pub(in crate::train) struct Running {
    pub(super) task: Task,
    pub(super) training: Training,
    pub(super) loader: Loader,
    pub(super) validation: Option<(Data, Vec<Metric>)>,
    pub(super) average: Option<Averaged>,
    /// Buffers of the averaged weights at the end of the last epoch.
    calibrated: Option<Vec<Array>>,
    pub(super) target: Option<Target>,
    pub(super) best: Option<Weights>,
    pub(super) best_path: Option<PathBuf>,
    pub(super) stopping: Option<Target>,
    pub(super) checkpoint: Option<(PathBuf, Every)>,
    /// Names of metrics and of what observers measure.
    pub(super) metrics: Vec<String>,
    pub(super) measures: Vec<String>,
    /// The number of epochs asked for.
    pub(super) epochs: u64,
    /// The number of epochs done, and of steps of the next one.
    pub(super) epoch: u64,
    pub(super) position: u64,
    pub(super) history: Vec<EpochRecord>,
    /// Of the epoch so far.
    sum: f64,
    examples: f64,
    seconds: f64,
    rate: f64,
    measured: Vec<Measurement>,
    pub(super) stop: Cell<bool>,
    /// Step, epoch and position of the state that the checkpoint holds.
    saved: Option<(u64, u64, u64)>,
    data_hash: Option<u64>,
}

impl Running {
    pub(super) fn new(task: Task, training: Training, loader: Loader) -> Running {
        Running {
            task,
            training,
            loader,
            validation: None,
            average: None,
            calibrated: None,
            target: None,
            best: None,
            best_path: None,
            stopping: None,
            checkpoint: None,
            metrics: Vec::new(),
            measures: Vec::new(),
            epochs: 0,
            epoch: 0,
            position: 0,
            history: Vec::new(),
            sum: 0.0,
            examples: 0.0,
            seconds: 0.0,
            rate: 0.0,
            measured: Vec::new(),
            stop: Cell::new(false),
            saved: None,
            data_hash: None,
        }
    }

    /// The weights that are evaluated: averaged ones where there are, with statistics of their own.
    pub(in crate::train) fn weights(&self) -> Result<Weights> {
        let average = self.average.as_ref().and_then(Averaged::value);
        let buffers = match (average, &self.calibrated) {
            (Some(_), Some(buffers)) => buffers.clone(),
            _ => self.task.buffers_of(&self.training)?,
        };
        let parameters = average.unwrap_or_else(|| self.training.parameters()).clone();
        let model = self.task.model().clone();
        let (epoch, step) = (self.epoch, self.training.steps());
        Ok(Weights { model, parameters, buffers, epoch, step })
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            task: &self.task,
            training: &self.training,
            loader: &self.loader,
            running: self,
            epochs: self.epochs,
            epoch: self.epoch,
            metrics: &self.metrics,
            measures: &self.measures,
            stop: &self.stop,
        }
    }

    /// Whether everything fits, before the first step.
    pub(super) fn check(&mut self) -> Result<()> {
        self.task.check_data(self.loader.data())?;
        let (total, dim) = (self.task.model().layout().total(), self.training.objective().dim());
        if total != dim {
            let expected = "that of the task's model";
            return Err(Error::setting("trainer", "the number of parameters", dim, expected));
        }
        if self.loader.batches_per_epoch() == 0 {
            let (expected, examples) = ("enough for a batch", self.loader.data().len());
            return Err(Error::setting("loader", "the number of examples", examples, expected));
        }
        if let Some((data, _)) = &self.validation {
            self.task.check_data(data)?;
        }
        self.average.as_ref().map_or(Ok(()), |averaged| averaged.average.check())?;
        self.checkpoint.as_ref().map_or(Ok(()), |(_, every)| every.check("checkpoint"))?;
        for path in self.checkpoint.iter().map(|(path, _)| path).chain(&self.best_path) {
            crate::nn::files::check_replaceable(path).map_err(crate::nn::Error::from)?;
        }
        let metrics = self.validation.as_ref().map_or(&[][..], |(_, metrics)| metrics);
        for target in self.target.iter_mut().chain(&mut self.stopping) {
            target.check()?;
            let mut numbers = metrics.iter().filter(|metric| !metric.is_table);
            match numbers.find(|metric| metric.name() == target.metric) {
                Some(metric) => target.set_maximised(metric.is_maximised()),
                None if target.metric == TRAINING_LOSS => {}
                None => {
                    let numbers = metrics.iter().filter(|metric| !metric.is_table);
                    let known = numbers.map(Metric::name).chain([TRAINING_LOSS]);
                    let known = known.collect::<Vec<_>>().join(", ");
                    return Err(Error::UnknownMetric { name: target.metric.clone(), known });
                }
            }
        }
        Ok(())
    }

    /// A step, committed, and what it was.
    pub(super) fn step(&mut self, batch: &Batch) -> Result<StepRecord> {
        let (begin, rate) = (Instant::now(), self.training.rate());
        let found = self.training.step(batch)?;
        // Committed: what is counted goes with it.
        let examples = batch.examples() as f64;
        self.position += 1;
        self.sum += examples * found.loss;
        self.examples += examples;
        self.rate = rate;
        if let Some(averaged) = &mut self.average {
            averaged.after_step(self.training.objective(), self.training.parameters())?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        self.seconds += seconds;
        Ok(StepRecord {
            step: self.training.steps(),
            epoch: self.epoch + 1,
            loss: found.loss,
            rate,
            gradient_norm: self.training.optimizer().gradient_norm().unwrap_or(0.0),
            sharpness: found.sharpness,
            gradients: found.gradients,
            seconds,
            measured: Vec::new(),
        })
    }

    /// Keeps what was measured for the record of the epoch.
    pub(super) fn remember(&mut self, measured: &[Measurement]) {
        for (name, value) in measured {
            match self.measured.iter_mut().find(|(known, _)| known == name) {
                Some((_, last)) => *last = *value,
                None => self.measured.push((name.clone(), *value)),
            }
        }
    }

    /// The end of an epoch: averages, validation, the best.
    pub(super) fn end_epoch(&mut self) -> Result<EpochRecord> {
        let epoch = self.epoch + 1;
        if let Some(averaged) = &mut self.average {
            averaged.after_epoch(self.training.objective(), self.training.parameters(), epoch)?;
        }
        let mut weights = self.weights()?;
        if self.average.as_ref().is_some_and(|averaged| averaged.value().is_some()) {
            weights.buffers = self.task.recalibrated(&weights, &self.loader)?;
            self.calibrated = Some(weights.buffers.clone());
        }
        weights.epoch = epoch;
        let scores = match &self.validation {
            Some((data, metrics)) => {
                let found = self.task.evaluate(&weights, data, metrics)?;
                found.numbers().map(|(name, value)| (name.to_owned(), value)).collect()
            }
            None => Vec::new(),
        };
        let mut record = EpochRecord {
            epoch,
            step: self.training.steps(),
            loss: self.sum / self.examples,
            rate: self.rate,
            seconds: self.seconds,
            scores,
            measured: std::mem::take(&mut self.measured),
            is_best: false,
        };
        let value = |target: &Target| match target.metric.as_str() {
            TRAINING_LOSS => Some(record.loss),
            name => record.get(name),
        };
        if let Some(value) = self.stopping.as_ref().and_then(value) {
            self.stopping.as_mut().map(|target| target.improves(value, epoch));
        }
        let value = self.target.as_ref().and_then(value);
        if let (Some(target), Some(value)) = (&mut self.target, value) {
            record.is_best = target.improves(value, epoch);
        }
        if record.is_best {
            if let Some(path) = &self.best_path {
                weights.save(path)?;
            }
            self.best = Some(weights);
        }
        (self.epoch, self.position) = (epoch, 0);
        (self.sum, self.examples, self.seconds) = (0.0, 0.0, 0.0);
        self.history.push(record.clone());
        Ok(record)
    }

    /// What must be the same for a run to go on as if it had not stopped.
    fn identity(&mut self) -> Vec<(&'static str, String)> {
        let hash = *self.data_hash.get_or_insert_with(|| self.loader.data().hash());
        let optimizer = self.training.optimizer();
        let average = self.average.as_ref().map(|averaged| averaged.average);
        let layout = self.task.model().layout().entries();
        let layout = layout.iter().map(|entry| format!("{} {}", entry.name(), entry.shape()));
        vec![
            ("the model", layout.collect::<Vec<_>>().join(", ")),
            ("the parameters' type", self.training.objective().dtype().to_string()),
            ("the training data's hash", format!("{hash:016x}")),
            ("the loader", format!("{:?}", self.loader)),
            ("the gradient estimator", self.training.description()),
            ("the update rule", format!("{:?}", optimizer.rule())),
            ("the schedule", self.training.schedule().to_string()),
            ("the average", format!("{average:?}")),
        ]
    }

    /// Writes the whole state, with that of observers.
    pub(super) fn save(&mut self, path: &Path, observers: Vec<State>) -> Result<()> {
        let mut saved = Saved::new(path);
        for (what, value) in self.identity() {
            saved.put_same(what, value);
        }
        let mut state = self.training.state();
        state.arrays.remove("parameters");
        saved.put_state("training", state);
        let layout = self.task.model().layout();
        for (name, array) in layout.split(&self.training.parameters().download()?)? {
            saved.put(&format!("model.{name}"), array);
        }
        saved.put_number("epoch", self.epoch);
        saved.put_number("position", self.position);
        for (name, value) in self.sums() {
            saved.put_float(name, value);
        }
        if let Some(averaged) = &self.average {
            averaged.save(&mut saved);
        }
        self.target.iter().for_each(|target| target.save(&mut saved, "best"));
        self.stopping.iter().for_each(|target| target.save(&mut saved, "stopping"));
        if let Some(Weights { parameters, buffers, epoch, step, .. }) = &self.best {
            saved.put("best.parameters", parameters.clone());
            saved.put_number("best.parameters.epoch", *epoch);
            saved.put_number("best.parameters.step", *step);
            put_buffers(&mut saved, "best", buffers);
        }
        self.calibrated.iter().for_each(|buffers| put_buffers(&mut saved, "calibrated", buffers));
        super::history::save(&mut saved, "history", &self.history)?;
        super::history::save_measured(&mut saved, "measured", &self.measured)?;
        for (i, state) in observers.into_iter().enumerate() {
            saved.put_state(&format!("observer.{i}"), state);
        }
        saved.write()?;
        self.saved = Some(self.moment());
        Ok(())
    }

    fn moment(&self) -> (u64, u64, u64) {
        (self.training.steps(), self.epoch, self.position)
    }

    /// Whether the checkpoint holds the present state.
    pub(super) fn is_saved(&self) -> bool {
        self.saved == Some(self.moment())
    }

    fn sums(&self) -> [(&'static str, f64); 4] {
        [
            ("epoch.loss", self.sum),
            ("epoch.examples", self.examples),
            ("epoch.seconds", self.seconds),
            ("epoch.rate", self.rate),
        ]
    }

    /// Goes on from a file; gives the states of so many observers.
    pub(super) fn restore(&mut self, path: &Path, observers: usize) -> Result<Vec<State>> {
        let saved = Saved::load(path)?;
        saved.check_same(&self.identity())?;
        let layout = self.task.model().layout();
        let state = saved.state("model");
        let parameters = layout.join(&state.arrays.into_iter().collect::<Vec<_>>())?;
        let mut state = saved.state("training");
        state.arrays.insert("parameters".into(), parameters);
        let (epoch, position) = (saved.number("epoch")?, saved.number("position")?);
        let (mut target, mut stopping) = (self.target.clone(), self.stopping.clone());
        target.as_mut().map_or(Ok(()), |target| target.restore(&saved, "best"))?;
        stopping.as_mut().map_or(Ok(()), |target| target.restore(&saved, "stopping"))?;
        let average = Averaged::load(&saved, self.training.parameters())?;
        let best = saved.array_like("best.parameters", self.training.parameters())?;
        let best = match best.filter(|_| target.is_some()) {
            Some(parameters) => {
                let epoch = saved.number("best.parameters.epoch")?;
                let step = saved.number("best.parameters.step")?;
                let (model, buffers) = (self.task.model().clone(), self.buffers(&saved, "best")?);
                Some(Weights { model, parameters, buffers, epoch, step })
            }
            None => None,
        };
        let calibrated = match saved.has("calibrated") {
            true => Some(self.buffers(&saved, "calibrated")?),
            false => None,
        };
        let history = super::history::load(&saved, "history")?;
        let measured = super::history::load_measured(&saved, "measured")?;
        // All of it has been read: nothing can fail after this.
        self.training.restore(&state)?;
        if let Some(averaged) = &mut self.average {
            averaged.set(average);
        }
        let [sum, examples, seconds, rate] =
            self.sums().map(|(name, _)| saved.float(name).unwrap_or(0.0));
        (self.sum, self.examples, self.seconds, self.rate) = (sum, examples, seconds, rate);
        (self.epoch, self.position) = (epoch, position);
        (self.target, self.stopping, self.best) = (target, stopping, best);
        (self.calibrated, self.history, self.measured) = (calibrated, history, measured);
        self.saved = Some(self.moment());
        Ok((0..observers).map(|i| saved.state(&format!("observer.{i}"))).collect())
    }

    /// Buffers of the model that were saved.
    fn buffers(&self, saved: &Saved, part: &str) -> Result<Vec<Array>> {
        let all = self.task.model().buffers(self.training.objective().dtype()).into_iter();
        let one = |(i, (_, like)): (usize, (String, Array))| {
            saved.array_like(&format!("{part}.buffer.{i}"), &like)
        };
        let found = all.enumerate().map(one).collect::<Result<Option<Vec<Array>>>>()?;
        found.map_or_else(|| saved.fail(format!("buffers of {part:?} are missing")), Ok)
    }
}

fn put_buffers(saved: &mut Saved, part: &str, buffers: &[Array]) {
    saved.put_number(part, buffers.len() as u64);
    for (i, buffer) in buffers.iter().enumerate() {
        saved.put(&format!("{part}.buffer.{i}"), buffer.clone());
    }
}
