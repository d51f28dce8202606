//! Pictures, statistics, and the page of real runs.
#![allow(clippy::unwrap_used, missing_docs)]

mod pictures;
mod runs;
mod statistics;
