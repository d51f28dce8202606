//! Tables of results on disk that grow by whole lines, so that a killed program can go on.

use super::error::{Error, Result};
use crate::nn::files;
use crate::report::write_whole;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The settings to which all records of a file belong, by name.
pub type Settings = Vec<(&'static str, String)>;

/// A CSV file with one record a line. Its first line is a comment with the settings to which all
/// records belong, its second one the names of the columns.
///
/// ```
/// use burlap::cli::results::Results;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Row {
///     method: String,
///     seed: u64,
/// }
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("runs.csv");
/// let settings = vec![("epochs", "10".to_owned())];
/// for seed in [1, 2, 2] {
///     // Each time as if by another process: what is there is not computed again.
///     let mut results = Results::<Row>::open(&path, &settings)?;
///     if !results.has(|row| row.seed == seed) {
///         results.push(Row { method: "sam".into(), seed })?;
///     }
/// }
/// assert_eq!(std::fs::read_to_string(&path)?, "# epochs=10\nmethod,seed\nsam,1\nsam,2\n");
/// let others = vec![("epochs", "20".to_owned())];
/// assert!(Results::<Row>::open(&path, &others).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Results<R> {
    path: PathBuf,
    file: File,
    rows: Vec<R>,
    /// The lines before the first record, settings and names of columns, until they are written.
    heading: Option<String>,
    /// The names of the columns that the file has.
    columns: Option<csv::StringRecord>,
}

/// The largest size of a file of results, in bytes.
const LONGEST: u64 = 1 << 30;

/// The first line, without its end.
fn heading(settings: &Settings) -> String {
    let pairs: Vec<String> = settings.iter().map(|(k, v)| format!("{k}={}", quoted(v))).collect();
    format!("# {}", pairs.join("; "))
}

fn fail<T>(path: &Path, problem: String) -> Result<T> {
    Err(Error::Results { path: path.to_owned(), problem })
}

fn io(path: &Path, cause: io::Error) -> Error {
    Error::Io { path: path.to_owned(), cause }
}

/// Whether a line names the same settings with perhaps other values.
fn is_heading(line: &str, settings: &Settings) -> bool {
    let names = line.strip_prefix("# ").map(|pairs| pairs.split("; ").map(|p| p.split('=').next()));
    names.is_some_and(|names| names.eq(settings.iter().map(|(name, _)| Some(*name))))
}

/// On one line, and without what separates settings.
fn quoted(value: &str) -> String {
    value.replace([';', '\n', '\r'], "_")
}

/// The first setting of a file that is not the wanted one, in words.
fn difference(heading: &str, wanted: &Settings) -> Option<String> {
    let pairs: Vec<_> =
        heading.strip_prefix("# ")?.split("; ").map(|p| p.split_once('=')).collect();
    for (name, now) in wanted {
        let then = pairs.iter().flatten().find(|(k, _)| k == name).map(|(_, then)| *then);
        match then {
            Some(then) if then == quoted(now) => {}
            Some(then) => return Some(format!("written with {name} {then}, not {now}")),
            None => return Some(format!("written without the setting {name}")),
        }
    }
    Some("written with settings that are unknown here".into())
}

impl<R: Serialize + DeserializeOwned> Results<R> {
    /// Opens a file of results, or starts one. An incomplete last line is removed. Settings are written together with the first record: a file without records belongs
    /// to no settings yet.
    ///
    /// # Errors
    /// [`Error::Results`] for a file that another process writes, that is no file of results, or
    /// that belongs to other settings; [`Error::Line`] for a line that does not fit; what the
    /// operating system reports.
    pub fn open(path: &Path, settings: &Settings) -> Result<Results<R>> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|cause| io(folder, cause))?;
        }
        let file = files::open_to_append(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return fail(path, "another process is writing it".into());
            }
            Err(TryLockError::Error(cause)) => return Err(io(path, cause)),
        }
        let mut text = String::new();
        let taken = (&file).take(LONGEST + 1).read_to_string(&mut text);
        taken.map_err(|cause| io(path, cause))?;
        if text.len() as u64 > LONGEST {
            return fail(path, format!("more than {LONGEST} bytes"));
        }
        let heading = heading(settings);
        let mut whole = whole_lines(path, &text, &heading)?;
        let first = whole.lines().next().unwrap_or_default();
        if whole.lines().nth(2).is_none() && first != heading && is_heading(first, settings) {
            // It has no records that could belong to the other settings.
            whole = "";
        }
        if whole.len() < text.len() {
            file.set_len(whole.len() as u64).map_err(|cause| io(path, cause))?;
        }
        let rows = if whole.is_empty() { Vec::new() } else { parse(path, whole, Some(settings))? };
        let rest = whole.split_once('\n').map_or("", |(_, rest)| rest);
        let columns = Some(names(rest.as_bytes())?).filter(|names| !names.is_empty());
        let heading = whole.is_empty().then(|| format!("{heading}\n"));
        Ok(Results { path: path.to_owned(), file, rows, heading, columns })
    }

    /// The records of a file, whatever its settings.
    ///
    /// # Errors
    /// What reading reports; [`Error::Line`] for a line that does not fit.
    pub fn read(path: &Path) -> Result<Vec<R>> {
        let bytes = files::read(path, LONGEST)?;
        let text = String::from_utf8(bytes).or_else(|error| fail(path, error.to_string()))?;
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        parse(path, &text[..end], None)
    }

    /// The records, in the order of the file.
    #[must_use]
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Whether some record fulfils a condition.
    pub fn has(&self, condition: impl Fn(&R) -> bool) -> bool {
        self.rows.iter().any(condition)
    }

    /// Adds a record, by one write of a whole line.
    ///
    /// # Errors
    /// [`Error::Results`] when the file cannot be written, or has other columns than the record.
    pub fn push(&mut self, row: R) -> Result<()> {
        let mut text = self.heading.clone().unwrap_or_default().into_bytes();
        let own = names(&lines(std::slice::from_ref(&row), true)?)?;
        if let Some(columns) = self.columns.as_ref().filter(|columns| **columns != own) {
            let problem = format!("its columns are {}, not {}", listed(columns), listed(&own));
            return fail(&self.path, problem);
        }
        text.extend(lines(std::slice::from_ref(&row), self.columns.is_none())?);
        let written = self.file.write_all(&text);
        written.or_else(|cause| fail(&self.path, format!("cannot be written: {cause}")))?;
        (self.heading, self.columns) = (None, Some(own));
        self.rows.push(row);
        Ok(())
    }
}

/// Writes a file of results anew: it is there whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write<R: Serialize>(path: &Path, settings: &Settings, rows: &[R]) -> Result<()> {
    let text = [format!("{}\n", heading(settings)).into_bytes(), lines(rows, true)?].concat();
    Ok(write_whole(path, &text)?)
}

/// Records, each on a line, perhaps below the names of the columns.
fn lines<R: Serialize>(rows: &[R], named: bool) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(named).from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))?)
}

/// The names of the columns; none of a file without any line.
fn names(text: &[u8]) -> Result<csv::StringRecord> {
    Ok(csv::Reader::from_reader(text).headers()?.clone())
}

fn listed(names: &csv::StringRecord) -> String {
    names.iter().collect::<Vec<_>>().join(", ")
}

/// The file without a torn last line. Nothing is removed from a file that is none of ours.
fn whole_lines<'a>(path: &Path, text: &'a str, heading: &str) -> Result<&'a str> {
    match text.rfind('\n') {
        Some(end) if text.starts_with("# ") => Ok(&text[..=end]),
        None if heading.starts_with(text) => Ok(""),
        _ => fail(path, "not a file of results".into()),
    }
}

fn parse<R: DeserializeOwned>(
    path: &Path,
    text: &str,
    settings: Option<&Settings>,
) -> Result<Vec<R>> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(settings) = settings
        && first != heading(settings)
    {
        let how = difference(first, settings).unwrap_or("written by something else".into());
        return fail(path, how);
    }
    let records = csv::Reader::from_reader(rest.as_bytes()).into_deserialize();
    let rows = records.enumerate().map(|(i, record)| {
        // After the settings and the names of the columns.
        record.map_err(|cause| Error::Line { path: path.to_owned(), line: i + 3, cause })
    });
    rows.collect()
}
