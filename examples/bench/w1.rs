//! w1: derivatives of the network up to the third.

use crate::methods;
use crate::mlp::{Mlp, Stepper, room};
use crate::options::Options;
use crate::timing::{Line, resident_peak, rounded};
use anyhow::Result;
use burlap::autodiff::{Array, Cpu};

/// The measurements.
pub(crate) const KNOWN: &[&str] = &[
    "forward",
    "a_grad",
    "b_grad_sgdm",
    "c_hvp",
    "d_hvp8",
    "e_hvp_again",
    "g_grad",
    "g_third",
    "sgd_step",
    "sam_step",
    "frob_sam_one_sided",
    "frob_sam_exact",
];

/// Directions of `d_hvp8`.
pub(crate) const DIRECTIONS: usize = 8;

/// Steps of `w1rss`.
const STEPS: usize = 50;

/// All measurements that are asked for.
pub(crate) fn run(options: &Options, cpu: &Cpu) -> Result<()> {
    options.check(KNOWN)?;
    let relu = Mlp::relu(options.batch())?;
    for what in KNOWN.iter().filter(|what| options.wants(what)) {
        let line = Line::new("w1", options, options.batch(), *what);
        let budget = options.budget;
        let line = match *what {
            "b_grad_sgdm" => {
                let mut stepper = Stepper::new(&relu, cpu)?;
                line.timed(budget, || stepper.step())?
            }
            "e_hvp_again" => product_again(&relu, cpu, line, budget)?,
            "g_grad" | "g_third" => once(&Mlp::tanh(options.batch())?, cpu, what, line, budget)?,
            "forward" | "a_grad" | "c_hvp" | "d_hvp8" => once(&relu, cpu, what, line, budget)?,
            _ => {
                let mut training = methods::training(&relu, cpu, what)?;
                let batch = [relu.x.clone(), relu.y.clone()];
                line.timed(budget, || Ok(training.step(&batch).map(drop)?))?
            }
        };
        line.print()?;
    }
    Ok(())
}

/// A program, all of whose inputs are given anew.
fn once(mlp: &Mlp, cpu: &Cpu, what: &str, line: Line, budget: f64) -> Result<Line> {
    let program = mlp.program(cpu, what)?;
    let mut outputs = room(&program);
    let inputs = mlp.inputs(&program)?;
    let inputs: Vec<&Array> = inputs.iter().collect();
    line.timed(budget, || Ok(program.run_into(&inputs, &mut outputs)?))
}

/// A Hessian-vector product where the point is known.
fn product_again(mlp: &Mlp, cpu: &Cpu, line: Line, budget: f64) -> Result<Line> {
    let program = mlp.program(cpu, "e_hvp_again")?;
    let mut outputs = room(&program);
    let bound = program.bind(&[&mlp.params, &mlp.x, &mlp.y])?;
    let v = mlp.direction(4)?;
    line.timed(budget, || Ok(bound.run_into(&[&v], &mut outputs)?))
}

/// Peak of the resident memory after some steps.
pub(crate) fn peak_memory(options: &Options, cpu: &Cpu) -> Result<()> {
    let before = resident_peak();
    let mlp = Mlp::relu(options.batch())?;
    let mut stepper = Stepper::new(&mlp, cpu)?;
    for _ in 0..STEPS {
        stepper.step()?;
    }
    let mut line = Line::new("w1rss", options, options.batch(), "f_peak_rss_mb");
    line.mb_before = before.map(|mb| rounded(mb, 1));
    line.mb = resident_peak().map(|mb| rounded(mb, 1));
    line.print()
}
