//! A small classification: points of the plane, three classes, some of them mixed up.

use burlap::prelude::*;
use burlap::train::{Data, Inputs, Loader, Task, Trainer, metric};
use std::path::PathBuf;

/// Points on three arms of a spiral, by a formula.
pub(crate) fn data(n: usize, shift: usize) -> Data {
    let mut points = Vec::new();
    let mut labels = Vec::new();
    for i in 0..n {
        let (class, t) = (i % 3, ((i * 7 + shift) % 50) as f32 / 50.0);
        let angle = 3.0 * t + 2.1 * class as f32 + 0.3 * ((i * i + shift) as f32).sin();
        points.extend([t * angle.cos(), t * angle.sin()]);
        labels.push(class as u32);
    }
    let points = Array::from_vec([n, 2], points).unwrap();
    let data = Data::new().by_example("points", points).unwrap();
    data.by_example("labels", Array::vector(labels)).unwrap()
}

pub(crate) fn cross_entropy(out: Var, batch: &Inputs<'_>) -> Var {
    loss::cross_entropy(out, batch["labels"])
}

/// A network with dropout on the points.
pub(crate) fn task(data: &Data) -> Task {
    let net = Sequential::new()
        .then(Linear::new(2, 16))
        .then(Activation::Tanh)
        .then(Dropout::new(0.1).unwrap())
        .then(Linear::new(16, 3));
    let cpu = Cpu::with_threads(1).unwrap();
    Task::new(&Model::new(net).unwrap(), &cpu, data, cross_entropy).unwrap()
}

pub(crate) fn training(task: &Task) -> Training {
    let method = Sam::new(0.02).unwrap();
    let rule = AdamW::new().no_decay("*.bias");
    Training::new(task.objective().unwrap(), method, rule, 2e-2, task.init(3)).unwrap()
}

/// 47 examples in batches of 10: five steps an epoch, the last of 7 examples.
pub(crate) fn trainer(training_of: impl FnOnce(&Task) -> Training) -> Trainer {
    let (train, valid) = (data(47, 0), data(23, 5));
    let task = task(&train);
    let loader = Loader::new(&train, 10).unwrap().shuffled(4);
    Trainer::new(&task, training_of(&task), loader)
        .without_signals()
        .validate(&valid, [metric::loss(), metric::accuracy()])
}

/// A folder that is removed when it is dropped, and a file in it.
pub(crate) fn file(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

/// The bits of a vector.
pub(crate) fn bits(array: &Array) -> Vec<u32> {
    array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
}
