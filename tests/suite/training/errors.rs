//! What users do wrong is said in their terms, and nothing has changed then.

use crate::training::common::{bits, cross_entropy, data, file, task, trainer, training};
use burlap::prelude::*;
use burlap::train::{
    Average, Csv, Data, Error, Every, Inputs, Loader, Metric, Patience, Result, Task, Trainer,
    metric,
};

fn said<T>(result: Result<T>) -> String {
    result.err().expect("it should fail").to_string()
}

#[test]
fn of_arrays_that_do_not_make_a_data_set() {
    let points = || Array::zeros(DType::F32, [4, 2]);
    let data = || Data::new().by_example("points", points()).unwrap();
    for (error, expected) in [
        (
            said(data().by_example("labels", Array::vector([0u32; 3]))),
            "data: labels is u32[3], but must be of 4 examples, as the arrays before",
        ),
        (
            said(data().by_example("labels", Array::scalar(1u32))),
            "data: labels is u32[], but must be an array whose first axis counts the examples",
        ),
        (
            said(Data::new().by_example("points", Array::zeros(DType::F32, [0, 2]))),
            "data: points is f32[0, 2], but must be an array of at least one example",
        ),
        (
            said(data().shared("points", points())),
            "data: points is given twice, but must be given once",
        ),
        (
            said(data().with_example_shape("points", &[3])),
            "data: points is f32[4, 2], but must be of [3] elements an example",
        ),
        (
            said(data().gather(&[4])),
            "data: the number of an example is 4, but must be below 4, the number of examples",
        ),
        (said(Loader::new(&Data::new(), 3)), "a loader needs at least one example"),
        (said(Loader::new(&data(), 0)), "a batch needs at least one example"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn of_data_that_are_not_the_tasks() {
    let train = data(47, 0);
    let task = task(&train);
    let x = task.init(1);
    let metrics = [metric::loss()];
    let points = |n: usize, width: usize| Array::zeros(DType::F32, [n, width]);
    let set = |points: Array, labels: Array| {
        let data = Data::new().by_example("points", points).unwrap();
        data.by_example("labels", labels).unwrap()
    };
    let labels = || Array::vector([0u32, 1, 2]);
    let only = Data::new().by_example("points", points(3, 2)).unwrap();
    for (error, expected) in [
        (
            said(task.evaluate(&x, &set(points(3, 5), labels()), &metrics)),
            "data: points is f32[3, 5], but must be f32[n, 2], as the task's data",
        ),
        (
            said(task.evaluate(&x, &set(points(3, 2), Array::vector([0.0f32; 3])), &metrics)),
            "data: labels is f32[3], but must be u32[n], as the task's data",
        ),
        (
            said(task.evaluate(&x, &only, &metrics)),
            "data: the list of arrays is [points ByExample], but must be",
        ),
        (said(task.evaluate(&x, &Data::new(), &metrics)), "data: the number of examples is 0"),
        (
            said(task.evaluate(&points(1, 3), &train, &metrics)),
            "task, parameters: expected f32[99], found f32[1, 3]",
        ),
        (said(task.predict(&x, &points(3, 5))), "data: points is f32[3, 5], but must be f32[n, 2]"),
        (said(task.predict(&x, &points(0, 2))), "an array of at least one example"),
        (
            said(task.evaluate(&x, &set(points(3, 2), Array::vector([0u32, 3, 1])), &metrics)),
            "cross_entropy: label 3 at position 1, but there are 3 classes, 0 to 2",
        ),
        (
            said(task.evaluate(
                &x,
                &set(points(3, 2), Array::vector([0u32, 3, 1])),
                &[metric::accuracy()],
            )),
            "accuracy: label 3 at position 1, but there are 3 classes, 0 to 2",
        ),
        (
            said(task.evaluate(
                &x,
                &set(points(3, 2), Array::vector([0u32, 3, 1])),
                &[metric::confusion()],
            )),
            "confusion: label 3 at position 1, but there are 3 classes, 0 to 2",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn of_formulas() {
    let train = data(12, 0);
    let model = Model::new(Linear::new(2, 3)).unwrap();
    let cpu = Cpu::with_threads(1).unwrap();
    let evaluate = |metric: Metric| {
        let task = Task::new(&model, &cpu, &train, cross_entropy).unwrap();
        said(task.evaluate(&task.init(1), &train, &[metric]))
    };
    let unknown = evaluate(Metric::new("mine", |out, batch| (out - batch["label"]).mean()));
    assert!(
        unknown.contains("no array is called \"label\"; there are points, labels"),
        "{unknown}"
    );
    assert!(unknown.contains("errors.rs:"), "{unknown}");
    let nan = evaluate(Metric::new("mine", |out, _| (0.0 * out).mean() / 0.0));
    assert_eq!(nan, "metric \"mine\": the value is NaN on 12 examples");
    let none = evaluate(Metric::new("none", |out, _| Loss::ratio(out.sum(), 0.0 * out.sum())));
    assert!(none.starts_with("metric \"none\": the value is "), "{none}");

    // A loss for each example, in an evaluation and in a step.
    let each = |out: Var, batch: &Inputs<'_>| loss::cross_entropy_per_example(out, batch["labels"]);
    let task = Task::new(&model, &cpu, &train, each).unwrap();
    let in_evaluation = said(task.evaluate(&task.init(1), &train, &[metric::loss()]));
    let objective = task.objective().unwrap();
    let in_step = objective.value(&task.init(1), &train.batch()).unwrap_err().to_string();
    for error in [in_evaluation, in_step] {
        assert!(error.contains("loss: it must be a scalar, not f32[12]"), "{error}");
        assert!(error.contains("errors.rs:"), "{error}");
    }
}

#[test]
fn of_settings_and_paths_before_any_step() {
    let (_folder, path) = file("no/such/folder.csv");
    let fit = |trainer: Trainer| said(trainer.without_signals().fit(1));
    let of = || trainer(training);
    let train = data(47, 0);
    let small = Loader::new(&data(5, 0), 10).unwrap().drop_last();
    let other = task(&data(5, 0));
    for (error, expected) in [
        (
            fit(of().keep_best("acuracy")),
            "there is no metric \"acuracy\"; there are loss, accuracy, training loss",
        ),
        (fit(of().stop_early("f1", Patience::epochs(2))), "there is no metric \"f1\""),
        (
            fit(of().validate(&train, [metric::confusion()]).keep_best("confusion")),
            "there is no metric \"confusion\"; there are training loss",
        ),
        (
            fit(of().stop_early("loss", Patience::epochs(2).with_least_improvement(-1.0))),
            "early stopping: the least improvement is -1, but must be finite and not negative",
        ),
        (fit(of().average(Average::ema(1.0))), "average: the decay is 1, but must be at least 0"),
        (
            fit(of().checkpoint("run.safetensors", Every::epochs(0))),
            "checkpoint: the number of steps or epochs is 0, but must be at least 1",
        ),
        (fit(of().checkpoint(&path, Every::epochs(1))), "there is no folder"),
        (fit(of().save_best("loss", &path)), "there is no folder"),
        (fit(of().observe(Csv::to(&path))), "CSV: "),
        (
            fit(Trainer::new(&other, training(&other), small)),
            "loader: the number of examples is 5, but must be enough for a batch",
        ),
        (
            fit(of().validate(&Data::new(), [metric::loss()])),
            "data: the number of examples is 0, but must be at least 1",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
    assert!(matches!(
        task(&train).with_evaluation_batch(0),
        Err(Error::Setting { of: "task", .. })
    ));
}

#[test]
fn a_step_that_fails_leaves_the_state_and_a_further_call_goes_on() {
    // A label beyond the classes in the third batch.
    let bad = |change: bool| {
        let train = data(47, 0);
        let mut labels: Vec<u32> =
            train.get("labels").unwrap().to_f64_vec().iter().map(|&l| l as u32).collect();
        if change {
            labels[25] = 9;
        }
        let points = train.get("points").unwrap().clone();
        let data = Data::new().by_example("points", points).unwrap();
        data.by_example("labels", Array::vector(labels)).unwrap()
    };
    let train = bad(true);
    let task = task(&train);
    let mut trainer = Trainer::new(&task, training(&task), Loader::new(&train, 10).unwrap());
    trainer = trainer.without_signals();
    let error = said(trainer.fit(2));
    assert!(error.contains("cross_entropy: label 9 at position 5"), "{error}");
    assert_eq!(trainer.training().steps(), 2);
    // As after two steps of good data.
    let mut by_hand = training(&task);
    for batch in Loader::new(&bad(false), 10).unwrap().epoch(0).take(2) {
        by_hand.step(&batch.unwrap()).unwrap();
    }
    assert_eq!(bits(trainer.training().parameters()), bits(by_hand.parameters()));
    assert_eq!(trainer.training().state(), by_hand.state());
    // The same error again, not another state.
    assert!(said(trainer.fit(2)).contains("label 9"));
    assert_eq!(trainer.training().steps(), 2);
}
