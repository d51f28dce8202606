//! w4: a long chain of elementwise operations on few numbers.

use crate::mlp::normal;
use crate::options::Options;
use crate::timing::Line;
use anyhow::Result;
use burlap::autodiff::{Array, Cpu, DType, Program, Tape};

/// The measurements.
pub(crate) const KNOWN: &[&str] = &["chain1000_grad_compiled", "chain1000_grad_once"];

/// Numbers in the chain.
const WIDTH: usize = 16;

/// Links of four operations.
const LINKS: usize = 250;

/// Records and compiles the gradient of the chain.
pub(crate) fn program(cpu: &Cpu) -> Result<Program> {
    let tape = Tape::new();
    let x = tape.input("x", DType::F32, [WIDTH]);
    let mut y = x;
    for _ in 0..LINKS {
        y = (y * 0.9 + 0.1).tanh() - 0.01;
    }
    Ok(tape.compile(cpu, &[y.sum().grad(x)])?)
}

/// Where the gradient is taken.
pub(crate) fn point() -> Result<Array> {
    normal(6, &[WIDTH])
}

/// Both measurements.
pub(crate) fn run(options: &Options, cpu: &Cpu) -> Result<()> {
    options.check(KNOWN)?;
    let x = point()?;
    for what in KNOWN.iter().filter(|what| options.wants(what)) {
        let line = Line::new("w4", options, 0, *what);
        let line = if *what == "chain1000_grad_compiled" {
            let program = program(cpu)?;
            let mut out = [Array::zeros(DType::F32, [WIDTH])];
            line.timed(options.budget, || Ok(program.run_into(&[&x], &mut out)?))?
        } else {
            line.timed(options.budget, || Ok(program(cpu)?.run(&[&x]).map(drop)?))?
        };
        line.print()?;
    }
    Ok(())
}
