//! Times the engine on fixed workloads: one JSON object a line, with median and minimum in
//! milliseconds. `benches/compare.py` runs this beside other engines.
//!
//! `cargo run --release --example bench -- w1 --threads 2 --batch 128`

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod gpt;
mod methods;
mod mlp;
mod options;
mod timing;
mod w1;
mod w3;
mod w4;

use anyhow::{Context, Result, bail};
use burlap::autodiff::{Array, Cpu, DType, Tape};
use burlap::cli::{self, say};
use mlp::{Mlp, Stepper, normal};
use options::{Options, Work};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use timing::{Line, ms_since, rounded};

fn main() -> ExitCode {
    let begin = Instant::now();
    cli::exit(bench(begin))
}

fn bench(begin: Instant) -> Result<()> {
    let mut options: Options = cli::parse();
    let cpu = cli::cpu(Some(options.threads))?;
    // Those that are there, which the lines tell.
    options.threads = cpu.threads();
    let cpu = cpu.with_products(options.products.into());
    match &options.work {
        Work::W1 => w1::run(&options, &cpu),
        Work::W1rss => w1::peak_memory(&options, &cpu),
        Work::W3 => w3::run(&options, &cpu),
        Work::W4 => w4::run(&options, &cpu),
        Work::W5 { t0 } => first_step(&options, &cpu, begin, *t0),
        Work::Gemm { shape } => gemm(&options, &cpu, shape),
        Work::Profile { of } => profile(&options, &cpu, of),
    }
}

/// w5: everything up to the end of the first step.
fn first_step(options: &Options, cpu: &Cpu, begin: Instant, t0: Option<u64>) -> Result<()> {
    let mlp = Mlp::relu(options.batch())?;
    Stepper::new(&mlp, cpu)?.step()?;
    let main = ms_since(begin);
    let total = match t0 {
        Some(t0) => {
            let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(t0);
            start.elapsed().context("--t0 lies in the future")?.as_secs_f64() * 1e3
        }
        None => main,
    };
    let mut line = Line::new("w5", options, options.batch(), "first_step");
    (line.ms, line.main_ms, line.n) = (Some(rounded(total, 2)), Some(rounded(main, 2)), Some(1));
    line.print()
}

/// A product of two matrices through a compiled program.
fn gemm(options: &Options, cpu: &Cpu, shape: &str) -> Result<()> {
    let [m, k, n] = options::sizes(shape)?;
    let tape = Tape::new();
    let (a, b) = (tape.input("a", DType::F32, [m, k]), tape.input("b", DType::F32, [k, n]));
    let program = tape.compile(cpu, &[a.matmul(b)])?;
    let (a, b) = (normal(7, &[m, k])?, normal(8, &[k, n])?);
    let mut out = [Array::zeros(DType::F32, [m, n])];
    let line = Line::new("gemm", options, 0, format!("gemm_{shape}"));
    let mut line = line.timed(options.budget, || Ok(program.run_into(&[&a, &b], &mut out)?))?;
    let flops = 2.0 * m as f64 * k as f64 * n as f64;
    line.gflops = line.ms.map(|ms| rounded(flops / ms / 1e6, 1));
    line.print()
}

/// The kernels of the programs that `--what` names, with their times.
fn profile(options: &Options, cpu: &Cpu, of: &str) -> Result<()> {
    let (default, batch): (&[&str], _) = match of {
        "w1" => (&["b_grad_sgdm", "c_hvp"], options.batch()),
        "w3" => (&["step_adamw"], options.batch()),
        "w4" => (&["chain1000_grad_compiled"], 0),
        _ => bail!("profile {of}: there are w1, w3 and w4"),
    };
    let default = default.iter().map(|what| (*what).to_owned()).collect();
    for what in if options.what.is_empty() { &default } else { &options.what } {
        let (program, inputs) = match of {
            "w1" => {
                let tanh = what.starts_with("g_");
                let mlp = if tanh { Mlp::tanh(batch)? } else { Mlp::relu(batch)? };
                let program = mlp.program(cpu, what)?;
                let inputs = mlp.inputs(&program)?;
                (program, inputs)
            }
            "w3" => {
                let data = w3::Data::new(batch)?;
                let program = data.program(cpu, what)?;
                let inputs = data.inputs(&program)?;
                (program, inputs)
            }
            _ => (w4::program(cpu)?, vec![w4::point()?]),
        };
        let inputs: Vec<&Array> = inputs.iter().collect();
        say!("{what}\n{}", program.profile(&inputs)?)?;
    }
    Ok(())
}
