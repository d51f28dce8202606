//! Readers: whatever the bytes of a file or the words of a command line, the outcome is a value
//! that is as documented, or an error that says something.

use burlap::cli::results::Results;
use burlap::cli::{FilesArgs, Normalize, TrainingArgs, model};
use burlap::nn::data::{Dataset, csv_dataset, digits, from_idx_dir, idx};
use burlap::nn::{Checkpoint, Model};
use burlap::optim::{Estimator, SettingValue, method};
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The readers of files and of options, chosen by the first byte: IDX, a folder of IDX files,
/// CSV, checkpoints, tables of results, command lines.
///
/// What is read has the shape it claims and finite numbers; what is read from a checkpoint can be
/// saved and read again, to the same bytes; a table of results can be opened and reads the same
/// afterwards. An error has a text, and names the file that it is of.
pub fn readers(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let dir = folder();
    match which % 6 {
        0 => idx_file(dir, data),
        1 => idx_folder(dir, data),
        2 => csv_file(dir, data),
        3 => checkpoint(dir, data),
        4 => results(dir, data),
        _ => options(&String::from_utf8_lossy(data)),
    }
}

/// A folder of this process.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder for files")).path()
}

fn written(dir: &Path, name: &str, data: &[u8]) -> PathBuf {
    // Replayed by several threads at once.
    let path = dir.join(format!("{:?}-{name}", std::thread::current().id()));
    fs::write(&path, data).expect("the file can be written");
    path
}

/// An error that speaks of a path.
fn says(error: impl std::fmt::Display, path: &Path) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "does not name {path:?}: {text}");
}

fn idx_file(dir: &Path, data: &[u8]) {
    let path = written(dir, "idx", data);
    match idx::read_idx(&path) {
        Ok(array) => {
            assert_eq!(array.shape.iter().product::<usize>(), array.data.len());
            let rank = array.shape.len();
            assert_eq!(idx::read_idx_of_rank(&path, rank).expect("of its own rank"), array);
            assert!(idx::read_idx_of_rank(&path, rank + 1).is_err());
        }
        Err(error) => says(error, &path),
    }
}

/// What every data set holds.
fn sound(data: &Dataset) {
    assert_eq!(data.features().len(), data.len() * data.dim());
    assert_eq!(data.labels().len(), data.len());
    assert_eq!(data.example_shape().iter().product::<usize>(), data.dim());
    assert!(data.features().iter().all(|x| x.is_finite()));
    assert!(data.labels().iter().all(|&label| (label as usize) < data.classes()));
}

fn idx_folder(dir: &Path, data: &[u8]) {
    let dir = dir.join(format!("{:?}-mnist", std::thread::current().id()));
    fs::create_dir_all(&dir).expect("the folder can be made");
    let names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];
    // Each part as long as its first byte says.
    let mut rest = data;
    for name in names {
        let (length, after) =
            rest.split_first().map_or((0, rest), |(&n, after)| (n as usize, after));
        let (part, after) = after.split_at(length.min(after.len()));
        fs::write(dir.join(format!("{name}-ubyte")), part).expect("the file can be written");
        rest = after;
    }
    match from_idx_dir(&dir) {
        Ok((train, test)) => [train, test].iter().for_each(sound),
        Err(error) => says(error, &dir),
    }
}

fn csv_file(dir: &Path, data: &[u8]) {
    let path = written(dir, "points.csv", data);
    match csv_dataset(&path) {
        Ok(data) => sound(&data),
        Err(error) => says(error, &path),
    }
}

fn checkpoint(dir: &Path, data: &[u8]) {
    let (path, again) = (written(dir, "checkpoint", data), written(dir, "again", b""));
    let own = Checkpoint::load(&path);
    let foreign = Checkpoint::load_foreign(&path);
    if let (Err(error), Err(_)) = (&own, &foreign) {
        says(error, &path);
    }
    match own.or(foreign) {
        Ok(checkpoint) => {
            for (_, array) in &checkpoint.arrays {
                assert_eq!(array.shape().count(), array.len());
            }
            // Names that another writer may use and this one reserves.
            let Ok(()) = checkpoint.save(&again) else { return };
            let first = fs::read(&again).expect("what was saved");
            let loaded = Checkpoint::load(&again).expect("what was saved can be loaded");
            loaded.save(&again).expect("what was loaded can be saved");
            assert_eq!(fs::read(&again).expect("what was saved"), first);
        }
        Err(error) => says(error, &path),
    }
}

/// A line of a table.
#[derive(serde::Serialize, serde::Deserialize, Clone, Debug, PartialEq)]
struct Row {
    name: String,
    seed: u64,
    value: Option<f64>,
}

fn results(dir: &Path, data: &[u8]) {
    let path = written(dir, "results.csv", data);
    let rows = match Results::<Row>::read(&path) {
        Ok(rows) => rows,
        Err(error) => {
            says(format!("{error:#}"), &path);
            return;
        }
    };
    let settings = vec![("lr", "0.1".to_owned()), ("model", "mlp".to_owned())];
    let text = |rows: &[Row]| format!("{rows:?}");
    match Results::open(&path, &settings) {
        Ok(mut results) => {
            assert_eq!(text(results.rows()), text(&rows), "opened rows are other rows");
            let row = Row { name: "a, \"b\"\n".into(), seed: u64::MAX, value: None };
            if let Err(error) = results.push(row) {
                // A table of other columns stays what it was.
                says(format!("{error:#}"), &path);
                assert_eq!(
                    text(&Results::<Row>::read(&path).expect("was read before")),
                    text(&rows)
                );
                return;
            }
            let now = text(results.rows());
            drop(results);
            let again =
                Results::<Row>::open(&path, &settings).expect("what was written can be opened");
            assert_eq!(text(again.rows()), now, "read rows are other rows than written ones");
        }
        Err(error) => says(format!("{error:#}"), &path),
    }
}

/// The flags that the examples share.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    files: FilesArgs,
    #[arg(long, value_delimiter = ',')]
    optimizer: Vec<String>,
}

fn options(text: &str) {
    static DIGITS: OnceLock<Dataset> = OnceLock::new();
    let digits = DIGITS.get_or_init(|| digits().expect("the embedded digits"));
    if let Ok(Normalize { mean, std }) = text.parse() {
        assert!(mean.is_finite() && std.is_finite() && std > 0.0);
        let again: Normalize = Normalize { mean, std }.to_string().parse().expect("what it shows");
        assert_eq!(again, Normalize { mean, std });
    }
    let _ = Estimator::from_name(text);
    let Ok(flags) = Flags::try_parse_from(text.lines()) else { return };
    let _ = flags.files.check(&flags.optimizer);
    let Ok(model): Result<Model, _> = model(&flags.training.model, digits) else { return };
    let layout = model.layout();
    let Ok(settings) = flags.training.method.settings(flags.training.seed, layout) else { return };
    if let Some(SettingValue::Ranges(ranges)) = settings.get("ranges") {
        for range in ranges {
            assert!(range.end <= layout.total(), "{range:?} is beyond {}", layout.total());
        }
    }
    for name in &flags.optimizer {
        let Ok(named) = method(name, &settings) else { continue };
        let again = method(name, &named.settings).expect("settings in force are settings");
        assert_eq!(format!("{:?}", again.settings), format!("{:?}", named.settings));
    }
}
