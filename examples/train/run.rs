//! One optimizer's run, from initialisation to the report of its solution.

use crate::data;
use crate::options::Options;
use crate::saved;
use anyhow::{Context, Result};
use burlap::autodiff::{Array, Cpu, DType, Tape};
use burlap::nn::data::{Dataset, Loader};
use burlap::nn::{Model, loss};
use burlap::optim::curvature::{HessianOperator, Lanczos, Probes, frobenius_norm, trace};
use burlap::optim::{self, Decay, MethodSettings, Objective, Optimizer, Schedule, Sgd, Training};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::rc::Rc;
use std::time::Instant;

/// Examples in one piece when a whole set is evaluated: bounds memory.
const PIECE: usize = 1024;

/// Examples of the training set on which curvature is measured, at most.
pub(crate) const CURVATURE_EXAMPLES: usize = 2048;

/// What a run found; also one line of JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) optimizer: String,
    pub(crate) estimator: Option<&'static str>,
    pub(crate) seed: u64,
    pub(crate) test_accuracy: f64,
    pub(crate) train_loss: f64,
    pub(crate) trace: f64,
    pub(crate) trace_se: f64,
    pub(crate) frobenius: f64,
    pub(crate) frobenius_se: f64,
    pub(crate) lambda_max: f64,
    pub(crate) lambda_max_residual: f64,
    pub(crate) seconds: f64,
    pub(crate) steps: u64,
    pub(crate) data: String,
    pub(crate) model: String,
    pub(crate) epochs: u64,
    pub(crate) batch: usize,
    pub(crate) lr: f64,
    pub(crate) rho: Option<f64>,
    pub(crate) lambda: Option<f64>,
    pub(crate) samples: Option<usize>,
    pub(crate) label_noise: f64,
    pub(crate) fraction: f64,
}

/// What all runs share.
pub(crate) struct Setting<'a> {
    pub(crate) options: &'a Options,
    pub(crate) backend: Cpu,
    pub(crate) model: Rc<Model>,
    pub(crate) train: &'a Dataset,
    pub(crate) test: &'a Dataset,
}

impl Setting<'_> {
    fn objective(&self) -> Objective {
        let model = Rc::clone(&self.model);
        let dim = model.layout().total();
        Objective::new(self.backend.clone(), DType::F32, dim, move |x, batch| {
            loss::cross_entropy(model.forward(x, batch[0]), batch[1])
        })
    }

    fn training(&self, name: &str) -> Result<(Training, optim::Named)> {
        let o = self.options;
        let settings = MethodSettings {
            rho: o.rho,
            lambda: o.lambda,
            samples: o.samples,
            estimator: o.estimator.as_deref().map(optim::Estimator::from_name).transpose()?,
            seed: o.seed,
            ..MethodSettings::default()
        }
        .applicable_to(name)?;
        let mut named = optim::method(name, &settings)?;
        let objective = self.objective();
        let rule = Sgd::new().with_momentum(o.momentum).with_weight_decay(o.weight_decay);
        let optimizer = Optimizer::new(rule, &self.backend, DType::F32, objective.dim())?;
        let steps = o.epochs * self.loader()?.batches_per_epoch() as u64;
        let schedule = Schedule::new(o.lr, Decay::Cosine { total: steps.max(1), floor: 0.0 })?;
        let start = self.model.init(o.seed, DType::F32);
        let method = std::mem::replace(&mut named.method, Box::new(optim::Plain));
        Ok((Training::boxed(objective, method, optimizer, schedule, start)?, named))
    }

    fn loader(&self) -> Result<Loader> {
        Ok(Loader::new(self.train.len(), self.options.batch)?.shuffled(self.options.seed))
    }

    /// Trains with one optimizer and looks at what it found.
    pub(crate) fn run(&self, name: &str) -> Result<Outcome> {
        let o = self.options;
        let begin = Instant::now();
        let (mut training, named) = self.training(name)?;
        let loader = self.loader()?;
        let per_epoch = loader.batches_per_epoch() as u64;
        if let Some(path) = &o.resume {
            saved::resume(path, o, &mut training)?;
        }
        let bar = ProgressBar::new(o.epochs * per_epoch);
        bar.set_style(ProgressStyle::with_template(
            "{prefix:>13} {bar:30} {pos}/{len} {msg} {eta}",
        )?);
        bar.set_prefix(name.to_owned());
        for epoch in training.steps() / per_epoch.max(1)..o.epochs {
            for indices in loader.epoch(epoch) {
                let batch = data::arrays(self.train.gather(&indices)?, self.train.dim())?;
                let found = training
                    .step(&batch)
                    .with_context(|| format!("{name}, step {}", training.steps()))?;
                bar.set_message(format!("loss {:.4}", found.loss));
                bar.inc(1);
            }
            if let Some(path) = &o.save {
                saved::save(path, o, &training)?;
            }
        }
        bar.finish_and_clear();
        let seconds = begin.elapsed().as_secs_f64();
        let outcome = self.judge(name, &training, &named, seconds)?;
        Ok(outcome)
    }

    fn judge(
        &self,
        name: &str,
        training: &Training,
        named: &optim::Named,
        seconds: f64,
    ) -> Result<Outcome> {
        let o = self.options;
        let x = training.parameters();
        let (train_loss, _) = self.evaluate(self.train, x)?;
        let (_, test_accuracy) = self.evaluate(self.test, x)?;
        let pieces = data::pieces(self.train, CURVATURE_EXAMPLES, CURVATURE_EXAMPLES)?;
        let batches: Vec<&[Array]> = pieces.iter().map(Vec::as_slice).collect();
        let mut hessian = HessianOperator::new(training.objective(), x, &batches)?;
        let trace = trace(&mut hessian, Probes::Rademacher, o.probes, o.seed)?;
        let frobenius = frobenius_norm(&mut hessian, Probes::Rademacher, o.probes, o.seed)?;
        let top = Lanczos { max_products: 60, tolerance: 1e-4 }.largest(&mut hessian, o.seed)?;
        Ok(Outcome {
            optimizer: name.to_owned(),
            estimator: named.settings.estimator.map(optim::Estimator::name),
            seed: o.seed,
            test_accuracy,
            train_loss,
            trace: trace.value,
            trace_se: trace.standard_error,
            frobenius: frobenius.value,
            frobenius_se: frobenius.standard_error,
            lambda_max: top.value,
            lambda_max_residual: top.residual,
            seconds,
            steps: training.steps(),
            data: o.data.clone(),
            model: o.model.clone(),
            epochs: o.epochs,
            batch: o.batch,
            lr: o.lr,
            rho: named.settings.rho,
            lambda: named.settings.lambda,
            samples: named.settings.samples,
            label_noise: o.label_noise,
            fraction: o.fraction,
        })
    }

    /// Mean loss and accuracy over a data set.
    fn evaluate(&self, set: &Dataset, x: &Array) -> Result<(f64, f64)> {
        let (mut total_loss, mut correct) = (0.0, 0.0);
        for piece in data::pieces(set, PIECE, usize::MAX)? {
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
}
