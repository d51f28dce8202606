//! A training that is killed at any moment goes on from its last saved epoch and ends with the
//! same bits.
//!
//! Alone: `cargo build --example train && cargo test --test suite killed -- --nocapture`, since a test that
//! is asked for by name does not bring an older example up to date.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use crate::examples::example;
use burlap::autodiff::philox4x32;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn command(optimizer: &str, file: &Path) -> Command {
    let mut command = Command::new(example("train"));
    command
        .args(["--optimizer", optimizer, "--epochs", "12", "--probes", "2", "--threads", "1"])
        .arg("--save")
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if file.exists() {
        command.arg("--resume").arg(file);
    }
    command
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_bits() {
    after(9);
}

#[test]
#[ignore = "the same with 50 kills, some ten seconds on a quiet machine"]
fn a_run_that_is_killed_fifty_times() {
    after(50);
}

/// So many kills (SIGKILL on Unix) at random times, over three optimizers with state of their own.
fn after(kills: u32) {
    let folder = tempfile::tempdir().unwrap();
    let optimizers = ["frob-sam", "msam", "looksam"];
    let (mut killed, mut resumed, mut ended) = (0, 0, 0);
    for (number, optimizer) in optimizers.into_iter().enumerate() {
        let whole = folder.path().join(format!("{optimizer}.whole"));
        let begin = Instant::now();
        let run = command(optimizer, &whole).status().unwrap();
        assert!(run.success(), "cargo build --example train?");
        let time = begin.elapsed();
        let expected = std::fs::read(&whole).unwrap();
        let file = folder.path().join(optimizer);
        while killed < kills * (number as u32 + 1) / 3 {
            let part = philox4x32([1, 2], [killed, 0, 0, 0])[0] as f64 / u32::MAX as f64;
            resumed += u32::from(file.exists());
            let mut run = command(optimizer, &file).spawn().unwrap();
            // Up to nine tenths of a whole run, so that most are killed at work.
            std::thread::sleep(Duration::from_secs_f64(0.9 * part * time.as_secs_f64()));
            if run.try_wait().unwrap().is_none() {
                run.kill().unwrap();
                killed += 1;
            }
            run.wait().unwrap();
            // A run that has ended, or was killed after its last epoch, has saved the end.
            if std::fs::read(&file).is_ok_and(|found| found == expected) {
                std::fs::remove_file(&file).unwrap();
                ended += 1;
            }
        }
        assert!(command(optimizer, &file).status().unwrap().success());
        assert!(std::fs::read(&file).unwrap() == expected, "{optimizer}: other bits");
    }
    // What a killed run had half written is removed by the next.
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2 * optimizers.len(), "{names:?}");
    println!("{killed} kills; {resumed} runs went on from a file; {ended} more reached the end");
    // Otherwise nothing was shown.
    assert!(resumed > kills / 4, "only {resumed} runs went on");
}
