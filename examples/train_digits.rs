//! How is a network trained? Digits, with validation, early stopping and the best weights kept.
//!
//! `cargo run --release --example train_digits`

use burlap::nn::data::digits_split;
use burlap::prelude::*;
use burlap::train::{Data, Loader, Log, Patience, Result, Task, Trainer, metric};

fn main() -> Result<()> {
    let (train, valid) = digits_split()?;
    let (train, valid) = (Data::from(train), Data::from(valid));

    let model = Model::new(mlp(&[64, 64, 10], Activation::Relu)?)?;
    let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
        loss::cross_entropy(out, batch["labels"])
    })?;
    let rule = AdamW::new().no_decay("*.bias");
    let training = Training::new(task.objective()?, Sam::new(0.05)?, rule, 3e-3, task.init(1))?;

    let run = Trainer::new(&task, training, Loader::new(&train, 64)?.shuffled(7))
        .validate(&valid, [metric::loss(), metric::accuracy()])
        .observe(Log::stderr())
        .keep_best("accuracy")
        .stop_early("loss", Patience::epochs(5))
        .fit(40)?;

    let best = run.best();
    let found = task.evaluate(best, &valid, &[metric::accuracy()])?;
    println!("{}: {found} after epoch {}", run.reason(), best.epoch());
    Ok(())
}
