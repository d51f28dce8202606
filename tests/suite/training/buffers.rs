//! Models with running statistics: trained, averaged, resumed, saved; and training on a backend whose
//! memory the host cannot address.

use crate::training::common::{bits, cross_entropy, data, file};
use burlap::autodiff::testing::Device;
use burlap::nn::BatchNorm1d;
use burlap::prelude::*;
use burlap::train::{
    Average, Data, Every, Loader, ModelState, Observer, Result, StepRecord, Task, TopEigenvalue,
    Trainer, View, Weights, metric,
};

fn task(data: &Data, backend: &dyn Backend) -> Task {
    let net = Sequential::new()
        .then(Linear::new(2, 8))
        .then(BatchNorm1d::new(8))
        .then(Activation::Tanh)
        .then(Dropout::new(0.1).unwrap())
        .then(Linear::new(8, 3));
    Task::new(&Model::new(net).unwrap(), backend, data, cross_entropy).unwrap()
}

struct StopAt(u64);

impl Observer for StopAt {
    fn on_step(&mut self, record: &StepRecord, view: &View<'_>) -> Result<()> {
        if record.step == self.0 {
            view.stop();
        }
        Ok(())
    }
}

fn trainer(backend: &dyn Backend) -> Trainer {
    let (train, valid) = (data(40, 0), data(23, 5));
    let task = task(&train, backend);
    let rule = AdamW::new().no_decay("*.bias");
    let sam = Sam::new(0.02).unwrap();
    let training = Training::new(task.objective().unwrap(), sam, rule, 2e-2, task.init(3)).unwrap();
    Trainer::new(&task, training, Loader::new(&train, 10).unwrap().shuffled(4))
        .without_signals()
        .validate(&valid, [metric::loss(), metric::accuracy(), metric::confusion()])
        .observe(TopEigenvalue::every(3).of_examples(20))
        .keep_best("loss")
}

#[test]
fn evaluation_uses_the_statistics_of_training() {
    let run = trainer(&Cpu::with_threads(1).unwrap()).fit(6).unwrap();
    let (train, valid) = (data(40, 0), data(23, 5));
    let task = task(&train, &Cpu::with_threads(1).unwrap());
    let best = run.best();
    assert_eq!(best.buffers().len(), 2);
    let found = task.evaluate(best, &valid, &[metric::loss()]).unwrap();
    let recorded = &run.history()[best.epoch() as usize - 1];
    assert_eq!(found.get("loss"), recorded.get("loss"));
    // One example at a time: nothing depends on the batch in evaluation.
    let one = task.clone().with_evaluation_batch(1).unwrap();
    let points = valid.get("points").unwrap();
    let (a, b) = (task.predict(best, points).unwrap(), one.predict(best, points).unwrap());
    assert_eq!(bits(&a), bits(&b));
    // Parameters alone do not do.
    let error = task.predict(best.parameters(), points).unwrap_err().to_string();
    let expected =
        "data: the model's buffer 1.running_mean is missing, but must be f32[8] (a training";
    assert!(error.starts_with(expected), "{error}");

    let (_folder, path) = file("best.safetensors");
    best.save(&path).unwrap();
    let loaded = Weights::load(task.model(), &path).unwrap();
    assert_eq!(bits(&task.predict(&loaded, points).unwrap()), bits(&a));
    assert!(task.model().save(best.parameters(), &path).is_err());
}

#[test]
fn averaged_weights_have_statistics_of_their_own() {
    let cpu = Cpu::with_threads(1).unwrap();
    let mut trainer = trainer(&cpu).average(Average::swa(2));
    let run = trainer.fit(4).unwrap();
    let train = data(40, 0);
    let task = task(&train, &cpu);
    let last = run.last();
    let of = |state: &dyn ModelState| state.buffers().into_iter().map(|b| b.1).take(2).collect();
    let (own, raw): (Vec<Array>, Vec<Array>) = (of(last), of(trainer.training()));
    assert!(own != raw && last.parameters() != trainer.training().parameters());
    // A pass over the data from the training's own statistics.
    let loader = Loader::new(&train, 10).unwrap().shuffled(4);
    struct With<'a>(&'a Array, Vec<(String, Array)>);
    impl ModelState for With<'_> {
        fn parameters(&self) -> &Array {
            self.0
        }
        fn buffers(&self) -> Vec<(String, Array)> {
            self.1.clone()
        }
    }
    // Passes go on from the last one's: after enough of them they are where they stay.
    let mut state = With(last.parameters(), last.buffers());
    for _ in 0..30 {
        let values = task.recalibrated(&state, &loader).unwrap();
        state.1.iter_mut().zip(values).for_each(|((_, old), new)| *old = new);
    }
    let (settled, found) = (state.1[0].1.to_f64_vec(), own[0].to_f64_vec());
    let distance = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    };
    assert!(distance(&found, &settled) < distance(&raw[0].to_f64_vec(), &settled));
}

#[test]
fn a_run_with_statistics_goes_on_to_the_bit() {
    let cpu = Cpu::with_threads(1).unwrap();
    for average in [None, Some(Average::ema(0.9)), Some(Average::swa(2))] {
        let with = |trainer: Trainer| match average {
            Some(average) => trainer.average(average),
            None => trainer,
        };
        let (_folder, path) = file("run.safetensors");
        let whole = with(trainer(&cpu)).fit(4).unwrap();
        for stop in [1, 6, 8, 11, 15] {
            let _ = std::fs::remove_file(&path);
            let fit = |stop: u64| {
                let trainer = with(trainer(&cpu)).observe(StopAt(stop));
                trainer.checkpoint(&path, Every::epochs(1)).fit(4).unwrap()
            };
            assert_eq!(fit(stop).last().step(), stop);
            let rest = fit(u64::MAX);
            for (a, b) in [(rest.last(), whole.last()), (rest.best(), whole.best())] {
                assert_eq!(bits(a.parameters()), bits(b.parameters()), "{stop}");
                assert_eq!(a.buffers(), b.buffers());
            }
            let scores = |run: &burlap::train::Run| -> Vec<_> {
                run.history().iter().map(|r| (r.scores.clone(), r.measured.clone())).collect()
            };
            assert_eq!(scores(&rest), scores(&whole), "{stop}");
        }
    }
}

#[test]
fn a_device_trains_evaluates_and_saves_like_the_host() {
    let run = |backend: &dyn Backend, path: &std::path::Path| {
        let trainer = trainer(backend).average(Average::ema(0.9));
        let run = trainer.checkpoint(path, Every::steps(3)).fit(2).unwrap();
        let (points, task) = (data(23, 5), task(&data(40, 0), backend));
        let points = points.get("points").unwrap();
        run.best().save(path.with_extension("best")).unwrap();
        let predicted = task.predict(run.best(), points).unwrap();
        let history: Vec<_> = run.history().iter().map(|r| (r.loss, r.scores.clone())).collect();
        (bits(&predicted), history, std::fs::read(path.with_extension("best")).unwrap())
    };
    let (_folder, host) = file("host.safetensors");
    let (_folder, device) = file("device.safetensors");
    let expected = run(&burlap::autodiff::Interpreter, &host);
    assert_eq!(run(&Device::default(), &device), expected);
    // The checkpoint of one goes on on the other.
    let rest = |backend: &dyn Backend, path: &std::path::Path| {
        let mut trainer =
            trainer(backend).average(Average::ema(0.9)).checkpoint(path, Every::steps(3));
        let run = trainer.fit(3).unwrap();
        bits(&run.last().parameters().download().unwrap())
    };
    let on_host = rest(&burlap::autodiff::Interpreter, &device);
    assert_eq!(rest(&Device::default(), &host), on_host);
}
