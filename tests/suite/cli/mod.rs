//! What commands share: options and files of results.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, missing_docs)]

mod options;
mod results;
