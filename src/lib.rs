//! burlap: automatic differentiation with exact Hessians, and sharpness-aware minimisation
//! built on them.
//!
//! ```
//! use burlap::prelude::*;
//!
//! let tape = Tape::new();
//! let x = tape.input("x", DType::F64, [2]);
//! let v = tape.input("v", DType::F64, [2]);
//! let f = (1.0 - x.at(0)).square() + 100.0 * (x.at(1) - x.at(0).square()).square();
//!
//! let program = tape.compile(&Cpu::new(), &[f, f.grad(x), f.hvp(x, v)])?;
//! let out = program.run(&[&Array::vector([1.0, 1.0]), &Array::vector([1.0, 0.0])])?;
//! assert_eq!(out[2].to_string(), "[802, -400]");
//! # Ok::<(), burlap::autodiff::Error>(())
//! ```
//!
//! [`autodiff`] holds tape, transforms, programs and backends, [`optim`] optimizers, sharpness
//! measures and curvature tools, [`nn`] layers and data; they are crates of their own. [`train`] knows
//! all of them: batches, metrics, the loop. With the feature `report` there are tables, pictures and
//! pages of results, with `cli` what the commands among the examples share.

pub use burlap_autodiff as autodiff;
pub use burlap_nn as nn;
pub use burlap_optim as optim;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "train")]
pub mod train;

/// What most programs need.
pub mod prelude {
    pub use burlap_autodiff::{Array, Backend, Cpu, DType, Interpreter, Program, Shape, Tape, Var};
    pub use burlap_nn::{Activation, Dropout, Linear, Model, Sequential, loss, mlp};
    pub use burlap_optim::{
        Adam, AdamW, BatchSpec, Decay, Estimator, Group, Loss, Method, Objective, Optimizer, Plain,
        Sam, Schedule, Sgd, Sharpness, SharpnessMethod, Training, UpdateRule,
    };
}

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
