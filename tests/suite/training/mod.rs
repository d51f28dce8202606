//! The training layer: data, metrics, prediction, the loop, its observers and its files.

mod buffers;
mod by_hand;
mod common;
mod devices;
mod errors;
mod interrupted;
mod metrics;
mod observers;
mod resumed;
mod whole_runs;
