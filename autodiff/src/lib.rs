//! Automatic differentiation on a tape that differentiates itself, to any order.
//!
//! Record → differentiate → compile → run:
//!
//! ```
//! use burlap_autodiff::{Array, Cpu, DType, Tape};
//!
//! let tape = Tape::new();
//! let x = tape.input("x", DType::F64, [2]);
//! let v = tape.input("v", DType::F64, [2]);
//! let f = (1.0 - x.at(0)).square() + 100.0 * (x.at(1) - x.at(0).square()).square();
//!
//! let program = tape.compile(&Cpu::new(), &[f, f.grad(x), f.hvp(x, v)])?;
//! let out = program.run(&[&Array::vector([1.0, 1.0]), &Array::vector([1.0, 0.0])])?;
//! assert_eq!(out[0].item()?, 0.0);
//! assert_eq!(out[2].to_string(), "[802, -400]");
//! # Ok::<(), burlap_autodiff::Error>(())
//! ```
//!
//! | folder | what it knows |
//! |---|---|
//! | `tape` | values, shapes, deferred errors |
//! | `ops` | each primitive's shape rule and one derivative fact |
//! | `transform` | forward and reverse mode, their nestings, and vectorisation |
//! | `program` | layout, fusion, memory, staging |
//! | `array`, `backend` | values where their backend has them, and what a backend is |
//! | `cpu`, `interpreter` | the kernels, and the oracle they are tested against |
//! | `testing` | derivative checks for your own functions |

#![doc(test(attr(deny(warnings))))]

mod array;
mod backend;
mod cpu;
mod dtype;
mod error;
mod interpreter;
mod ops;
mod program;
mod shape;
mod tape;
pub mod testing;
mod transform;

pub use array::{Array, Storage};
pub use backend::{Backend, Executable};
pub use cpu::{Cpu, InstructionSet, ProductKernel, philox4x32_blocks};
pub use dtype::{DType, Element};
pub use error::{At, Error, Result};
pub use interpreter::Interpreter;
pub use ops::{
    Binary, Compare, Contraction, Distribution, Op, Operand, Padding, Range, Real, Scalar, Unary,
    philox4x32,
};
pub use program::{Bound, Costs, Graph, InputSpec, Plan, Program, plan};
pub use shape::Shape;
pub use tape::{Tape, Var};
pub use transform::{ValueGradHvp, checkpoint, map_rows, vmap};
