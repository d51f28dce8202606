//! Records as TensorBoard's event files.
//!
//! A file is a sequence of records (length, its checksum, bytes, their checksum), each of which is an
//! `Event` in protocol buffers; four fields of it are all that scalars need.

use super::lines::error;
use super::{Observer, View};
use crate::nn::files;
use crate::train::Result;
use crate::train::trainer::{EpochRecord, Measurement, StepRecord};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes scalars to a folder that `tensorboard --logdir` shows: `train/…` after each step, `valid/…`
/// after each epoch, and `measured/…`.
///
/// Each process begins a file of its own. Where a run goes on from a checkpoint, TensorBoard is told to
/// forget later steps of earlier files.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    file: Option<(PathBuf, File)>,
}

impl TensorBoard {
    /// To a folder, which is made where there is none.
    #[must_use]
    pub fn to(folder: impl Into<PathBuf>) -> TensorBoard {
        TensorBoard { folder: folder.into(), file: None }
    }

    fn write(&mut self, step: u64, body: impl FnOnce(&mut Message)) -> Result<()> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let mut event = Message::default();
        event.double(1, since_epoch().as_secs_f64());
        event.number(2, step);
        body(&mut event);
        file.write_all(&record(&event.0)).map_err(|e| error("TensorBoard", path, e))
    }

    fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<()> {
        self.write(step, |event| {
            let mut summary = Message::default();
            for (tag, value) in scalars {
                let mut scalar = Message::default();
                scalar.bytes(1, tag.as_bytes());
                scalar.float(2, *value as f32);
                summary.bytes(1, &scalar.0);
            }
            event.bytes(5, &summary.0);
        })
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn tagged(group: &str, values: &[Measurement]) -> Vec<(String, f64)> {
    values.iter().map(|(name, value)| (format!("{group}/{name}"), *value)).collect()
}

impl Observer for TensorBoard {
    fn on_start(&mut self, view: &View<'_>) -> Result<()> {
        let folder = self.folder.clone();
        fs::create_dir_all(&folder).map_err(|e| error("TensorBoard", &folder, e))?;
        let (now, process) = (since_epoch(), std::process::id());
        let (seconds, rest) = (now.as_secs(), now.subsec_nanos());
        let path = folder.join(format!("events.out.tfevents.{seconds}.burlap.{process}.{rest}"));
        let file = files::open_to_append(&path).map_err(|e| error("TensorBoard", &path, e))?;
        self.file = Some((path, file));
        self.write(0, |event| event.bytes(3, b"brain.Event:2"))?;
        match view.step() {
            0 => Ok(()),
            step => self.write(step + 1, |event| {
                // A session log whose status is START.
                let mut log = Message::default();
                log.number(1, 1);
                event.bytes(7, &log.0);
            }),
        }
    }

    fn on_step(&mut self, r: &StepRecord, _: &View<'_>) -> Result<()> {
        let mut scalars = vec![
            ("train/loss".to_owned(), r.loss),
            ("train/rate".to_owned(), r.rate),
            ("train/gradient norm".to_owned(), r.gradient_norm),
        ];
        scalars.extend(r.sharpness.map(|value| ("train/sharpness".to_owned(), value)));
        scalars.extend(tagged("measured", &r.measured));
        self.scalars(r.step, &scalars)
    }

    fn on_epoch(&mut self, r: &EpochRecord, _: &View<'_>) -> Result<()> {
        let mut scalars = tagged("valid", &r.scores);
        scalars.push(("train/epoch".to_owned(), r.epoch as f64));
        self.scalars(r.step, &scalars)
    }
}

/// A message of protocol buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }
}

/// A record of TensorFlow's files.
fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] = [&length, &masked(&length), bytes, &masked(bytes)];
    parts.concat()
}

/// CRC-32C, rotated and shifted so that the checksum of data with checksums is another.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
