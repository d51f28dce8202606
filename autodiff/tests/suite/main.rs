//! Behaviour tests of the engine: one binary, since linking costs more than running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod backends;
mod checkpoint;
mod choices;
mod conformance;
mod conventions;
mod derivative_checks;
mod devices;
mod errors;
mod layers;
mod long_chain;
mod more_garbow_hillstrom;
mod nesting;
mod no_panics;
mod operators;
mod primitive_values;
mod primitives;
mod random_programs;
mod range;
mod recorded_values;
mod rematerialized;
mod rewrites;
mod special_values;
mod threads;
mod vmap;
mod zero_times_infinity;
