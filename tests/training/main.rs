//! The training layer: data, metrics, prediction, the loop, its observers and its files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod by_hand;
mod common;
mod devices;
mod errors;
mod interrupted;
mod metrics;
mod observers;
mod resumed;
mod whole_runs;
