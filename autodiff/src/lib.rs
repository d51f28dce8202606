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
//! | `scalar` | functions of single numbers |
//! | `graph` | what a recorded computation is: nodes, the closed set of primitives |
//! | `work` | kinds of work: what kernels read, write and cost |
//! | `tape` | variables, recording, deferred errors |
//! | `ops` | a section for each primitive with all that is true of it |
//! | `transform` | forward and reverse mode, their nestings, and vectorisation |
//! | `plan` | layout, fusion, kernels, steps, memory |
//! | `array`, `backend` | values where their backend has them, and what a backend is |
//! | `cpu`, `interpreter` | the kernels, and the oracle they are tested against |
//! | `program` | compiled programs, and their staging |
//! | `testing` | derivative checks for your own functions |

#![doc(test(attr(deny(warnings))))]

mod array;
mod backend;
mod cpu;
mod dtype;
mod error;
mod graph;
mod interpreter;
mod ops;
pub mod plan;
mod program;
mod scalar;
mod shape;
mod tape;
pub mod testing;
mod transform;
mod work;

pub use array::{Array, Storage};
pub use backend::{Backend, Executable};
pub use cpu::{Cpu, InstructionSet, ProductKernel, philox4x32_blocks};
pub use dtype::{DType, Element};
pub use error::{At, Error, Result};
pub use graph::{
    Binary, Compare, Contraction, Distribution, Graph, InputSpec, Op, Padding, Range, Unary,
};
pub use interpreter::Interpreter;
pub use ops::Operand;
pub use plan::{Costs, Plan};
pub use program::{Bound, Program};
pub use scalar::{Real, Scalar, philox4x32};
pub use shape::Shape;
pub use tape::{Tape, Var};
pub use transform::{ValueGradHvp, checkpoint, map_rows, vmap};
