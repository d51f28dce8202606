//! A study of small runs, end to end.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::grid::STUDY_METHODS;
use crate::options::StudyArgs;
use crate::run::RunRow;
use crate::select::SelectRow;
use crate::study::Study;
use burlap::cli::DataArgs;
use burlap::cli::results::Results;
use burlap::nn::data::{Dataset, digits_split};
use clap::Parser;
use std::fs;
use std::path::Path;

/// As on a command line.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    study: StudyArgs,
}

/// Two methods, one with a penalty whose directions are random, on part of the digits; `more` may
/// set lists that are not set here, and other values.
fn args(out: &Path, more: &[&str]) -> StudyArgs {
    let fixed = "study --data digits --model mlp:8 --epochs 2 --batch 64 --fraction 0.5 --seeds 1,2 \
                 --probes 4 --out";
    let words = fixed.split_whitespace().chain([out.to_str().unwrap()]).chain(more.iter().copied());
    // Later flags take the place of earlier ones.
    let line = <Line as clap::CommandFactory>::command().args_override_self(true);
    let found = line.try_get_matches_from(words).unwrap();
    let mut args = <Line as clap::FromArgMatches>::from_arg_matches(&found).unwrap().study;
    if args.methods.is_empty() {
        args.methods = vec!["sgd".into(), "frob-sam-exact".into()];
    }
    args
}

fn study(out: &Path, more: &[&str]) -> Study {
    Study::new(&args(out, more)).unwrap()
}

fn sentence(result: anyhow::Result<()>) -> String {
    let text = format!("{:#}", result.unwrap_err());
    assert!(!text.contains('\n'), "{text}");
    text
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

const FILES: [&str; 2] = ["study-select.csv", "study-run.csv"];

#[test]
fn a_study_that_was_stopped_anywhere_ends_with_the_same_files() {
    let whole = tempfile::tempdir().unwrap();
    let full = study(whole.path(), &[]);
    full.select().unwrap();
    full.run().unwrap();
    let [select, run] = FILES.map(|file| read(whole.path(), file));
    // Two noises; two methods of six candidates and one seed, or two seeds.
    assert_eq!((select.lines().count(), run.lines().count()), (2 + 24, 2 + 8));
    // In the middle of a line, and between lines of the second file.
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let line = |text: &str| text.lines().take(6).map(|l| format!("{l}\n")).collect::<String>();
    for (select_part, run_part) in [(half(&select), None), (select.clone(), Some(line(&run)))] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILES[0]), select_part).unwrap();
        if let Some(part) = run_part {
            fs::write(dir.path().join(FILES[1]), part).unwrap();
        }
        let resumed = study(dir.path(), &[]);
        resumed.select().unwrap();
        resumed.run().unwrap();
        assert_eq!(FILES.map(|file| read(dir.path(), file)), [select.clone(), run.clone()]);
        // Nothing is left to do.
        resumed.select().unwrap();
        resumed.run().unwrap();
        assert_eq!(FILES.map(|file| read(dir.path(), file)), [select.clone(), run.clone()]);
    }
    full.time(1, 1).unwrap();
    let table = full.table().unwrap();
    assert_eq!(table, read(whole.path(), "study.md"));
    for part in ["### 0 % of", "### 20 % of", "| frob-sam-exact |", "### Cost"] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

/// Bytes and label.
type Image = (Vec<u8>, u8);

/// The digits as four IDX files, with a test set that `change` makes.
fn idx(dir: &Path, change: impl Fn(&[f32], u32) -> Image) {
    let (train, test) = digits_split().unwrap();
    let write = |part: &str, set: &Dataset, change: &dyn Fn(&[f32], u32) -> Image| {
        let count = (set.len() as u32).to_be_bytes();
        let mut images = [&[0, 0, 8, 3], &count[..], &[0, 0, 0, 8, 0, 0, 0, 8]].concat();
        let mut labels = [&[0, 0, 8, 1], &count[..]].concat();
        for i in 0..set.len() {
            let (image, label) = change(set.row(i).unwrap(), set.labels()[i]);
            images.extend(image);
            labels.push(label);
        }
        fs::write(dir.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    };
    write("train", &train, &bytes);
    write("t10k", &test, &change);
}

fn bytes(row: &[f32], label: u32) -> Image {
    (row.iter().map(|x| (x * 255.0) as u8).collect(), label as u8)
}

#[test]
fn the_choice_does_not_depend_on_the_test_set_and_the_judgement_does() {
    let kept = tempfile::tempdir().unwrap();
    let changed = tempfile::tempdir().unwrap();
    idx(kept.path(), bytes);
    // Other labels on other images.
    idx(changed.path(), |row, label| {
        let image = row.iter().map(|x| ((1.0 - x) * 255.0) as u8).collect();
        (image, ((label + 3) % 10) as u8)
    });
    let files = [&kept, &changed].map(|dir| {
        let data = dir.path().to_str().unwrap();
        let study = study(dir.path(), &["--data", data, "--epochs", "6", "--label-noise", "0"]);
        study.select().unwrap();
        study.run().unwrap();
        // The first line names the folder.
        FILES.map(|f| read(dir.path(), f).split_once('\n').unwrap().1.to_owned())
    });
    assert_eq!(files[0][0], files[1][0]);
    assert_ne!(files[0][1], files[1][1]);
}

fn rows_of(set: &Dataset) -> Vec<(Vec<u32>, u32)> {
    let bits = |i| set.row(i).unwrap().iter().map(|x| x.to_bits()).collect();
    (0..set.len()).map(|i| (bits(i), set.labels()[i])).collect()
}

#[test]
fn the_validation_set_is_clean_and_apart_from_what_is_trained_on() {
    let data = |noise: f64| DataArgs {
        data: "digits".into(),
        data_dir: None,
        fraction: 1.0,
        label_noise: noise,
        normalize: None,
    };
    let clean = data(0.0).selection(0.25, 1).unwrap();
    let noisy = data(0.2).selection(0.25, 1).unwrap();
    assert_eq!(clean.validation, noisy.validation);
    let flipped =
        clean.training.labels().iter().zip(noisy.training.labels()).filter(|(a, b)| a != b);
    assert_eq!(flipped.count(), (0.2 * clean.training.len() as f64).round() as usize);
    // Both together are the training set, each example once.
    let mut both = [rows_of(&clean.training), rows_of(&clean.validation)].concat();
    let mut all = rows_of(&digits_split().unwrap().0);
    both.sort();
    all.sort();
    assert_eq!(both, all);
    // What is judged on the test set was trained on the same examples.
    let (train, test) = data(0.2).final_sets(0.25, 1).unwrap();
    assert_eq!(train, noisy.training);
    assert_eq!(test, digits_split().unwrap().1);
}

/// The file of a selection with accuracies by candidate and seed.
fn rewritten(dir: &Path, accuracy: impl Fn(&SelectRow) -> Option<f64>) {
    let path = dir.join(FILES[0]);
    let text = fs::read_to_string(&path).unwrap();
    let rows: Vec<SelectRow> = Results::read(&path).unwrap();
    let head = text.lines().take(2).map(str::to_owned);
    let lines = text.lines().skip(2).zip(&rows).map(|(line, row)| {
        let before = line.rsplit_once(',').unwrap().0;
        format!("{before},{}", accuracy(row).map_or(String::new(), |a| a.to_string()))
    });
    let lines: Vec<String> = head.chain(lines).collect();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn the_mean_over_selection_seeds_decides_and_divergence_rules_out() {
    let dir = tempfile::tempdir().unwrap();
    let more = ["--selection-seeds", "7,8", "--label-noise", "0", "--methods", "sgd"];
    let study = study(dir.path(), &more);
    study.select().unwrap();
    // The best at one seed, the best at both, its equal that comes later, and one that diverged.
    rewritten(dir.path(), |row| match (row.lr, row.seed) {
        (0.2, 7) => Some(0.99),
        (0.02 | 0.03, _) => Some(0.9),
        (0.12, 7) => Some(1.0),
        (0.12, _) => None,
        _ => Some(0.5),
    });
    study.run().unwrap();
    let rows: Vec<RunRow> = Results::read(&dir.path().join(FILES[1])).unwrap();
    assert_eq!(rows.iter().map(|r| (r.lr, r.seed)).collect::<Vec<_>>(), [(0.02, 1), (0.02, 2)]);
    // Runs of another choice are not taken for those of this one.
    rewritten(dir.path(), |row| Some(if row.lr == 0.2 { 0.9 } else { 0.5 }));
    let text = sentence(study.run());
    assert!(text.ends_with("was run with lr 0.02, but the selection now says lr 0.2"), "{text}");
    rewritten(dir.path(), |_| None);
    let text = sentence(study.run());
    assert_eq!(text, "sgd with noise 0: every candidate diverged");
}

#[test]
fn all_methods_choose_among_as_many_candidates() {
    for method in STUDY_METHODS {
        let candidates = method.candidates();
        assert_eq!(candidates.len(), STUDY_METHODS[0].candidates().len(), "{}", method.name);
        for (i, one) in candidates.iter().enumerate() {
            assert!(!candidates[..i].contains(one), "{}: {one:?} twice", method.name);
        }
        let first = method.at_edge(&candidates[0]);
        assert_eq!(first.len(), if candidates[0].strength().is_empty() { 1 } else { 2 });
        // The middle rate, or the middle strength.
        let inner = if candidates[0].strength().is_empty() { 2 } else { 1 };
        assert_eq!(method.at_edge(&candidates[inner]).len(), first.len() - 1);
    }
}

#[test]
fn mistakes_are_said_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let new = |more: &[&str]| sentence(Study::new(&args(dir.path(), more)).map(drop));
    assert!(new(&["--methods", "sdg"]).starts_with("--methods sdg: there are sgd, sam"));
    assert_eq!(new(&["--selection-seeds", "4,5,4"]), "--selection-seeds: 4 occurs twice");
    let mut none = args(dir.path(), &[]);
    none.seeds.clear();
    assert_eq!(sentence(Study::new(&none).map(drop)), "--seeds: at least one value is needed");
    let taken = tempfile::tempdir().unwrap();
    fs::create_dir(taken.path().join("study.md")).unwrap();
    let text = sentence(study(taken.path(), &[]).check_files());
    assert!(text.ends_with("study.md: is a folder, but a regular file is needed"), "{text}");
    let text = sentence(study(dir.path(), &[]).run());
    assert!(text.ends_with("run `study select` first"), "{text}");
    let text = sentence(study(dir.path(), &[]).table().map(drop));
    assert!(text.ends_with("run `study run` first"), "{text}");
    // One record each, which belongs to the settings above it.
    let settings = "# data=digits; validation=0.2; fraction=0.5; model=mlp:8; epochs=2; batch=64; momentum=0.9";
    let columns =
        "label_noise,method,lr,rho,lambda,seed,validation_accuracy\n0,sgd,0.1,,,101,0.5\n";
    fs::write(dir.path().join(FILES[0]), format!("{settings}\n{columns}")).unwrap();
    let columns = "label_noise,method,seed,lr,rho,lambda,test_accuracy,test_loss,train_loss,trace,\
                   trace_se,frobenius,frobenius_se,lambda_max\n0,sgd,1,0.1,,,,,,,,,,\n";
    fs::write(dir.path().join(FILES[1]), format!("{settings}; probes=4\n{columns}")).unwrap();
    let text = sentence(study(dir.path(), &["--epochs", "3"]).select());
    assert!(text.ends_with("study-select.csv: written with epochs 2, not 3"), "{text}");
    let text = sentence(study(dir.path(), &["--validation", "0.3"]).table().map(drop));
    assert!(text.ends_with("written with validation 0.2, not 0.3"), "{text}");
}
