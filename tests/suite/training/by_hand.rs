//! A training loop of the pieces, without a trainer.

use burlap::prelude::*;
use burlap::train::{Data, Loader, Task, metric};

#[test]
fn twelve_lines_train_evaluate_and_predict() {
    let (train, valid) = burlap::nn::data::digits_split().unwrap();
    let (train, valid) = (Data::from(train), Data::from(valid));
    let model = Model::new(mlp(&[64, 32, 10], Activation::Relu).unwrap()).unwrap();
    let loss =
        |out: Var, batch: &burlap::train::Inputs<'_>| loss::cross_entropy(out, batch["labels"]);
    let task = Task::new(&model, &Cpu::new(), &train, loss).unwrap();
    let (sam, rule) = (Sam::new(0.05).unwrap(), AdamW::new().no_decay("*.bias"));
    let mut training =
        Training::new(task.objective().unwrap(), sam, rule, 1e-2, task.init(1)).unwrap();
    let loader = Loader::new(&train, 64).unwrap().shuffled(7);
    let metrics = [metric::loss(), metric::accuracy()];
    let mut accuracies = Vec::new();
    for epoch in 0..5 {
        for batch in loader.epoch(epoch) {
            training.step(&batch.unwrap()).unwrap();
        }
        let found = task.evaluate(training.parameters(), &valid, &metrics).unwrap();
        accuracies.push(found.get("accuracy").unwrap());
    }
    assert!(accuracies[4] > 0.93 && accuracies[0] < accuracies[4], "{accuracies:?}");
    // 359 examples in batches of 256: two shapes.
    assert_eq!(task.kept_programs(), 2);

    let logits = task.predict(training.parameters(), valid.get("features").unwrap()).unwrap();
    let classes = logits.to_f64_vec();
    let labels = valid.get("labels").unwrap().to_f64_vec();
    let largest = |row: &[f64]| (0..10).max_by(|&i, &j| row[i].total_cmp(&row[j])).unwrap() as f64;
    let right = classes.chunks(10).zip(labels).filter(|(row, label)| largest(row) == *label);
    assert_eq!(right.count() as f64 / 359.0, accuracies[4]);
}
