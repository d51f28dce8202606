//! What is measured of a model on a data set.
//!
//! Every metric is a function of sums over examples, so that it is that of the whole set however this
//! is cut into batches: an uneven last batch counts by its examples, a mean over tokens by its tokens.
//!
//! | metric | of |
//! |---|---|
//! | [`loss`] | the task's loss |
//! | [`accuracy`], [`top_k_accuracy`] | logits `[…, C]` and "labels" `[…]` |
//! | [`confusion`] | the same; a table, actual classes by predicted ones |
//! | [`calibration_error`] | the same |
//! | [`mean_absolute_error`], [`mean_squared_error`] | outputs and "targets" of one shape |
//! | [`Metric::new`], [`Metric::of_sums`] | yours |

use super::inputs::Inputs;
use super::programs::Key;
use super::task::Formula;
use crate::autodiff::{Array, Var};
use crate::optim::Loss;
use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number, or a table of numbers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Score {
    /// A number.
    Number(f64),
    /// A table, such as a confusion matrix.
    Table(Array),
}

impl Score {
    /// A value that is NaN or infinite.
    pub(super) fn non_finite(&self) -> Option<f64> {
        match self {
            Score::Number(value) => Some(*value).filter(|value| !value.is_finite()),
            Score::Table(table) => table.to_f64_vec().into_iter().find(|v| !v.is_finite()),
        }
    }
}

/// Something measured of a model's outputs on a data set.
#[derive(Clone)]
pub struct Metric {
    name: String,
    pub(super) key: Key,
    pub(super) kind: Kind,
    is_better_larger: bool,
    /// Whether the score is a table.
    pub(super) is_table: bool,
    /// The array that built-in metrics compare with.
    target: String,
}

type Average = dyn Fn(Var, &Inputs<'_>, &str) -> Loss + Send + Sync;
type Sums = dyn Fn(Var, &Inputs<'_>, &str) -> Vec<Var> + Send + Sync;
type Finish = dyn Fn(&[Array]) -> Score + Send + Sync;

#[derive(Clone)]
pub(super) enum Kind {
    /// The task's loss.
    Loss,
    /// A mean over examples, or a ratio of sums.
    Average(Arc<Average>),
    /// A function of sums over examples.
    Sums(Arc<Sums>, Arc<Finish>),
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "metric {}", self.name)
    }
}

/// The key of a user's formula.
fn key_of<F: 'static>(_: &F) -> Key {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    match size_of::<F>() {
        0 => Key::Formula(TypeId::of::<F>()),
        _ => Key::Numbered(NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

impl Metric {
    /// A metric by a formula of the model's outputs and the batch's arrays: a mean over examples, or
    /// a [ratio](Loss::ratio) of sums. Smaller is better, unless [said otherwise](Metric::maximised).
    ///
    /// ```
    /// use burlap::prelude::*;
    /// use burlap::train::Metric;
    /// let metric = Metric::new("mean absolute error", |out, batch| {
    ///     (out - batch["targets"]).abs().mean()
    /// });
    /// assert_eq!(metric.name(), "mean absolute error");
    /// ```
    pub fn new<L: Into<Loss> + 'static, F>(name: impl Into<String>, formula: F) -> Metric
    where
        F: Fn(Var, &Inputs<'_>) -> L + Send + Sync + 'static,
    {
        let key = key_of(&formula);
        let average = move |out: Var, batch: &Inputs<'_>, _: &str| formula(out, batch).into();
        Metric::built(name.into(), key, Kind::Average(Arc::new(average)), "")
    }

    /// A metric that is a function of sums over examples: `sums` records them for a batch, those of
    /// all batches are added up element by element in double precision, and `finish` makes a score of
    /// them.
    pub fn of_sums<F>(
        name: impl Into<String>,
        sums: F,
        finish: impl Fn(&[Array]) -> Score + Send + Sync + 'static,
    ) -> Metric
    where
        F: Fn(Var, &Inputs<'_>) -> Vec<Var> + Send + Sync + 'static,
    {
        let key = key_of(&sums);
        let sums = move |out: Var, batch: &Inputs<'_>, _: &str| sums(out, batch);
        Metric::built(name.into(), key, Kind::Sums(Arc::new(sums), Arc::new(finish)), "")
    }

    fn built(name: String, key: Key, kind: Kind, target: &str) -> Metric {
        let target = target.to_owned();
        Metric { name, key, kind, is_better_larger: false, is_table: false, target }
    }

    /// One of this library's.
    fn library(name: impl Into<String>, kind: Kind, target: &str) -> Metric {
        let name = name.into();
        Metric::built(name.clone(), Key::Metric(format!("{name} of {target}")), kind, target)
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Metric {
        self.name = name.into();
        self
    }

    /// The same against an array of another name than "labels" or "targets".
    #[must_use]
    pub fn against(mut self, target: &str) -> Metric {
        if let Key::Metric(key) = &mut self.key {
            key.push('\0');
            key.push_str(target);
        }
        self.target = target.to_owned();
        self
    }

    /// The same of which larger values are better, for keeping the best and stopping early.
    #[must_use]
    pub fn maximised(mut self) -> Metric {
        self.is_better_larger = true;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether larger values are better.
    #[must_use]
    pub fn is_maximised(&self) -> bool {
        self.is_better_larger
    }

    /// What is recorded for a batch: a mean, a numerator and denominator, or sums.
    pub(super) fn record(&self, loss: &Formula, out: Var, batch: &Inputs<'_>) -> Vec<Var> {
        let average = |loss: Loss| match loss {
            Loss::Mean(mean) => vec![mean],
            Loss::Ratio { numerator, denominator } => vec![numerator, denominator],
        };
        match &self.kind {
            Kind::Loss => average(loss(out, batch)),
            Kind::Average(formula) => average(formula(out, batch, &self.target)),
            Kind::Sums(formula, _) => formula(out, batch, &self.target),
        }
    }
}

/// The task's loss.
#[must_use]
pub fn loss() -> Metric {
    Metric::built("loss".into(), Key::Loss, Kind::Loss, "")
}

/// The fraction of examples whose largest logit is at the label; of equal logits the first counts as
/// the largest.
#[must_use]
pub fn accuracy() -> Metric {
    top_k("accuracy".into(), 1)
}

/// The fraction of examples whose label is among the `k` largest logits; of equal logits the first
/// counts as the largest. An example with NaN among its logits is wrong.
#[must_use]
pub fn top_k_accuracy(k: usize) -> Metric {
    top_k(format!("top-{k} accuracy"), k)
}

fn top_k(name: String, k: usize) -> Metric {
    let formula = move |out: Var, batch: &Inputs<'_>, target: &str| {
        let (out, labels, classes) = match rows(out, batch[target]) {
            Ok(rows) => rows,
            Err(failed) => return Loss::Mean(failed),
        };
        let at_label = out.at_labels("accuracy", labels).expand_dims(1);
        // Of equal ones those further to the right come after the label.
        let places = labels.literal(&Array::vector((0..classes as u32).collect::<Vec<_>>()));
        let after = places.gt(labels.expand_dims(1));
        let number = |mask: Var| mask.cast(out.dtype());
        let beaten = number(out.lt(at_label)) + number(out.equal(at_label)) * number(after);
        let right = number(beaten.sum_axes(&[1]).ge(classes.saturating_sub(k) as f64));
        // Counts are exact, means are not.
        Loss::ratio(right.sum(), out.constant_like(1.0).slice_axis(1, 0, 1).sum())
    };
    Metric::library(name, Kind::Average(Arc::new(formula)), "labels").maximised()
}

/// A table `[C, C]` of numbers of examples: row = label, column = the class of the largest logit.
#[must_use]
pub fn confusion() -> Metric {
    let sums = |out: Var, batch: &Inputs<'_>, target: &str| {
        let (out, labels, classes) = match rows(out, batch[target]) {
            Ok(rows) => rows,
            Err(failed) => return vec![failed],
        };
        let predicted = out.argmax(1).one_hot(classes, out.dtype());
        // So that a label beyond the classes is an error.
        let zero = 0.0 * predicted.at_labels("confusion", labels).expand_dims(1);
        let actual = labels.one_hot(classes, out.dtype()) + zero;
        vec![actual.t().matmul(predicted)]
    };
    let finish = |sums: &[Array]| Score::Table(sums[0].clone());
    let kind = Kind::Sums(Arc::new(sums), Arc::new(finish));
    Metric { is_table: true, ..Metric::library("confusion", kind, "labels") }
}

/// The expected calibration error Σ_b (n_b/n) |accuracy_b − confidence_b| over 15 bins of equal width
/// of the largest probability (Guo et al. 2017, arXiv 1706.04599, eq. 5).
#[must_use]
pub fn calibration_error() -> Metric {
    const BINS: usize = 15;
    let sums = |out: Var, batch: &Inputs<'_>, target: &str| {
        let (out, labels, classes) = match rows(out, batch[target]) {
            Ok(rows) => rows,
            Err(failed) => return vec![failed],
        };
        let number = |mask: Var| mask.cast(out.dtype());
        let confidence = out.softmax(1).max_axes(&[1]).expand_dims(1);
        let right = out.argmax(1).one_hot(classes, out.dtype());
        let right = right.at_labels("calibration error", labels).expand_dims(1);
        // Bin b is ((b)/15, (b + 1)/15].
        let edge = |b: usize| b as f64 / BINS as f64;
        let edges = |first: usize| {
            let values: Vec<f64> = (first..first + BINS).map(edge).collect();
            out.literal(&Array::vector(values).cast(out.dtype()))
        };
        let within = number(confidence.gt(edges(0))) * number(confidence.le(edges(1)));
        vec![(within * (right - confidence)).sum_axes(&[0]), within.sum()]
    };
    let finish = |sums: &[Array]| {
        let gaps: f64 = sums[0].to_f64_vec().iter().map(|gap| gap.abs()).sum();
        Score::Number(gaps / sums[1].to_f64_vec()[0])
    };
    Metric::library("calibration error", Kind::Sums(Arc::new(sums), Arc::new(finish)), "labels")
}

/// The mean of |output − target| over all elements.
#[must_use]
pub fn mean_absolute_error() -> Metric {
    of_differences("mean absolute error", |difference| difference.abs())
}

/// The mean of (output − target)² over all elements.
#[must_use]
pub fn mean_squared_error() -> Metric {
    of_differences("mean squared error", |difference| difference.square())
}

fn of_differences(name: &'static str, f: fn(Var) -> Var) -> Metric {
    let formula = move |out: Var, batch: &Inputs<'_>, target: &str| {
        let target = batch[target];
        if out.shape() != target.shape() {
            let problem = format!("outputs {} and targets {} differ", out.shape(), target.shape());
            return Loss::Mean(out.fail(name, problem));
        }
        Loss::Mean(f(out - target).mean())
    };
    Metric::library(name, Kind::Average(Arc::new(formula)), "targets")
}

/// Logits `[n, C]`, labels `[n]` and C, of `[…, C]` and `[…]`; or what fails.
fn rows(out: Var, labels: Var) -> Result<(Var, Var, usize), Var> {
    let shape = out.shape();
    let Some((&classes, rest)) = shape.split_last() else {
        return Err(out.fail("metric", "a logit for each class is needed, not a scalar"));
    };
    if labels.shape()[..] != *rest {
        let problem = format!("labels {} do not fit outputs {shape}", labels.shape());
        return Err(out.fail("metric", problem));
    }
    let n: usize = rest.iter().product();
    Ok((out.reshape([n, classes]), labels.reshape([n]), classes))
}
