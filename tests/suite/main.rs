//! Behaviour tests of the facade and its commands: one binary, since linking costs more than running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod cli;
mod commands;
mod examples;
mod fuzzed;
mod gpt;
mod killed;
mod report;
mod small_examples;
mod training;
