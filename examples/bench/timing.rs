//! Repeating, and lines of JSON.

use crate::options::Options;
use anyhow::Result;
use burlap::cli::say;
use serde::Serialize;
use std::time::Instant;

/// Fewest and most repetitions of a measurement.
const REPETITIONS: (usize, usize) = (5, 3000);

/// Repetitions that are not counted.
const WARM: usize = 2;

/// One measurement: one line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    peer: &'static str,
    work: &'static str,
    threads: usize,
    batch: usize,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mb: Option<f64>,
    /// Before the work began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mb_before: Option<f64>,
    /// From the start of `main`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) main_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gflops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load1: Option<f64>,
}

impl Line {
    pub(crate) fn new(
        work: &'static str,
        options: &Options,
        batch: usize,
        what: impl Into<String>,
    ) -> Line {
        Line {
            peer: "burlap",
            work,
            threads: options.threads,
            batch,
            what: what.into(),
            ms: None,
            min: None,
            n: None,
            mb: None,
            mb_before: None,
            main_ms: None,
            gflops: None,
            load1: load(),
        }
    }

    /// With median, minimum and number of the repetitions of `run`, each in milliseconds.
    pub(crate) fn timed(mut self, budget: f64, run: impl FnMut() -> Result<()>) -> Result<Line> {
        let (median, min, n) = repeat(budget, run)?;
        (self.ms, self.min, self.n) = (Some(rounded(median, 4)), Some(rounded(min, 4)), Some(n));
        Ok(self)
    }

    pub(crate) fn print(&self) -> Result<()> {
        Ok(say!("{}", serde_json::to_string(self)?)?)
    }
}

/// Rounded to some decimals.
pub(crate) fn rounded(x: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (x * scale).round() / scale
}

/// Milliseconds since an instant.
pub(crate) fn ms_since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

/// Runs until the budget of seconds and the fewest repetitions are reached: median, minimum
/// and number. What is very slow is cut short.
fn repeat(budget: f64, mut run: impl FnMut() -> Result<()>) -> Result<(f64, f64, usize)> {
    let begin = Instant::now();
    for _ in 0..WARM {
        run()?;
        if begin.elapsed().as_secs_f64() > 8.0 * budget {
            break;
        }
    }
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < REPETITIONS.1 {
        let spent = begin.elapsed().as_secs_f64();
        let enough = times.len() >= REPETITIONS.0 && spent >= budget;
        if enough || (times.len() >= 3 && spent > 12.0 * budget) {
            break;
        }
        let start = Instant::now();
        run()?;
        times.push(ms_since(start));
    }
    times.sort_unstable_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median = if times.len() % 2 == 1 {
        times[middle]
    } else {
        0.5 * (times[middle - 1] + times[middle])
    };
    Ok((median, times[0], times.len()))
}

/// How busy the machine is, where it tells.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// VmHWM of this process in MB, where the system tells.
pub(crate) fn resident_peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
