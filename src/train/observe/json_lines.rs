//! Records as lines of JSON.

use super::lines::Lines;
use super::{Observer, View};
use crate::train::Result;
use crate::train::trainer::{EpochRecord, Measurement, Reason, StepRecord};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Writes each event as an object on a line of its own: `{"event":"step","step":1,…}`; events are
/// step, epoch, checkpoint and end. A number that is not finite is `null`. A run that goes on from a
/// checkpoint goes on with its lines.
#[derive(Debug)]
pub struct JsonLines {
    lines: Lines,
}

impl JsonLines {
    /// To a file.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> JsonLines {
        JsonLines { lines: Lines::new("JSON lines", path.into()) }
    }
}

fn object(values: &[Measurement]) -> Value {
    let pairs = values.iter().map(|(name, value)| (name.clone(), json!(value)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

fn step_of(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?.get("step")?.as_u64()
}

impl Observer for JsonLines {
    fn on_start(&mut self, view: &View<'_>) -> Result<()> {
        self.lines.begin(None, view.step(), step_of)
    }

    fn on_step(&mut self, r: &StepRecord, _: &View<'_>) -> Result<()> {
        let event = json!({
            "event": "step", "step": r.step, "epoch": r.epoch, "loss": r.loss, "rate": r.rate,
            "gradient_norm": r.gradient_norm, "sharpness": r.sharpness, "gradients": r.gradients,
            "seconds": r.seconds, "measured": object(&r.measured),
        });
        self.lines.push(&event.to_string())
    }

    fn on_epoch(&mut self, r: &EpochRecord, _: &View<'_>) -> Result<()> {
        let event = json!({
            "event": "epoch", "epoch": r.epoch, "step": r.step, "loss": r.loss, "rate": r.rate,
            "seconds": r.seconds, "scores": object(&r.scores), "measured": object(&r.measured),
            "is_best": r.is_best,
        });
        self.lines.push(&event.to_string())
    }

    fn on_checkpoint(&mut self, path: &Path, view: &View<'_>) -> Result<()> {
        let path = path.display().to_string();
        let event = json!({"event": "checkpoint", "step": view.step(), "path": path});
        self.lines.push(&event.to_string())
    }

    fn on_end(&mut self, reason: &Reason, view: &View<'_>) -> Result<()> {
        let event = json!({"event": "end", "step": view.step(), "reason": reason.to_string()});
        self.lines.push(&event.to_string())
    }
}
