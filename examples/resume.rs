//! How does a run go on after it was stopped? Start it, press Ctrl-C, start it again: it ends with the
//! same bits as a run that nobody stopped.
//!
//! `cargo run --release --example resume -- run.safetensors`

use burlap::nn::data::digits_split;
use burlap::prelude::*;
use burlap::train::{Average, Csv, Data, Every, Loader, Progress, Task, Trainer, metric};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: resume FILE.safetensors")?;
    let (train, valid) = digits_split()?;
    let (train, valid) = (Data::from(train), Data::from(valid));

    // Dropout and shuffling are random; their state is part of the file.
    let net = Sequential::new()
        .then(Linear::new(64, 64))
        .then(Activation::Relu)
        .then(Dropout::new(0.2)?)
        .then(Linear::new(64, 10));
    let task = Task::new(&Model::new(net)?, &Cpu::new(), &train, |out, batch| {
        loss::cross_entropy(out, batch["labels"])
    })?;
    let schedule = Schedule::new(1e-2, Decay::Cosine { total: 200 * 23, floor: 0.0 })?;
    let sam = Sam::new(0.05)?;
    let training = Training::new(task.objective()?, sam, Adam::new(), schedule, task.init(1))?;

    let run = Trainer::new(&task, training, Loader::new(&train, 64)?.shuffled(7))
        .validate(&valid, [metric::loss(), metric::accuracy()])
        .average(Average::ema(0.99))
        .observe(Progress::bar())
        .observe(Csv::to(format!("{path}.csv")))
        .checkpoint(&path, Every::epochs(10))
        .fit(200)?;
    let sum: f64 = run.last().parameters().to_f64_vec().iter().sum();
    println!("epoch {}: {}; the weights' sum is {sum}", run.last().epoch(), run.reason());
    Ok(())
}
