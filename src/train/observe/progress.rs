//! Progress for people: a bar, or lines.

use super::{Observer, View};
use crate::train::trainer::{EpochRecord, Reason, StepRecord};
use crate::train::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::Write;

/// A progress bar on the standard error, with the loss and the last validation. Where that is no
/// terminal there is none.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    scores: String,
}

impl Progress {
    /// A bar over all steps.
    #[must_use]
    pub fn bar() -> Progress {
        Progress { bar: ProgressBar::no_length(), scores: String::new() }
    }
}

impl Observer for Progress {
    fn on_start(&mut self, view: &View<'_>) -> Result<()> {
        let bar = ProgressBar::new(view.epochs() * view.loader().batches_per_epoch() as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta}");
        bar.set_style(style.map_err(|error| Error::Observer {
            observer: "progress bar".into(),
            problem: error.to_string(),
        })?);
        bar.set_position(view.step());
        // Not the steps before, which were another process's.
        bar.reset_eta();
        self.bar = bar;
        Ok(())
    }

    fn on_step(&mut self, record: &StepRecord, _: &View<'_>) -> Result<()> {
        self.bar.set_message(format!("loss {:.4}{}", record.loss, self.scores));
        self.bar.set_position(record.step);
        Ok(())
    }

    fn on_epoch(&mut self, record: &EpochRecord, _: &View<'_>) -> Result<()> {
        self.scores.clear();
        for (name, value) in &record.scores {
            // Writing to a string cannot fail.
            let _ = write!(self.scores, ", valid {name} {value:.4}");
        }
        Ok(())
    }

    fn on_error(&mut self, _: &Error, _: &View<'_>) {
        self.bar.abandon();
    }

    fn on_end(&mut self, _: &Reason, _: &View<'_>) -> Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}

/// A line for each epoch: `epoch=3 step=69 loss=0.2141 rate=0.01 valid_accuracy=0.9471 seconds=0.08`.
pub struct Log {
    out: Box<dyn Write>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// To the standard error.
    #[must_use]
    pub fn stderr() -> Log {
        Log::to(std::io::stderr())
    }

    /// To the standard output.
    #[must_use]
    pub fn stdout() -> Log {
        Log::to(std::io::stdout())
    }

    /// To anywhere.
    #[must_use]
    pub fn to(out: impl Write + 'static) -> Log {
        Log { out: Box::new(out) }
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        written.map_err(|e| Error::Observer { observer: "log".into(), problem: e.to_string() })
    }
}

/// Names without what separates the fields of a line.
fn field(line: &mut String, name: &str, value: f64) {
    let name = name.replace([' ', '=', '\n'], "_");
    let places = if value.abs() >= 1e-3 && value.abs() < 1e6 { 4 } else { 0 };
    // Writing to a string cannot fail.
    let _ = match places {
        0 => write!(line, " {name}={value:e}"),
        _ => write!(line, " {name}={value:.places$}"),
    };
}

impl Observer for Log {
    fn on_epoch(&mut self, r: &EpochRecord, _: &View<'_>) -> Result<()> {
        let mut line = format!("epoch={} step={}", r.epoch, r.step);
        field(&mut line, "loss", r.loss);
        field(&mut line, "rate", r.rate);
        r.scores.iter().for_each(|(name, v)| field(&mut line, &format!("valid {name}"), *v));
        r.measured.iter().for_each(|(name, v)| field(&mut line, name, *v));
        field(&mut line, "seconds", r.seconds);
        self.line(&line)
    }

    fn on_end(&mut self, reason: &Reason, view: &View<'_>) -> Result<()> {
        self.line(&format!("end step={} reason={:?}", view.step(), reason.to_string()))
    }
}
