//! Trains one network with several optimizers and compares what they find: accuracy, and the
//! curvature of the loss at the solution.
//!
//! `cargo run --release --example train -- --help` lists the options.

mod data;
mod options;
mod run;
mod saved;

use anyhow::{Context, Result, bail};
use burlap::autodiff::Cpu;
use clap::Parser;
use options::Options;
use run::{CURVATURE_EXAMPLES, Outcome, Setting};
use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    match train() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence with its causes; a backtrace would tell of this program only.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn train() -> Result<()> {
    let options = Options::parse();
    if options.optimizer.len() != 1 && (options.save.is_some() || options.resume.is_some()) {
        bail!("--save and --resume need exactly one --optimizer");
    }
    // Before any work: a bad name or setting should not cost the runs before it.
    for name in &options.optimizer {
        burlap::optim::method(name, &Default::default())?;
    }
    let backend = match options.threads {
        Some(threads) => Cpu::with_threads(threads).context("--threads")?,
        None => Cpu::new(),
    };
    let (train, test) = data::load(&options)?;
    let model = Rc::new(data::model(&options.model, &train)?);
    println!(
        "{}: {} training and {} test examples; {} parameters; {} epochs of batches of {}; {} threads",
        options.data,
        train.len(),
        test.len(),
        model.layout().total(),
        options.epochs,
        options.batch,
        backend.threads(),
    );
    let setting = Setting { options: &options, backend, model, train: &train, test: &test };
    let mut json = match &options.json {
        Some(path) => {
            let open = OpenOptions::new().create(true).append(true).open(path);
            Some(open.with_context(|| format!("--json {}", path.display()))?)
        }
        None => None,
    };
    let mut outcomes = Vec::new();
    for name in &options.optimizer {
        let outcome = setting.run(name)?;
        if let Some(file) = &mut json {
            // One write a line, so that a line is whole or not there.
            let line = format!("{}\n", serde_json::to_string(&outcome)?);
            file.write_all(line.as_bytes())?;
        }
        outcomes.push(outcome);
    }
    table(&outcomes, train.len().min(CURVATURE_EXAMPLES), options.probes);
    Ok(())
}

fn table(outcomes: &[Outcome], examples: usize, probes: usize) {
    println!();
    println!(
        "{:<14} {:<10} {:>8} {:>10} {:>18} {:>18} {:>18} {:>8} {:>6}",
        "optimizer", "estimator", "test", "train", "tr H", "‖H‖_F", "λ_max", "seconds", "steps"
    );
    println!("{:<14} {:<10} {:>8} {:>10}", "", "", "accuracy", "loss");
    for o in outcomes {
        let pair = |value: f64, error: f64| format!("{value:.3} ± {error:.3}");
        println!(
            "{:<14} {:<10} {:>8.4} {:>10.6} {:>18} {:>18} {:>18} {:>8.2} {:>6}",
            o.optimizer,
            o.estimator.unwrap_or("–"),
            o.test_accuracy,
            o.train_loss,
            pair(o.trace, o.trace_se),
            pair(o.frobenius, o.frobenius_se),
            pair(o.lambda_max, o.lambda_max_residual),
            o.seconds,
            o.steps,
        );
    }
    println!();
    println!(
        "H is the Hessian of the mean training loss of {examples} examples at the solution. tr H and ‖H‖_F: \
         {probes} random probes, ± standard error; λ_max: Lanczos, ± residual. Seconds are those of training."
    );
}
