//! A run that was stopped at any moment goes on to the bit, and not where it is another run.

use crate::training::common::{bits, data, file, task, trainer, training};
use burlap::prelude::*;
use burlap::train::{
    Average, EpochRecord, Every, Loader, Observer, Patience, Result, Run, StepRecord, Task,
    TopEigenvalue, Trainer, View, metric,
};
use std::path::Path;

/// Ends a run after a step.
struct StopAt(u64);

impl Observer for StopAt {
    fn on_step(&mut self, record: &StepRecord, view: &View<'_>) -> Result<()> {
        if record.step == self.0 {
            view.stop();
        }
        Ok(())
    }
}

const EPOCHS: u64 = 4;

/// A run with everything that has a state, which ends after a step.
fn run(average: Average, path: &Path, stop: u64) -> (Run, Trainer) {
    let mut trainer = trainer(training)
        .observe(TopEigenvalue::every(3).of_examples(20))
        .observe(StopAt(stop))
        .average(average)
        .keep_best("accuracy")
        .stop_early("loss", Patience::epochs(50))
        .checkpoint(path, Every::steps(4));
    (trainer.fit(EPOCHS).unwrap(), trainer)
}

/// Records without times, which differ.
fn history(run: &Run) -> Vec<EpochRecord> {
    let timeless = |record: &EpochRecord| {
        let mut record = record.clone();
        record.seconds = 0.0;
        record
    };
    run.history().iter().map(timeless).collect()
}

#[test]
fn after_any_step() {
    for average in [Average::ema(0.9), Average::swa(2)] {
        let (_folder, path) = file("whole.safetensors");
        let (whole, whole_trainer) = run(average, &path, u64::MAX);
        for stop in 1..=5 * EPOCHS {
            let (_folder, path) = file("run.safetensors");
            let (first, _) = run(average, &path, stop);
            assert_eq!(first.last().step(), stop);
            let (second, trainer) = run(average, &path, u64::MAX);
            assert_eq!(second.last().step(), 5 * EPOCHS);
            assert_eq!(trainer.training().state(), whole_trainer.training().state(), "{stop}");
            assert_eq!(bits(second.last().parameters()), bits(whole.last().parameters()));
            assert_eq!(bits(second.best().parameters()), bits(whole.best().parameters()));
            assert_eq!(second.best().epoch(), whole.best().epoch());
            assert_eq!(history(&second), history(&whole), "{stop}");
        }
    }
}

#[test]
fn after_a_process_was_killed_between_two_checkpoints() {
    let (_folder, path) = file("run.safetensors");
    let (whole, _) = run(Average::ema(0.9), &path, u64::MAX);
    let (_folder, path) = file("run.safetensors");
    // What the file holds after the checkpoint of step 8, while the process goes on to 11.
    let copy = path.with_file_name("copy.safetensors");
    struct Copy(std::path::PathBuf);
    impl Observer for Copy {
        fn on_checkpoint(&mut self, path: &Path, view: &View<'_>) -> Result<()> {
            if view.step() == 8 {
                std::fs::copy(path, &self.0).unwrap();
            }
            Ok(())
        }
    }
    let made = || {
        trainer(training)
            .observe(TopEigenvalue::every(3).of_examples(20))
            .observe(Copy(copy.clone()))
            .average(Average::ema(0.9))
            .keep_best("accuracy")
            .stop_early("loss", Patience::epochs(50))
    };
    made().checkpoint(&path, Every::steps(4)).fit(3).unwrap();
    let run = made().checkpoint(&copy, Every::steps(4)).fit(EPOCHS).unwrap();
    assert_eq!(bits(run.last().parameters()), bits(whole.last().parameters()));
    assert_eq!(history(&run), history(&whole));
}

#[test]
fn for_more_epochs_and_in_other_chunks_of_memory() {
    let (_folder, path) = file("run.safetensors");
    trainer(training).checkpoint(&path, Every::epochs(1)).fit(2).unwrap();
    let run = trainer(training).checkpoint(&path, Every::epochs(1)).fit(3).unwrap();
    let whole = trainer(training).fit(3).unwrap();
    assert_eq!(bits(run.last().parameters()), bits(whole.last().parameters()));
    // Another size of micro-batches is no other run.
    let train = data(47, 0);
    let micro = task(&train).with_micro_batch_size(4);
    let loader = Loader::new(&train, 10).unwrap().shuffled(4);
    let trainer = Trainer::new(&micro, training(&micro), loader).without_signals();
    let run = trainer.checkpoint(&path, Every::epochs(1)).fit(4).unwrap();
    assert_eq!((run.history().len(), run.last().step()), (4, 20));
}

#[test]
fn not_where_it_is_another_run() {
    let (_folder, path) = file("run.safetensors");
    let fit = |trainer: Trainer| trainer.checkpoint(&path, Every::epochs(1)).fit(1);
    fit(trainer(training)).unwrap();
    let before = std::fs::read(&path).unwrap();

    let with = |make: fn(&Task) -> Training| fit(trainer(make)).unwrap_err().to_string();
    let rate = |task: &Task| {
        let (sam, rule) = (Sam::new(0.02).unwrap(), AdamW::new().no_decay("*.bias"));
        Training::new(task.objective().unwrap(), sam, rule, 1e-2, task.init(3)).unwrap()
    };
    let radius = |task: &Task| {
        let (sam, rule) = (Sam::new(0.05).unwrap(), AdamW::new().no_decay("*.bias"));
        Training::new(task.objective().unwrap(), sam, rule, 2e-2, task.init(3)).unwrap()
    };
    let decay = |task: &Task| {
        let (sam, rule) = (Sam::new(0.02).unwrap(), AdamW::new());
        Training::new(task.objective().unwrap(), sam, rule, 2e-2, task.init(3)).unwrap()
    };
    let plain = |task: &Task| {
        let rule = AdamW::new().no_decay("*.bias");
        Training::new(task.objective().unwrap(), Plain, rule, 2e-2, task.init(3)).unwrap()
    };
    let other = |batch: usize, seed: u64, train: burlap::train::Data| {
        let task = task(&train);
        let loader = Loader::new(&train, batch).unwrap().shuffled(seed);
        let trainer = Trainer::new(&task, training(&task), loader).without_signals();
        fit(trainer.validate(&data(23, 5), [metric::loss()])).unwrap_err().to_string()
    };
    for (error, what) in [
        (with(rate), "the schedule was 0.02 Constant and is 0.01 Constant"),
        (with(radius), "the gradient estimator was sam: Ascent"),
        (with(decay), "the update rule was Grouped"),
        (with(plain), "and is plain; remove the file"),
        (other(9, 4, data(47, 0)), "the loader was 47 examples in batches of 10, shuffled by 4"),
        (other(10, 5, data(47, 0)), "the loader was"),
        (other(10, 4, data(47, 1)), "the training data's hash was"),
        (
            fit(trainer(training).average(Average::ema(0.5))).unwrap_err().to_string(),
            "the average was None and is Some",
        ),
    ] {
        assert!(error.contains(what) && error.contains("run.safetensors: is a"), "{error}");
    }
    // The file is as it was.
    assert_eq!(std::fs::read(&path).unwrap(), before);

    // A damaged file, and one that is none of a training.
    let mut bytes = before.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(fit(trainer(training)).unwrap_err().to_string().contains("damaged"));
    let task = task(&data(47, 0));
    task.model().save(&task.init(1), &path).unwrap();
    let error = fit(trainer(training)).unwrap_err().to_string();
    assert!(error.contains("is no checkpoint of a training"), "{error}");
}
