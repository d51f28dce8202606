//! Runs of the trainer: early stopping, best weights, averages, dropout, accumulation, dry runs.

use crate::training::common::{bits, cross_entropy, data, file, task, trainer, training};
use burlap::prelude::*;
use burlap::train::{Average, Data, Loader, Metric, Patience, Reason, Task, Trainer, metric};

/// A metric that is, by the weight alone, best after `best` epochs: the model is x ← x − 1 an epoch.
fn counted(best: f64) -> (Task, Trainer) {
    let data = Data::new().by_example("x", Array::vector([1.0])).unwrap();
    let model = Model::new(Linear::new(1, 1).without_bias()).unwrap();
    let data = data.with_example_shape("x", &[1]).unwrap();
    let cpu = Cpu::with_threads(1).unwrap();
    let task = Task::new(&model, &cpu, &data, |out, _| out.mean()).unwrap();
    let zero = Array::zeros(DType::F64, [1]);
    let training = Training::new(task.objective().unwrap(), Plain, Sgd::new(), 1.0, zero).unwrap();
    let distance = Metric::new("distance", move |out, _| (out + best).abs().mean());
    let trainer = Trainer::new(&task, training, Loader::new(&data, 1).unwrap())
        .without_signals()
        .validate(&data, [distance]);
    (task, trainer)
}

#[test]
fn a_patience_of_five_ends_five_epochs_after_the_best() {
    for (best, patience) in [(7.0, 5), (1.0, 5), (3.0, 1)] {
        let (_, trainer) = counted(best);
        let mut trainer =
            trainer.keep_best("distance").stop_early("distance", Patience::epochs(patience));
        let run = trainer.fit(100).unwrap();
        let best_epoch = best as u64;
        let metric = "distance".to_owned();
        assert_eq!(*run.reason(), Reason::EarlyStopping { metric, best_epoch });
        assert_eq!(run.history().len() as u64, best_epoch + patience);
        assert_eq!(run.best().epoch(), best_epoch);
        assert_eq!(run.best().parameters().to_f64_vec(), [-best]);
        assert_eq!(run.last().parameters().to_f64_vec(), [-best - patience as f64]);
        let is_best: Vec<bool> = run.history().iter().map(|record| record.is_best).collect();
        assert_eq!(
            is_best,
            (1..=best_epoch + patience).map(|e| e <= best_epoch).collect::<Vec<_>>()
        );
        // A further call has nothing to do.
        assert_eq!(trainer.fit(200).unwrap().history().len(), run.history().len());
    }
    // Improvements that are too small do not count: the best that counts is the first.
    let (_, trainer) = counted(500.0);
    let patience = Patience::epochs(3).with_least_improvement(1.5);
    let run = trainer.stop_early("distance", patience).fit(100).unwrap();
    assert_eq!(run.history().len(), 100, "1 an epoch adds up to more than 1.5 in two");
    let (_, trainer) = counted(500.0);
    let patience = Patience::epochs(3).with_least_improvement(3.5);
    let run = trainer.stop_early("distance", patience).fit(100).unwrap();
    assert_eq!(run.history().len(), 4);
}

#[test]
fn the_loop_is_the_loop_by_hand_to_the_bit() {
    let mut trainer = trainer(training);
    let run = trainer.fit(3).unwrap();
    let (train, valid) = (data(47, 0), data(23, 5));
    let task = task(&train);
    let mut by_hand = training(&task);
    let loader = Loader::new(&train, 10).unwrap().shuffled(4);
    for epoch in 0..3 {
        for batch in loader.epoch(epoch) {
            by_hand.step(&batch.unwrap()).unwrap();
        }
    }
    assert_eq!(bits(run.last().parameters()), bits(by_hand.parameters()));
    let metrics = [metric::loss(), metric::accuracy()];
    let found = task.evaluate(by_hand.parameters(), &valid, &metrics).unwrap();
    let recorded = &run.history()[2];
    assert_eq!(recorded.get("loss"), found.get("loss"));
    assert_eq!(recorded.get("accuracy"), found.get("accuracy"));
    assert_eq!((recorded.epoch, recorded.step), (3, 15));
}

#[test]
fn averages_are_those_of_their_definitions() {
    // The weights after step t are −t.
    let (_, trainer) = counted(0.0);
    let run = trainer.average(Average::ema(0.75)).fit(4).unwrap();
    let ema = ((-0.75f64 - 2.0 * 0.25) * 0.75 - 3.0 * 0.25) * 0.75 - 4.0 * 0.25;
    assert_eq!(run.last().parameters().to_f64_vec(), [ema]);
    // What is evaluated is the average.
    assert_eq!(run.history()[3].get("distance"), Some(-ema));

    let (_, trainer) = counted(0.0);
    let mut trainer = trainer.average(Average::swa(3));
    let run = trainer.fit(5).unwrap();
    assert_eq!(run.last().parameters().to_f64_vec(), [-4.0]);
    let distances: Vec<f64> =
        run.history().iter().map(|record| record.get("distance").unwrap()).collect();
    assert_eq!(distances, [1.0, 2.0, 3.0, 3.5, 4.0]);
    // The training itself goes on from its own weights.
    assert_eq!(trainer.training().parameters().to_f64_vec(), [-5.0]);
}

#[test]
fn dropout_draws_anew_each_step_and_equally_in_all_passes() {
    let data = data(40, 0);
    let net = Sequential::new().then(Dropout::new(0.5).unwrap()).then(Linear::new(2, 3));
    let cpu = Cpu::with_threads(1).unwrap();
    let task = Task::new(&Model::new(net).unwrap(), &cpu, &data, cross_entropy).unwrap();
    let objective = task.objective().unwrap();
    let (x, batch) = (task.init(1), data.batch());
    // The same key for every pass until a step is committed.
    let first = objective.value(&x, &batch).unwrap();
    assert_eq!(objective.value(&x, &batch).unwrap(), first);
    let key = objective.buffers();
    let mut training = Training::new(objective, Plain, Sgd::new(), 0.0, x.clone()).unwrap();
    let losses: Vec<f64> = (0..4).map(|_| training.step(&batch).unwrap().loss).collect();
    assert_eq!(losses[0], first);
    assert!((1..4).all(|i| losses[..i].iter().all(|loss| *loss != losses[i])), "{losses:?}");
    assert_ne!(training.objective().buffers(), key);
    // Another seed, other draws; evaluation without any.
    let other = task.clone().with_seed(1).objective().unwrap();
    assert_ne!(other.value(&x, &batch).unwrap(), first);
    let found = task.evaluate(&x, &data, &[metric::loss()]).unwrap().get("loss").unwrap();
    let plain = task.evaluation_objective(&x).unwrap().value(&x, &batch).unwrap();
    // Sums of 40 numbers in single precision.
    assert!((found - plain).abs() < 1e-6 && losses.iter().all(|loss| (loss - found).abs() > 1e-6));
}

#[test]
fn micro_batches_give_the_gradient_of_the_whole() {
    let data = data(47, 0);
    let net = Sequential::new().then(Linear::new(2, 8)).then(Activation::Tanh);
    let model = Model::new(net.then(Linear::new(8, 3))).unwrap();
    let cpu = Cpu::with_threads(1).unwrap();
    let task = Task::new(&model, &cpu, &data, cross_entropy).unwrap().with_dtype(DType::F64);
    let (x, batch) = (task.init(1), data.batch());
    let gradient = |task: &Task| {
        let (loss, gradient) = task.objective().unwrap().value_grad(&x, &batch).unwrap();
        [vec![loss], gradient.to_f64_vec()].concat()
    };
    let (whole, parts) = (gradient(&task), gradient(&task.clone().with_micro_batch_size(10)));
    let error = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < 1e-15 * 10.0 && whole != parts, "{error}");
}

#[test]
fn augmentation_differs_by_epoch_and_repeats() {
    use rand::RngExt;
    let data = data(20, 0);
    let noisy = |batch: &mut burlap::train::Batch, stream: &mut burlap::optim::random::Stream| {
        let points = batch.get_mut("points").unwrap().as_mut_slice::<f32>()?;
        points.iter_mut().for_each(|x| *x += 0.1 * stream.random::<f32>());
        Ok(())
    };
    let loader = Loader::new(&data, 10).unwrap().augmented(noisy);
    let points = |epoch: u64, place: usize| {
        let batch = loader.epoch(epoch).nth(place).unwrap().unwrap();
        bits(batch.get("points").unwrap())
    };
    assert_eq!(points(0, 1), points(0, 1));
    assert_ne!(points(0, 1), points(1, 1));
    // The data themselves stay as they are.
    assert_eq!(bits(data.get("points").unwrap()), bits(self::data(20, 0).get("points").unwrap()));
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut dry = trainer(training);
    let found = dry.dry_run().unwrap();
    // 2·16 + 16 + 16·3 + 3 parameters, two moments, and a key.
    assert_eq!((found.parameters, found.steps_per_epoch), (99, 5));
    assert!(found.state_bytes >= 99 * 4 * 3, "{found}");
    let mut wet = trainer(training);
    // Nor does a sweep of rates, which ends where the loss diverges.
    let sweep = dry.sweep_rates(1e-4, 1e6, 60).unwrap();
    let rates: Vec<f64> = sweep.points().iter().map(|point| point.0).collect();
    let factor = (1e10f64).powf(1.0 / 59.0);
    assert!(rates[0] == 1e-4 && (rates[1] / rates[0] - factor).abs() < 1e-12 * factor);
    assert!(rates.len() < 60 && sweep.steepest().is_some_and(|rate| rate < 10.0), "{sweep:?}");
    let rate = |trainer: &Trainer| trainer.training().rate();
    assert_eq!(rate(&dry), rate(&wet));
    let error = dry.sweep_rates(0.0, 1.0, 10).unwrap_err().to_string();
    assert!(error.starts_with("sweep of rates: the range is 0 to 1"), "{error}");
    let (a, b) = (dry.fit(2).unwrap(), wet.fit(2).unwrap());
    assert_eq!(bits(a.last().parameters()), bits(b.last().parameters()));
}

#[test]
fn the_best_weights_are_loaded_by_another_model() {
    let (_folder, path) = file("best.safetensors");
    let run = trainer(training).save_best("accuracy", &path).fit(4).unwrap();
    let train = data(47, 0);
    let task = task(&train);
    let loaded = task.model().load(&path).unwrap();
    assert_eq!(bits(&loaded), bits(run.best().parameters()));
    let best = run.history().iter().filter_map(|record| record.get("accuracy"));
    let best = best.fold(0.0, f64::max);
    let found = task.evaluate(&loaded, &data(23, 5), &[metric::accuracy()]).unwrap();
    assert_eq!(found.get("accuracy"), Some(best));
    // Without validation the training loss can be what is best.
    let loader = Loader::new(&train, 10).unwrap();
    let mut plain = Trainer::new(&task, training(&task), loader).without_signals();
    let run = plain.fit(1).unwrap();
    assert!(run.history()[0].scores.is_empty());
    let mut kept = plain.keep_best("training loss");
    assert!(kept.fit(3).unwrap().best().epoch() > 1);
}
