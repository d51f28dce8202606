//! Records as rows of a CSV file.

use super::lines::Lines;
use super::{Observer, View};
use crate::train::Result;
use crate::train::trainer::{EpochRecord, Measurement, StepRecord};
use std::path::PathBuf;

/// Writes a row for each epoch, or for each step, to a CSV file.
///
/// | of | columns |
/// |---|---|
/// | epochs | epoch, step, loss, rate, seconds; metrics as "valid loss", …; measures |
/// | steps | step, epoch, loss, rate, gradient norm, sharpness, gradients, seconds; measures |
///
/// Fields of what was not measured are empty. A run that goes on from a checkpoint goes on with its
/// rows.
#[derive(Debug)]
pub struct Csv {
    lines: Lines,
    of_steps: bool,
}

const EPOCH: [&str; 5] = ["epoch", "step", "loss", "rate", "seconds"];
const STEP: [&str; 8] =
    ["step", "epoch", "loss", "rate", "gradient norm", "sharpness", "gradients", "seconds"];

impl Csv {
    /// A row for each epoch.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Csv {
        Csv { lines: Lines::new("CSV", path.into()), of_steps: false }
    }

    /// A row for each step.
    #[must_use]
    pub fn of_steps(path: impl Into<PathBuf>) -> Csv {
        Csv { of_steps: true, ..Csv::to(path) }
    }

    fn row(&self, fields: &[String]) -> Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(fields).map_err(|e| self.lines.error(e))?;
        let bytes = writer.into_inner().map_err(|e| self.lines.error(e))?;
        let row = String::from_utf8(bytes).map_err(|e| self.lines.error(e))?;
        Ok(row.trim_end().to_owned())
    }
}

/// The values of these names; empty where there is none.
fn fields(names: &[String], values: &[Measurement]) -> Vec<String> {
    let of = |name: &String| {
        let found = values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    names.iter().map(of).collect()
}

/// The field of a row at a place, as a whole number.
fn number(row: &str, place: usize) -> Option<u64> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
    reader.records().next()?.ok()?.get(place)?.parse().ok()
}

impl Observer for Csv {
    fn on_start(&mut self, view: &View<'_>) -> Result<()> {
        let owned = |names: &[&str]| -> Vec<String> { names.iter().map(|&n| n.into()).collect() };
        let (mut columns, place) = match self.of_steps {
            true => (owned(&STEP), 0),
            false => {
                let metrics = view.metrics().iter().map(|name| format!("valid {name}"));
                (owned(&EPOCH).into_iter().chain(metrics).collect(), 1)
            }
        };
        columns.extend_from_slice(view.measures());
        // A line is a row.
        columns.iter_mut().for_each(|name| *name = name.replace(['\n', '\r'], " "));
        let header = self.row(&columns)?;
        self.lines.begin(Some(&header), view.step(), |row| number(row, place))
    }

    fn on_step(&mut self, r: &StepRecord, view: &View<'_>) -> Result<()> {
        if !self.of_steps {
            return Ok(());
        }
        let mut row = vec![r.step.to_string(), r.epoch.to_string()];
        row.extend([r.loss, r.rate, r.gradient_norm].map(|value| value.to_string()));
        row.push(r.sharpness.map(|value| value.to_string()).unwrap_or_default());
        row.extend([r.gradients.to_string(), r.seconds.to_string()]);
        row.extend(fields(view.measures(), &r.measured));
        let row = self.row(&row)?;
        self.lines.push(&row)
    }

    fn on_epoch(&mut self, r: &EpochRecord, view: &View<'_>) -> Result<()> {
        if self.of_steps {
            return Ok(());
        }
        let mut row = vec![r.epoch.to_string(), r.step.to_string()];
        row.extend([r.loss, r.rate, r.seconds].map(|value| value.to_string()));
        row.extend(fields(view.metrics(), &r.scores));
        row.extend(fields(view.measures(), &r.measured));
        let row = self.row(&row)?;
        self.lines.push(&row)
    }
}
