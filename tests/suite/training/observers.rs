//! What each observer writes, also where a run goes on.

use crate::training::common::{file, trainer, training};
use burlap::train::{
    Csv, Every, JsonLines, Log, Measurement, Observer, Progress, Result, StepRecord, TensorBoard,
    TopEigenvalue, Trainer, View,
};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Measures something with a name that CSV must quote, every second step.
struct Half;

impl Observer for Half {
    fn measures(&self) -> Vec<String> {
        vec!["half, of the step".into()]
    }

    fn measure(&mut self, view: &View<'_>) -> Result<Vec<Measurement>> {
        let measured = (self.measures().swap_remove(0), view.step() as f64 / 2.0);
        Ok(vec![measured].into_iter().filter(|_| view.step().is_multiple_of(2)).collect())
    }
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn csv_has_a_row_for_each_epoch_or_step() {
    let (folder, path) = file("epochs.csv");
    let steps = folder.path().join("steps.csv");
    // Logs come before the measure, and have it all the same.
    let run = trainer(training)
        .observe(Csv::to(&path))
        .observe(Csv::of_steps(&steps))
        .observe(Half)
        .fit(3)
        .unwrap();
    let epochs = rows(&path);
    let header = "epoch,step,loss,rate,seconds,valid loss,valid accuracy,half, of the step";
    assert_eq!(epochs[0].join(","), header);
    assert_eq!(epochs.len(), 4);
    for (row, record) in epochs[1..].iter().zip(run.history()) {
        assert_eq!(row[0], record.epoch.to_string());
        assert_eq!(row[1], record.step.to_string());
        assert_eq!(row[6].parse::<f64>().unwrap(), record.get("accuracy").unwrap());
    }
    // The last measure of the first epoch is that of step 4.
    assert_eq!(epochs[1][7], "2");
    let steps = rows(&steps);
    assert_eq!(steps.len(), 16);
    assert_eq!(steps[0].len(), 9);
    assert_eq!((steps[1][0].as_str(), steps[1][8].as_str()), ("1", ""));
    assert_eq!((steps[2][0].as_str(), steps[2][8].as_str()), ("2", "1"));
    assert_eq!(steps[1][6], "2", "SAM takes two gradients");
    assert!(steps[1..].iter().all(|row| row[4].parse::<f64>().unwrap() > 0.0));
}

/// A run with logs that stops after some epochs.
fn logged(folder: &Path, epochs: u64) {
    trainer(training)
        .observe(Csv::to(folder.join("epochs.csv")))
        .observe(Csv::of_steps(folder.join("steps.csv")))
        .observe(JsonLines::to(folder.join("run.jsonl")))
        .observe(Half)
        .checkpoint(folder.join("run.safetensors"), Every::epochs(2))
        .fit(epochs)
        .unwrap();
}

#[test]
fn logs_go_on_with_a_run() {
    let (whole, _) = file("");
    logged(whole.path(), 5);
    let (parts, _) = file("");
    let path = |name: &str| parts.path().join(name);
    logged(parts.path(), 2);
    let saved = fs::read(path("run.safetensors")).unwrap();
    logged(parts.path(), 3);
    // The process was killed before it saved what came after epoch 2, but it has logged it.
    fs::write(path("run.safetensors"), saved).unwrap();
    logged(parts.path(), 5);
    // Times differ.
    let timeless = |file: &Path, column: usize| -> Vec<Vec<String>> {
        let mut rows = rows(file);
        rows.iter_mut().for_each(|row| drop(row.remove(column)));
        rows
    };
    for (name, column) in [("epochs.csv", 4), ("steps.csv", 7)] {
        let expected = timeless(&whole.path().join(name), column);
        assert_eq!(timeless(&path(name), column), expected, "{name}");
    }
    let lines = |folder: &Path| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(folder.join("run.jsonl")).unwrap();
        let mut values: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        values.retain(|value| value["event"] == "step" || value["event"] == "epoch");
        values.iter_mut().for_each(|value| value["seconds"] = serde_json::Value::Null);
        values
    };
    assert_eq!(lines(parts.path()), lines(whole.path()));

    // A file with other columns is not continued, nor lost.
    fs::write(path("epochs.csv"), "mine\n1\n").unwrap();
    let error = trainer(training)
        .observe(Csv::to(path("epochs.csv")))
        .checkpoint(path("run.safetensors"), Every::epochs(2))
        .fit(6)
        .unwrap_err()
        .to_string();
    assert!(error.contains("epochs.csv: it has other columns than this run"), "{error}");
    assert_eq!(fs::read_to_string(path("epochs.csv")).unwrap(), "mine\n1\n");
}

#[test]
fn json_lines_tell_all_events() {
    let (folder, path) = file("run.jsonl");
    let checkpoint = folder.path().join("run.safetensors");
    let trainer = trainer(training).observe(JsonLines::to(&path)).observe(Half);
    trainer.checkpoint(&checkpoint, Every::epochs(2)).fit(2).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let values: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = values.iter().map(|v| v["event"].as_str().unwrap()).collect();
    let steps = ["step"; 5];
    let expected = [&steps[..], &["epoch"], &steps, &["epoch", "checkpoint", "end"]];
    assert_eq!(events, expected.concat());
    assert_eq!(values[3]["measured"]["half, of the step"], 2.0);
    assert!(values[5]["scores"]["accuracy"].as_f64().unwrap() > 0.0);
    assert_eq!(values.last().unwrap()["reason"], "all epochs done");
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_has_a_line_for_each_epoch_and_a_bar_needs_a_terminal() {
    let out = Shared::default();
    trainer(training).observe(Log::to(out.clone())).observe(Progress::bar()).fit(2).unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("epoch=2 step=10 loss="), "{text}");
    assert!(lines[1].contains(" valid_accuracy=0."), "{text}");
    assert_eq!(lines[2], "end step=10 reason=\"all epochs done\"");
}

/// The records of an event file, checksums checked.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let masked = |data: &[u8]| {
        let crc = crc32c::crc32c(data);
        crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        assert_eq!(after[..4], masked(length));
        let n = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let data = &after[4..4 + n];
        assert_eq!(after[4 + n..8 + n], masked(data));
        records.push(data.to_vec());
        rest = &after[8 + n..];
    }
    records
}

#[test]
fn tensorboard_files_hold_checked_events() {
    let (folder, _) = file("");
    let logs = folder.path().join("logs");
    let checkpoint = folder.path().join("run.safetensors");
    let fit = |epochs: u64| {
        let trainer = trainer(training).observe(TensorBoard::to(&logs)).observe(Half);
        trainer.checkpoint(&checkpoint, Every::epochs(1)).fit(epochs).unwrap();
    };
    fit(1);
    let mut files: Vec<_> = fs::read_dir(&logs).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("events.out.tfevents."), "{name}");
    let all = records(&files[0]);
    // The version, five steps, an epoch.
    assert_eq!(all.len(), 7);
    let contains = |record: &[u8], text: &str| {
        record.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(contains(&all[0], "brain.Event:2"));
    assert!(contains(&all[1], "train/loss") && !contains(&all[1], "measured/"));
    assert!(contains(&all[2], "measured/half, of the step"));
    assert!(contains(&all[6], "valid/accuracy"));
    // Wall time in field 1, the step in field 2.
    assert_eq!((all[3][0], all[3][9], all[3][10]), (0x09, 0x10, 3));
    fit(2);
    files = fs::read_dir(&logs).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
}

#[test]
fn the_top_eigenvalue_is_that_of_the_hessian() {
    use burlap::optim::curvature::{HessianOperator, Lanczos, LinearOperator};
    /// Holds the eigenvalue within this part of itself.
    struct Check(f64);
    impl Observer for Check {
        fn on_step(&mut self, record: &StepRecord, view: &View<'_>) -> Result<()> {
            let measured: Vec<f64> = record.measured.iter().map(|(_, value)| *value).collect();
            if !record.step.is_multiple_of(5) {
                assert!(measured.is_empty());
                return Ok(());
            }
            let objective = view.task().evaluation_objective(view.training())?;
            let batch = view.loader().data().batch();
            let x = view.training().parameters();
            let mut hessian = HessianOperator::new(&objective, x, &[&batch])?;
            let n = hessian.dim();
            let mut columns = vec![vec![0.0; n]; n];
            for i in 0..n {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                hessian.apply(&unit, &mut columns[i])?;
            }
            // The Rayleigh quotient of power iterations of H + cI with c ≥ ‖H‖.
            let c: f64 = columns.iter().flatten().map(|h| h * h).sum::<f64>().sqrt();
            let mut v: Vec<f64> = (0..n).map(|i| 1.0 + (i as f64).sin()).collect();
            let times = |v: &[f64]| -> Vec<f64> {
                columns.iter().map(|h| h.iter().zip(v).map(|(a, b)| a * b).sum()).collect()
            };
            for _ in 0..3000 {
                let hv = times(&v);
                v.iter_mut().zip(hv).for_each(|(v, hv)| *v = hv + c * *v);
                let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
                v.iter_mut().for_each(|v| *v /= norm);
            }
            let value: f64 = times(&v).iter().zip(&v).map(|(a, b)| a * b).sum();
            assert!((measured[0] - value).abs() < self.0 * value.abs(), "{measured:?} {value}");
            assert_eq!(measured[1], record.rate * measured[0]);
            Ok(())
        }
    }
    // Lanczos stops at 10⁻³ of the largest eigenvalue.
    let coarse: Trainer = trainer(training);
    coarse.observe(TopEigenvalue::every(5)).observe(Check(1e-3)).fit(3).unwrap();
    // Or where it is told; power iterations have come as near by then.
    let lanczos = Lanczos { max_matvecs: 200, tolerance: 1e-8 };
    let fine = TopEigenvalue::every(5).with_lanczos(lanczos);
    trainer(training).observe(fine).observe(Check(1e-6)).fit(3).unwrap();
}
