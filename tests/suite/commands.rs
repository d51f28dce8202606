//! What commands do with files, options and pipes that they cannot use: an error in a sentence before
//! any work, and nothing lost.
//!
//! Alone: `cargo build --example train && cargo test --test suite commands`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use crate::examples::example;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One short run in a folder.
fn train(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(example("train"));
    let fixed = "--optimizer sgd --epochs 1 --probes 2";
    command.current_dir(folder).args(fixed.split(' ')).args(more);
    command
}

/// The sentence of a run that must not have begun.
fn refused(folder: &Path, more: &[&str]) -> String {
    let Output { status, stdout, stderr } = train(folder, more).output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert!(matches!(status.code(), Some(1 | 2)), "{more:?}: {status}: {text}");
    assert!(stdout.is_empty(), "{more:?}: {}", String::from_utf8_lossy(&stdout));
    assert_eq!(text.matches("os error").count().max(1), 1, "{text}");
    text.lines().next().unwrap().to_owned()
}

#[test]
fn files_that_cannot_be_used_are_told_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    assert!(Command::new("mkfifo").arg(at.join("pipe")).status().unwrap().success());
    fs::write(at.join("kept"), "precious").unwrap();
    fs::set_permissions(at.join("kept"), fs::Permissions::from_mode(0o444)).unwrap();
    fs::create_dir_all(at.join("folder/report.html")).unwrap();
    symlink("/dev/null", at.join("null")).unwrap();
    for (option, file, what) in [
        ("--save", "pipe", "is a pipe, but a regular file is needed"),
        ("--save", "null", "is a character device, but a regular file is needed"),
        ("--save", "/dev/null", "is a character device, but a regular file is needed"),
        ("--save", "kept", "is read-only"),
        ("--save", "folder", "is a folder, but a regular file is needed"),
        ("--save", "none/file", "cannot be written: there is no folder none"),
        ("--resume", "pipe", "is a pipe, but a regular file is needed"),
        ("--resume", "/dev/zero", "is a character device, but a regular file is needed"),
        ("--resume", "none", "no such file"),
        ("--json", "pipe", "is a pipe, but a regular file is needed"),
        ("--json", "kept", "is read-only"),
    ] {
        assert_eq!(refused(at, &[option, file]), format!("error: {option}: {file}: {what}"));
    }
    let said = refused(at, &["--report", "folder"]);
    assert!(
        said.ends_with("folder/report.html: is a folder, but a regular file is needed"),
        "{said}"
    );
    assert_eq!(
        refused(at, &["--report", "kept"]),
        "error: --report: cannot write into kept: it is no folder"
    );
    assert_eq!(
        refused(at, &["--data", "pipe"]),
        "error: pipe: is a pipe, but a regular file is needed"
    );
    // All are as they were.
    let kind = |name: &str| fs::symlink_metadata(at.join(name)).unwrap().file_type();
    assert!(kind("pipe").is_fifo() && kind("null").is_symlink());
    assert_eq!(fs::read_to_string(at.join("kept")).unwrap(), "precious");
    let names = fs::read_dir(at).unwrap().count();
    assert_eq!(names, 4);
}

#[test]
fn options_out_of_range_are_told_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let said = refused(dir.path(), &["--lr", "-1", "--report", "out", "--json", "lines"]);
    assert!(said.starts_with("error: invalid value '-1' for '--lr <LR>': "), "{said}");
    let more = ["--optimizer", "sam", "--rho", "0", "--report", "out", "--json", "lines"];
    let sam = Command::new(example("train")).current_dir(dir.path()).args(more).output().unwrap();
    let said = String::from_utf8(sam.stderr).unwrap();
    assert_eq!(said, "error: sam: rho is 0, but must be positive and finite\n");
    let said = refused(dir.path(), &["--model", "mlp:1000000,1000000", "--report", "out"]);
    assert!(said.contains("does not fit into memory: "), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = train(dir.path(), &["--threads", "1"]);
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn more_threads_than_processors_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let output = train(dir.path(), &["--threads", "1000000"]).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("warning: --threads 1000000: there are "), "{said}");
}
