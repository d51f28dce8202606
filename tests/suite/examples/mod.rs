//! The example programs, as tests run them.

use std::path::PathBuf;
use std::process::Command;

/// The example beside this test; built if only this test was asked for.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    if !example.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--example", name]).status();
        assert!(built.unwrap().success());
    }
    example
}
