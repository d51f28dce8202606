//! The whole layer on a device that the host cannot address: the interpreter's bits, and no weights
//! on the host but those that are saved or asked for.

use crate::training::common::{cross_entropy, data, file};
use burlap::autodiff::testing::{Device, Direction};
use burlap::autodiff::{Backend, Interpreter};
use burlap::prelude::*;
use burlap::train::{Average, EpochRecord, Every, Loader, Task, Trainer, metric};
use std::path::Path;

fn trainer<B: Backend + Clone + 'static>(backend: &B) -> (Task, Trainer) {
    let (train, valid) = (data(47, 0), data(23, 5));
    let net = Sequential::new()
        .then(Linear::new(2, 16))
        .then(Activation::Tanh)
        .then(Dropout::new(0.1).unwrap())
        .then(Linear::new(16, 3));
    let task = Task::new(&Model::new(net).unwrap(), backend, &train, cross_entropy).unwrap();
    let method = Sam::new(0.02).unwrap();
    let rule = AdamW::new().no_decay("*.bias");
    let training =
        Training::new(task.objective().unwrap(), method, rule, 2e-2, task.init(3)).unwrap();
    let metrics = [
        metric::loss(),
        metric::accuracy(),
        metric::top_k_accuracy(2),
        metric::confusion(),
        metric::calibration_error(),
    ];
    let trainer = Trainer::new(&task, training, Loader::new(&train, 10).unwrap().shuffled(4))
        .without_signals()
        .validate(&valid, metrics)
        .average(Average::ema(0.8))
        .keep_best("accuracy");
    (task, trainer)
}

fn fit(trainer: Trainer, path: &Path, epochs: u64) -> (Vec<EpochRecord>, Array, Trainer) {
    let mut trainer = trainer.checkpoint(path, Every::epochs(1));
    let run = trainer.fit(epochs).unwrap();
    let timeless = |record: &EpochRecord| {
        let mut record = record.clone();
        record.seconds = 0.0;
        record
    };
    (run.history().iter().map(timeless).collect(), run.best().parameters().clone(), trainer)
}

#[test]
fn a_run_on_a_device_is_the_run_on_the_host() {
    let device = Device::new();
    let [(_here, host), (_there, file_there)] = [file("host.st"), file("device.st")];
    let (history, best, _) = fit(trainer(&Interpreter).1, &host, 3);
    let (_, trainer_there) = trainer(&device);
    let (found, best_there, _) = fit(trainer_there, &file_there, 2);
    assert_eq!(found, history[..2]);
    // The third epoch from the file.
    let (task, resumed) = trainer(&device);
    let weights = task.init(0).len();
    let (found, best_again, trainer) = fit(resumed, &file_there, 3);
    assert_eq!(found, history);
    assert_eq!(best_again, best);
    assert_eq!(std::fs::read(&host).unwrap().len(), std::fs::read(&file_there).unwrap().len());
    assert_eq!(trainer.training().parameters().location(), device.name());
    // Predictions and metrics of weights there read their results alone.
    device.take_transfers();
    let valid = data(23, 5);
    let there = device.upload(&best_there).unwrap();
    device.take_transfers();
    let scores = task.evaluate(&there, &valid, &[metric::loss(), metric::confusion()]).unwrap();
    task.predict(&there, &valid.arrays()[0]).unwrap();
    let log = device.take_transfers();
    assert!(scores.get("loss").is_some());
    assert!(log.iter().all(|transfer| transfer.count != weights), "{log:?}");
}

#[test]
fn weights_do_not_cross_while_a_run_goes_on() {
    let device = Device::new();
    let (task, mut trainer) = trainer(&device);
    let weights = task.init(0).len();
    trainer.fit(1).unwrap();
    device.take_transfers();
    trainer.fit(3).unwrap();
    let log = device.take_transfers();
    assert!(log.len() > 50);
    let crossed =
        |direction| log.iter().filter(|t| t.direction == direction && t.count >= weights).count();
    assert_eq!([Direction::Upload, Direction::Download].map(crossed), [0, 0]);
}
