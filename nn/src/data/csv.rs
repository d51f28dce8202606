//! Reader for rows of numbers that end in a class.

use std::path::Path;

use super::input::{Expected, Input};
use super::{DataError, Dataset};

/// Largest class accepted. A larger one is more likely a feature column in
/// the place of the label than a class, and would make outputs of that width.
const MAX_LABEL: u32 = 65_535;

/// Longest line that is read, in bytes: more than a million numbers.
const LONGEST_LINE: usize = 1 << 24;

pub(super) const EXPECTED: Expected =
    Expected { words: "a CSV file of numbers, plain or gzipped,", kind: None };

/// Longest piece of a bad field that an error repeats, in characters.
const SHOWN: usize = 40;

/// Rows read from a CSV file.
pub(super) struct Table {
    /// Row-major, rows × `width`.
    pub(super) features: Vec<f32>,
    pub(super) labels: Vec<u32>,
    /// Number of feature columns.
    pub(super) width: usize,
}

/// Reads a data set from a CSV file, plain or gzipped.
///
/// Every row holds the features of one example and then its class, an integer
/// from 0 to 65535, separated by commas. There is no header and no quoting;
/// spaces around fields and blank lines are ignored. The number of classes is
/// one more than the largest label, the shape of an example is
/// `[features per row]`, and the data set is named after the file.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("points.csv");
/// std::fs::write(&path, "0.5, -1, 0\n2, 3e-1, 1\n")?;
///
/// let points = burlap_nn::data::csv_dataset(&path)?;
/// assert_eq!(points.features(), [0.5, -1.0, 2.0, 0.3]);
/// assert_eq!(points.labels(), [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// A [`DataError`] that names the file, line and column: the file is missing,
/// unreadable, corrupt gzip or without rows, a row is shorter or longer than
/// the first or longer than 16 MiB, or a field is not a finite number or, in the last column, not a
/// class.
pub fn csv_dataset(path: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let table = parse(Input::open(path, EXPECTED)?)?;
    let classes = table.labels.iter().max().map_or(1, |&label| label as usize + 1);
    let file =
        path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    let name = file.trim_end_matches(".gz").trim_end_matches(".csv");
    let shape = vec![table.width];
    Dataset::new(name, table.features, table.labels, classes, shape)
}

/// Reads all rows of `input`.
pub(super) fn parse(mut input: Input) -> Result<Table, DataError> {
    rows(&mut input).map_err(|error| input.blame(error))
}

fn rows(input: &mut Input) -> Result<Table, DataError> {
    let mut table = Table { features: Vec::new(), labels: Vec::new(), width: 0 };
    let mut line = Vec::new();
    let mut number = 0;
    while input.read_line(&mut line, LONGEST_LINE + 1)? {
        number += 1;
        if line.len() > LONGEST_LINE {
            return Err(DataError::CsvLine {
                path: input.path(),
                line: number,
                most: LONGEST_LINE,
            });
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let columns = line.split(|&byte| byte == b',').count();
        let expected = match table.width {
            0 => columns.max(2),
            width => width + 1,
        };
        if columns != expected {
            return Err(DataError::CsvColumns {
                path: input.path(),
                line: number,
                expected,
                found: columns,
            });
        }
        table.width = columns - 1;
        for (field, column) in line.split(|&byte| byte == b',').zip(1..) {
            // What is not UTF-8 becomes U+FFFD, which no number contains.
            let field = String::from_utf8_lossy(field.trim_ascii());
            let place = Place { input, line: number, column, field: &field };
            if column < columns {
                table.features.push(place.feature()?);
            } else {
                table.labels.push(place.label()?);
            }
        }
    }
    if table.labels.is_empty() {
        return Err(DataError::CsvEmpty { path: input.path() });
    }
    Ok(table)
}

/// A field and where it stands.
struct Place<'a> {
    input: &'a Input,
    line: u64,
    column: usize,
    field: &'a str,
}

impl Place<'_> {
    fn feature(&self) -> Result<f32, DataError> {
        let (path, line, column) = (self.input.path(), self.line, self.column);
        match self.field.parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(DataError::CsvNotFinite { path, line, column, found: self.shown() }),
            Err(_) => Err(DataError::CsvNumber { path, line, column, found: self.shown() }),
        }
    }

    fn label(&self) -> Result<u32, DataError> {
        match self.field.parse::<u32>() {
            Ok(label) if label <= MAX_LABEL => Ok(label),
            _ => Err(DataError::CsvLabel {
                path: self.input.path(),
                line: self.line,
                column: self.column,
                found: self.shown(),
                max: MAX_LABEL,
            }),
        }
    }

    fn shown(&self) -> String {
        self.field.chars().take(SHOWN).collect()
    }
}
