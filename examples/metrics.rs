//! What is a model's accuracy, which classes does it confuse, and can its probabilities be believed?
//!
//! `cargo run --release --example metrics`

use burlap::nn::data::digits_split;
use burlap::prelude::*;
use burlap::train::{Data, Loader, Metric, Result, Task, Trainer, metric};

fn main() -> Result<()> {
    let (train, test) = digits_split()?;
    let (train, test) = (Data::from(train), Data::from(test));
    let model = Model::new(mlp(&[64, 32, 10], Activation::Relu)?)?;
    let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
        loss::cross_entropy(out, batch["labels"])
    })?;
    let training = Training::new(task.objective()?, Plain, Adam::new(), 3e-3, task.init(1))?;
    let mut trainer = Trainer::new(&task, training, Loader::new(&train, 64)?.shuffled(7));
    let run = trainer.fit(10)?;

    // Any formula of outputs and batch: the mean probability of the right class.
    let confidence = Metric::new("probability of the label", |out, batch| {
        (-loss::cross_entropy_per_example(out, batch["labels"])).exp().mean()
    });
    // A ratio counts by its denominator however the data are cut: accuracy on even digits.
    let even = Metric::new("accuracy on even digits", |out, batch| {
        let labels = batch["labels"];
        let right = loss::accuracy_per_example(out, labels);
        let even = (labels.cast(out.dtype()) * std::f64::consts::PI).cos().gt(0.0);
        let even = even.cast(out.dtype());
        Loss::ratio((right * even).sum(), even.sum())
    });
    let metrics = [
        metric::loss(),
        metric::accuracy(),
        metric::top_k_accuracy(3),
        metric::calibration_error(),
        metric::confusion(),
        confidence,
        even,
    ];
    let scores = task.evaluate(run.last(), &test, &metrics)?;
    for (name, value) in scores.numbers() {
        println!("{name:26} {value:.4}");
    }
    if let Some(table) = scores.table("confusion") {
        println!("labels by predictions\n{table}");
    }
    Ok(())
}
