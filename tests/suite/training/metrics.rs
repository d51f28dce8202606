//! Metrics against computations by hand, with an uneven last batch and with one batch for all.

use crate::training::common::{bits, data, task};
use burlap::prelude::*;
use burlap::train::{Data, Inputs, Metric, Score, Task, metric};

/// Logits and labels of a task whose model is the identity, so that metrics see what is given.
fn identity(data: &Data, loss: fn(Var, &Inputs<'_>) -> Var) -> Task {
    let model = Model::new(Sequential::new()).unwrap();
    Task::new(&model, &Cpu::with_threads(1).unwrap(), data, loss).unwrap()
}

const CLASSES: usize = 5;

/// 23 examples of five logits in f64, some of them equal.
fn logits() -> (Vec<Vec<f64>>, Vec<usize>) {
    let logit = |i: usize, j: usize| (((i * 31 + j * 17) % 7) as f64 - 3.0) / 2.0;
    let rows = (0..23).map(|i| (0..CLASSES).map(|j| logit(i, j)).collect()).collect();
    (rows, (0..23).map(|i| (i * i + 1) % CLASSES).collect())
}

fn classification() -> Data {
    let (rows, labels) = logits();
    let labels: Vec<u32> = labels.into_iter().map(|label| label as u32).collect();
    let rows = Array::from_vec([23, CLASSES], rows.concat()).unwrap();
    let data = Data::new().by_example("logits", rows).unwrap();
    data.by_example("labels", Array::vector(labels)).unwrap()
}

fn cross_entropy(out: Var, batch: &Inputs<'_>) -> Var {
    loss::cross_entropy(out, batch["labels"])
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().map(|z| z.exp()).sum();
    row.iter().map(|z| z.exp() / sum).collect()
}

/// Classes by falling logit; of equal ones the first comes first.
fn ranked(row: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    order
}

#[test]
fn they_are_those_of_the_whole_set_however_it_is_cut() {
    let data = classification();
    let (rows, labels) = logits();
    let n = rows.len() as f64;
    let each = || rows.iter().zip(&labels);
    let top = |k: usize| each().filter(|(r, l)| ranked(r)[..k].contains(l)).count() as f64 / n;
    let loss = each().map(|(r, &l)| -softmax(r)[l].ln()).sum::<f64>() / n;
    let mut confusion = vec![0.0; CLASSES * CLASSES];
    each().for_each(|(r, l)| confusion[l * CLASSES + ranked(r)[0]] += 1.0);
    let mut gaps = [0.0; 15];
    for (row, &label) in each() {
        let first = ranked(row)[0];
        let confidence = softmax(row)[first];
        let bin = (confidence * 15.0).ceil() as usize - 1;
        gaps[bin] += f64::from(u8::from(first == label)) - confidence;
    }
    let calibration = gaps.iter().map(|gap| f64::abs(*gap)).sum::<f64>() / n;
    let largest = each().map(|(r, _)| r[ranked(r)[0]]).sum::<f64>() / n;

    let metrics = [
        metric::loss(),
        metric::accuracy(),
        metric::top_k_accuracy(2),
        metric::top_k_accuracy(CLASSES),
        metric::confusion(),
        metric::calibration_error(),
        Metric::new("largest", |out, _| out.max_axes(&[1]).mean()).maximised(),
    ];
    for size in [1, 4, 10, 22, 23, 100] {
        let task = identity(&data, cross_entropy).with_evaluation_batch(size).unwrap();
        let found = task.evaluate(&task.init(0), &data, &metrics).unwrap();
        for (name, expected) in [
            ("loss", loss),
            ("accuracy", top(1)),
            ("top-2 accuracy", top(2)),
            ("top-5 accuracy", 1.0),
            ("calibration error", calibration),
            ("largest", largest),
        ] {
            let found = found.get(name).unwrap();
            // Sums of 23 numbers near 1 in doubles.
            assert!((found - expected).abs() < 1e-13, "{size}: {name} {found} {expected}");
        }
        assert_eq!(found.table("confusion").unwrap().to_f64_vec(), confusion, "{size}");
        // One program for full batches, one for a rest.
        let shapes = 1 + usize::from(size < 23 && 23 % size != 0);
        assert_eq!(task.kept_programs(), shapes, "{size}");
    }
    // Ties, wrong and right answers occur.
    assert!(top(1) > 0.0 && top(1) < top(2) && top(2) < 1.0);
}

#[test]
fn ratios_are_averaged_by_denominators() {
    let values = Array::vector([1.0, 2.0, 4.0, 8.0, 16.0]);
    let weights = Array::vector([0.0, 0.0, 3.0, 1.0, 2.0]);
    let data = Data::new().by_example("values", values).unwrap();
    let data = data.by_example("weights", weights).unwrap();
    let weighted = |out: Var, batch: &Inputs<'_>| {
        Loss::ratio((batch["weights"] * out).sum(), batch["weights"].sum())
    };
    let expected = (3.0 * 4.0 + 8.0 + 2.0 * 16.0) / 6.0;
    for size in [1, 2, 5] {
        let task = identity(&data, |out, _| out.mean()).with_evaluation_batch(size).unwrap();
        // The first batches count for nothing.
        let metrics = [Metric::new("weighted", weighted), metric::loss()];
        let found = task.evaluate(&task.init(0), &data, &metrics).unwrap();
        assert_eq!(found.get("weighted"), Some(expected));
        assert_eq!(found.get("loss"), Some(31.0 / 5.0));
    }
}

#[test]
fn regression_and_sums_of_ones_own() {
    let (inputs, targets) = (vec![1.0, -2.0, 0.5, 4.0, 3.0], vec![1.5, -2.0, 0.0, 2.0, 3.0]);
    let data = Data::new().by_example("x", Array::vector(inputs)).unwrap();
    let data = data.by_example("targets", Array::vector(targets)).unwrap();
    let task = identity(&data, |out, batch| loss::mse(out, batch["targets"]));
    let task = task.with_evaluation_batch(2).unwrap();
    // R² = 1 − Σ(x − t)²/Σ(t − t̄)².
    let sums = |out: Var, batch: &Inputs<'_>| {
        let t = batch["targets"];
        vec![(out - t).square().sum(), t.square().sum(), t.sum()]
    };
    let r_squared = Metric::of_sums("r squared", sums, |s| {
        let [residual, squares, sum] = [0, 1, 2].map(|i| s[i].to_f64_vec()[0]);
        Score::Number(1.0 - residual / (squares - sum * sum / 5.0))
    });
    let metrics = [metric::mean_absolute_error(), metric::mean_squared_error(), r_squared];
    let found = task.evaluate(&task.init(0), &data, &metrics).unwrap();
    let residual: f64 = 0.25 + 0.25 + 4.0;
    assert_eq!(found.get("mean absolute error"), Some(3.0 / 5.0));
    assert_eq!(found.get("mean squared error"), Some(residual / 5.0));
    let total = 1.5f64.powi(2) + 4.0 + 4.0 + 9.0 - 4.5 * 4.5 / 5.0;
    assert!((found.get("r squared").unwrap() - (1.0 - residual / total)).abs() < 1e-15);
}

#[test]
fn other_arrays_are_inputs_and_targets() {
    let n = 7;
    let ramp = |k: f64| Array::vector((0..n).map(|i| k * f64::from(i)).collect::<Vec<f64>>());
    let data = Data::new().by_example("a", ramp(1.0)).unwrap();
    let data = data.by_example("b", ramp(2.0)).unwrap().by_example("c", ramp(4.0)).unwrap();
    let task = identity(&data, |out, _| out.mean()).with_evaluation_batch(3).unwrap();
    let x = task.init(0);
    let error = |task: &Task, target: &str| {
        let metrics = [metric::mean_absolute_error().against(target)];
        task.evaluate(&x, &data, &metrics).unwrap().get("mean absolute error").unwrap()
    };
    // The mean of 0 to 6 is 3.
    assert_eq!((error(&task, "b"), error(&task, "c"), error(&task, "a")), (3.0, 9.0, 0.0));
    let of_b = task.clone().with_input("b").unwrap();
    assert_eq!((error(&of_b, "b"), error(&of_b, "c"), error(&task, "b")), (0.0, 6.0, 3.0));
    let unknown = task.clone().with_input("d").unwrap_err().to_string();
    assert_eq!(unknown, "data: d is missing, but must be one of a, b, c");
    // The model's input alone is predicted on.
    assert_eq!(of_b.predict(&x, &ramp(2.0)).unwrap(), ramp(2.0));
}

#[test]
fn predictions_do_not_depend_on_batches() {
    let data = data(47, 0);
    let task = task(&data);
    let (x, points) = (task.init(3), data.get("points").unwrap());
    let whole = task.predict(&x, points).unwrap();
    assert_eq!(whole.shape()[..], [47, 3]);
    for size in [1, 5, 46] {
        let task = task.clone().with_evaluation_batch(size).unwrap();
        assert_eq!(bits(&task.predict(&x, points).unwrap()), bits(&whole), "{size}");
    }
    // Any number of inputs, and a bounded number of programs.
    for n in 1..40 {
        let few = data.first(n).unwrap();
        let few = task.predict(&x, few.get("points").unwrap()).unwrap();
        assert_eq!(bits(&few), bits(&whole)[..3 * n]);
    }
    assert_eq!(task.kept_programs(), 16);
}

#[test]
fn in_double_precision_data_in_single_do() {
    let data = data(47, 0);
    let task = task(&data);
    let double = task.clone().with_dtype(DType::F64);
    let (x, y) = (task.init(3), double.init(3));
    let metrics = [metric::loss(), metric::accuracy()];
    let found = task.evaluate(&x, &data, &metrics).unwrap();
    let exact = double.evaluate(&y, &data, &metrics).unwrap();
    let [a, b] = [found, exact].map(|scores| scores.get("loss").unwrap());
    // Rounding of a loss near 1 in single precision.
    assert!((a - b).abs() < 1e-6 && a != b, "{a} {b}");
    let (value, gradient) = double.objective().unwrap().value_grad(&y, &data.batch()).unwrap();
    assert!(gradient.dtype() == DType::F64 && value.is_finite());
}
