//! Files of results grow by whole lines and survive a kill at any byte.

use burlap::cli::results::{Results, Settings};
use burlap::report::Table;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    method: String,
    seed: u64,
    accuracy: f64,
    loss: Option<f64>,
}

fn row(method: &str, seed: u64, accuracy: f64, loss: Option<f64>) -> Row {
    Row { method: method.into(), seed, accuracy, loss }
}

/// A name that needs quotes, a number that is not a short decimal, a gap.
fn rows() -> Vec<Row> {
    vec![
        row("sgd", 1, 0.5, Some(1.0 / 3.0)),
        row("sam, \"adaptive\"", u64::MAX, 1e-300, None),
        row("frob", 3, -0.1, Some(2.0)),
    ]
}

fn settings() -> Settings {
    vec![("data", "digits".into()), ("epochs", "10".into())]
}

fn filled(path: &Path) -> String {
    let mut results = Results::open(path, &settings()).unwrap();
    rows().into_iter().for_each(|row| results.push(row).unwrap());
    fs::read_to_string(path).unwrap()
}

fn sentence(path: &Path, settings: &Settings) -> String {
    let error = Results::<Row>::open(path, settings).unwrap_err();
    let text = format!("{error:#}");
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn what_was_pushed_is_there_when_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a folder that is made/results.csv");
    filled(&path);
    let again = Results::<Row>::open(&path, &settings()).unwrap();
    assert_eq!(again.rows(), rows());
    assert!(again.has(|r| r.seed == 3) && !again.has(|r| r.seed == 4));
    assert_eq!(Results::<Row>::read(&path).unwrap(), rows());
}

#[test]
fn a_file_cut_off_at_any_byte_is_gone_on_from_and_ends_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    let whole = filled(&path);
    for cut in 0..=whole.len() {
        fs::write(&path, &whole.as_bytes()[..cut]).unwrap();
        let mut results = Results::open(&path, &settings()).unwrap();
        // Settings and names are lines of their own.
        let lines = whole[..cut].matches('\n').count();
        let kept = lines.saturating_sub(2);
        assert_eq!(results.rows(), &rows()[..kept], "cut at {cut}");
        rows().into_iter().skip(kept).for_each(|row| results.push(row).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "cut at {cut}");
    }
}

#[test]
fn results_of_other_settings_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    let whole = filled(&path);
    let mut other = settings();
    other[1].1 = "12".into();
    let text = sentence(&path, &other);
    assert!(text.ends_with("results.csv: written with epochs 10, not 12"), "{text}");
    let mut more = settings();
    more.push(("batch", "64".into()));
    let text = sentence(&path, &more);
    assert!(text.ends_with("written without the setting batch"), "{text}");
    let fewer = vec![("data", "digits".into())];
    let text = sentence(&path, &fewer);
    assert!(text.ends_with("written with settings that are unknown here"), "{text}");
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn a_file_without_records_belongs_to_no_settings_yet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    let mut other = settings();
    other[1].1 = "12".into();
    // Opened and left, as by a command whose data are not there: nothing is written.
    drop(Results::<Row>::open(&path, &other).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    let whole = filled(&path);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    // Heading and names of other settings, as earlier releases wrote them at once.
    for kept in [lines[..1].concat(), lines[..2].concat()] {
        fs::write(&path, kept.replace("epochs=10", "epochs=12")).unwrap();
        assert_eq!(filled(&path), whole);
    }
    // What has no settings of these names is not ours.
    fs::write(&path, "# my notes\n").unwrap();
    sentence(&path, &settings());
    assert_eq!(fs::read_to_string(&path).unwrap(), "# my notes\n");
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    for text in ["precious", "precious\n", "a,b\n1,2\n"] {
        fs::write(&path, text).unwrap();
        let said = sentence(&path, &settings());
        assert!(said.ends_with("notes.txt: not a file of results"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn records_do_not_go_below_other_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    // No records, and the same columns in another order: the first would be unreadable, the
    // second read as something else.
    for (columns, line) in [("name,value\n", ""), ("seed,method,accuracy,loss\n", "1,sgd,0.5,\n")] {
        let text = format!("# data=digits; epochs=10\n{columns}{line}");
        fs::write(&path, &text).unwrap();
        let mut results = Results::open(&path, &settings()).unwrap();
        let error = results.push(row("sam", 2, 0.5, None)).unwrap_err().to_string();
        assert!(
            error.contains("its columns are ") && error.contains("not method, seed"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_line_that_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    let whole = filled(&path);
    fs::write(&path, whole.replace("frob,3,", "frob,three,")).unwrap();
    let text = sentence(&path, &settings());
    assert!(text.contains("results.csv, line 5"), "{text}");
}

#[test]
fn what_cannot_be_written_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = sentence(dir.path(), &settings());
    assert!(text.ends_with("is a folder, but a regular file is needed"), "{text}");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let text = sentence(&file.join("results.csv"), &settings());
    assert!(text.contains("file"), "{text}");
}

#[test]
fn two_writers_at_once_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    let first = Results::<Row>::open(&path, &settings()).unwrap();
    let text = sentence(&path, &settings());
    assert!(text.ends_with("another process is writing it"), "{text}");
    drop(first);
    Results::<Row>::open(&path, &settings()).unwrap();
}

#[test]
fn a_table_is_markdown() {
    let mut table = Table::new(["method", "a|b"]);
    table.row(["sgd", "1"]);
    let wanted = "| method | a\\|b |\n| --- | ---: |\n| sgd | 1 |\n";
    assert_eq!(table.markdown(), wanted);
}
