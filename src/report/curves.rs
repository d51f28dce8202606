//! Runs over time: training loss, validation metrics and measurements by epoch.

use super::plot::{Axis, Chart, Picture};
use crate::train::EpochRecord;

/// The name of a [measurement](EpochRecord::measured) that is the error of another: `tr H ±` is drawn
/// as a band of that half width around `tr H`.
pub const ERROR_SUFFIX: &str = " ±";

/// The records of a run by epoch, with the run's name in legends.
///
/// ```
/// use burlap::prelude::*;
/// use burlap::report::{RunHistory, training_curves};
/// use burlap::train::{Data, Loader, Task, Trainer, metric};
///
/// let (train, test) = burlap::nn::data::digits_split()?;
/// let (train, test) = (Data::from(train).first(200)?, Data::from(test));
/// let model = Model::new(mlp(&[64, 8, 10], Activation::Relu)?)?;
/// let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
///     loss::cross_entropy(out, batch["labels"])
/// })?;
/// let training = Training::new(task.objective()?, Plain, Sgd::new(), 0.1, task.init(1))?;
/// let run = Trainer::new(&task, training, Loader::new(&train, 50)?.shuffled(7))
///     .validate(&test, [metric::accuracy()])
///     .fit(3)?;
/// let picture = training_curves(&[RunHistory::new("sgd", run.history())]);
/// let svg = picture.svg()?;
/// assert!(svg.contains("training loss") && svg.contains("accuracy"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RunHistory {
    /// The name of the run.
    pub name: String,
    /// Its epochs, in their order.
    pub epochs: Vec<EpochRecord>,
}

impl RunHistory {
    /// The history of a run.
    #[must_use]
    pub fn new(name: &str, epochs: &[EpochRecord]) -> RunHistory {
        RunHistory { name: name.to_owned(), epochs: epochs.to_vec() }
    }
}

/// A value with its error, in the epochs that have one.
type Reading = Box<dyn Fn(&EpochRecord) -> Option<(f64, f64)>>;

/// The quantity of a chart.
struct Quantity {
    name: String,
    axis: fn(&str) -> Axis,
    of: Reading,
}

/// The training loss, each validation metric and each measurement by epoch, a chart each with the
/// curves of all runs. Axes are logarithmic but for metrics, and for measurements that are not
/// positive in some epoch.
#[must_use]
pub fn training_curves(runs: &[RunHistory]) -> Picture {
    let mut picture = Picture::new("Training").chart_size(440.0, 270.0);
    for quantity in quantities(runs) {
        let Quantity { name, axis, of } = &quantity;
        let mut chart = Chart::new("", Axis::count("epoch"), axis(name));
        for run in runs {
            let known: Vec<(f64, f64, f64)> = run
                .epochs
                .iter()
                .filter_map(|r| of(r).map(|(value, error)| (r.epoch as f64, value, error)))
                .collect();
            if known.iter().any(|k| k.2 > 0.0) {
                chart = chart.band(&run.name, known.iter().map(|&(x, y, e)| (x, y - e, y + e)));
            }
            chart = chart.line(&run.name, known.iter().map(|&(x, y, _)| (x, y)));
        }
        picture = picture.chart(chart);
    }
    picture
}

fn quantities(runs: &[RunHistory]) -> Vec<Quantity> {
    let epochs = || runs.iter().flat_map(|run| &run.epochs);
    let mut all = vec![Quantity {
        name: "training loss".into(),
        axis: Axis::log,
        of: Box::new(|r| Some((r.loss, 0.0))),
    }];
    for name in distinct(epochs().flat_map(|r| &r.scores).map(|(name, _)| name)) {
        let key = name.clone();
        let of = Box::new(move |r: &EpochRecord| r.get(&key).map(|value| (value, 0.0)));
        all.push(Quantity { name, axis: Axis::linear, of });
    }
    let measured = epochs().flat_map(|r| &r.measured).map(|(name, _)| name);
    for name in distinct(measured.filter(|name| !name.ends_with(ERROR_SUFFIX))) {
        let (key, error) = (name.clone(), format!("{name}{ERROR_SUFFIX}"));
        let of = move |r: &EpochRecord| {
            let find = |name: &str| r.measured.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
            find(&key).map(|value| (value, find(&error).unwrap_or(0.0)))
        };
        let positive = epochs().filter_map(&of).all(|(value, _)| value > 0.0);
        let axis = if positive { Axis::log } else { Axis::linear };
        all.push(Quantity { name, axis, of: Box::new(of) });
    }
    all
}

/// Names in the order in which they first occur.
fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        if !seen.contains(name) {
            seen.push(name.clone());
        }
    }
    seen
}
