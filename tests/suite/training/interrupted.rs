//! Ctrl-C: the step is completed, the run saved; a second one ends the process.

use crate::training::common::{bits, data, file, task, training};
use burlap::train::{Every, Loader, Observer, Reason, Result, StepRecord, Trainer, View};
use std::process::{Command, Stdio};

/// Raises a signal at a step, so many times.
struct Raise(u64, usize);

impl Observer for Raise {
    fn on_step(&mut self, record: &StepRecord, _: &View<'_>) -> Result<()> {
        if record.step == self.0 {
            for _ in 0..self.1 {
                signal_hook::low_level::raise(signal_hook::consts::SIGINT).unwrap();
            }
        }
        Ok(())
    }
}

fn trainer(raise: Raise) -> Trainer {
    let train = data(47, 0);
    let task = task(&train);
    let loader = Loader::new(&train, 10).unwrap().shuffled(4);
    Trainer::new(&task, training(&task), loader).observe(raise)
}

#[test]
fn a_signal_ends_the_step_and_saves() {
    let (_folder, path) = file("run.safetensors");
    let run = trainer(Raise(7, 1)).checkpoint(&path, Every::epochs(100)).fit(4).unwrap();
    assert_eq!(*run.reason(), Reason::Interrupted { saved: Some(path.clone()) });
    assert_eq!((run.last().step(), run.history().len()), (7, 1));
    let run = trainer(Raise(0, 0)).checkpoint(&path, Every::epochs(100)).fit(4).unwrap();
    assert_eq!(*run.reason(), Reason::Finished);
    let whole = trainer(Raise(0, 0)).without_signals().fit(4).unwrap();
    assert_eq!(bits(run.last().parameters()), bits(whole.last().parameters()));
    // Without a file there is nothing to go on from, and it is said.
    let run = trainer(Raise(7, 1)).fit(4).unwrap();
    assert_eq!(run.reason().to_string(), "interrupted; not saved");
}

/// Set for the process that a test runs.
const CHILD: &str = "BURLAP_TEST_ENDS_ITS_PROCESS";

/// Not a test of its own: what the process does that the last one runs.
#[test]
#[ignore = "ends its process, which another test runs"]
fn twice() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    trainer(Raise(7, 2)).fit(4).unwrap();
}

#[test]
#[ignore = "ends its process, which another test runs"]
fn after_the_run() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    trainer(Raise(0, 0)).fit(1).unwrap();
    signal_hook::low_level::raise(signal_hook::consts::SIGINT).unwrap();
}

#[test]
#[cfg(unix)]
fn a_second_signal_and_one_after_the_run_end_the_process() {
    use std::os::unix::process::ExitStatusExt;
    // Names of tests begin after that of the crate.
    let (_, module) = module_path!().split_once("::").unwrap();
    for name in ["twice", "after_the_run"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", &format!("{module}::{name}"), "--ignored"]).env(CHILD, "1");
        child.stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(child.status().unwrap().signal(), Some(2), "{name}");
    }
}
