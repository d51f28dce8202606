//! Behaviour tests of optimizers, sharpness measures and curvature tools: one binary, since linking costs more than running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod batches;
mod buffers;
mod common;
mod curvature;
mod curvature_estimates;
mod curvature_operators;
mod curvature_quadrature;
mod curvature_spectrum;
mod devices;
mod errors;
mod family;
mod groups;
mod matrices;
mod named;
mod parts;
mod per_example;
mod plain;
mod products;
mod programs;
mod published;
mod reproducible;
mod resumed;
mod sam;
mod through_steps;
mod unchanged;
mod universal_estimators;
mod universal_gradients;
mod universal_targets;
mod update_rules;
