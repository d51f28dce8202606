//! Records of epochs as arrays of a checkpoint: exact to the bit.

use super::checkpoint::Saved;
use super::record::{EpochRecord, Measurement};
use crate::autodiff::Array;
use crate::train::Result;
use std::collections::BTreeSet;

/// Numbers of a record that have no names of their own: epoch, step, loss, rate, seconds, is_best.
const OWN: usize = 6;

/// A table with a row for each epoch; what was not measured in one is NaN.
pub(super) fn save(saved: &mut Saved, name: &str, history: &[EpochRecord]) -> Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    let names = |of: fn(&EpochRecord) -> &[Measurement]| -> Vec<String> {
        let mut seen = BTreeSet::new();
        let all = history.iter().flat_map(of).map(|(name, _)| name.clone());
        all.filter(|name| seen.insert(name.clone())).collect()
    };
    let (scores, measured) = (names(|r| &r.scores), names(|r| &r.measured));
    let mut values = Vec::new();
    for record in history {
        let is_best = f64::from(u8::from(record.is_best));
        let (epoch, step) = (record.epoch as f64, record.step as f64);
        values.extend([epoch, step, record.loss, record.rate, record.seconds, is_best]);
        let of = |all: &[Measurement], name: &String| {
            all.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value)
        };
        values.extend(scores.iter().map(|name| of(&record.scores, name)));
        values.extend(measured.iter().map(|name| of(&record.measured, name)));
    }
    let columns = values.len() / history.len();
    saved.put(name, Array::from_vec([history.len(), columns], values)?);
    saved.put_text(&format!("{name}.scores"), scores.join("\n"));
    saved.put_text(&format!("{name}.measured"), measured.join("\n"));
    Ok(())
}

pub(super) fn load(saved: &Saved, name: &str) -> Result<Vec<EpochRecord>> {
    let Some(table) = saved.array(name) else {
        return Ok(Vec::new());
    };
    let (scores, measured) =
        (names(saved, &format!("{name}.scores")), names(saved, &format!("{name}.measured")));
    let columns = OWN + scores.len() + measured.len();
    let values = table.to_f64_vec();
    let given = |names: &[String], values: &[f64]| -> Vec<Measurement> {
        let pairs = names.iter().cloned().zip(values.iter().copied());
        pairs.filter(|(_, value)| !value.is_nan()).collect()
    };
    let record = |row: &[f64]| EpochRecord {
        epoch: row[0] as u64,
        step: row[1] as u64,
        loss: row[2],
        rate: row[3],
        seconds: row[4],
        scores: given(&scores, &row[OWN..OWN + scores.len()]),
        measured: given(&measured, &row[OWN + scores.len()..]),
        is_best: row[5] != 0.0,
    };
    Ok(values.chunks_exact(columns).map(record).collect())
}

pub(super) fn save_measured(saved: &mut Saved, name: &str, all: &[Measurement]) -> Result<()> {
    if !all.is_empty() {
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        saved.put_text(&format!("{name}.names"), names.join("\n"));
        saved.put(name, Array::vector(all.iter().map(|(_, v)| *v).collect::<Vec<f64>>()));
    }
    Ok(())
}

pub(super) fn load_measured(saved: &Saved, name: &str) -> Result<Vec<Measurement>> {
    let values = saved.array(name).map(Array::to_f64_vec).unwrap_or_default();
    Ok(names(saved, &format!("{name}.names")).into_iter().zip(values).collect())
}

fn names(saved: &Saved, name: &str) -> Vec<String> {
    let text = saved.text(name).unwrap_or("");
    text.lines().map(str::to_owned).collect()
}
