//! Text files to which a line is added after a step or an epoch, and that go on with a run.

use crate::nn::files;
use crate::train::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Log files larger than this are not read again.
const MOST: u64 = 1 << 30;

/// A file of lines.
#[derive(Debug)]
pub(super) struct Lines {
    observer: &'static str,
    path: PathBuf,
    file: Option<File>,
}

impl Lines {
    pub(super) fn new(observer: &'static str, path: PathBuf) -> Lines {
        Lines { observer, path, file: None }
    }

    /// Begins the file with a header; where a run goes on after some steps, what was written for later
    /// ones is left out.
    ///
    /// # Errors
    /// For a file that cannot be read or written, or that has another header.
    pub(super) fn begin(
        &mut self,
        header: Option<&str>,
        steps: u64,
        step_of: impl Fn(&str) -> Option<u64>,
    ) -> Result<()> {
        let mut text = header.map(|header| format!("{header}\n")).unwrap_or_default();
        if steps > 0 && self.path.exists() {
            let old = files::read(&self.path, MOST).map_err(|e| self.error(e))?;
            let old = String::from_utf8(old).map_err(|e| self.error(e))?;
            let mut lines = old.lines();
            if header.is_some_and(|header| lines.next() != Some(header)) {
                return Err(self.error("it has other columns than this run"));
            }
            for line in lines.filter(|line| step_of(line).is_some_and(|step| step <= steps)) {
                text.push_str(line);
                text.push('\n');
            }
        }
        let written = files::replace(&self.path, |out| out.write_all(text.as_bytes()));
        written.map_err(|e| self.error(e))?;
        let file = files::open_to_append(&self.path).map_err(|e| self.error(e))?;
        self.file = Some(file);
        Ok(())
    }

    /// Adds a line, in one write.
    ///
    /// # Errors
    /// For a file that cannot be written.
    pub(super) fn push(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        let written = self.file.as_mut().map(|file| file.write_all(line.as_bytes()));
        written.unwrap_or(Ok(())).map_err(|e| self.error(e))
    }

    pub(super) fn error(&self, problem: impl ToString) -> Error {
        error(self.observer, &self.path, problem)
    }
}

/// What an observer could not do with a file.
pub(super) fn error(observer: &str, path: &Path, problem: impl ToString) -> Error {
    let (problem, path) = (problem.to_string(), path.display().to_string());
    // Errors of files begin with their names.
    let problem = problem.strip_prefix(&format!("{path}: ")).unwrap_or(&problem);
    Error::Observer { observer: observer.to_owned(), problem: format!("{path}: {problem}") }
}
