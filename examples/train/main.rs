//! Trains one network with several optimizers and compares what they find: accuracy, and the
//! curvature of the loss at the solution.
//!
//! `cargo run --release --example train -- --help` lists the options.

mod options;
mod outcome;

use anyhow::{Context, Result, bail};
use clap::Parser;
use options::Options;
use outcome::Outcome;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;
use support::{CURVATURE_EXAMPLES, Experiment, Files};

fn main() -> ExitCode {
    support::exit(train())
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
    let experiment = Experiment::new(&options.training)?;
    let Experiment { args, backend, model, train, test } = &experiment;
    println!(
        "{}: {} training and {} test examples; {} parameters; {} epochs of batches of {}; {} threads",
        args.data.data,
        train.len(),
        test.len(),
        model.layout().total(),
        args.epochs,
        args.batch,
        backend.threads(),
    );
    let mut json = match &options.json {
        Some(path) => {
            let open = OpenOptions::new().create(true).append(true).open(path);
            Some(open.with_context(|| format!("--json {}", path.display()))?)
        }
        None => None,
    };
    let files = Files { save: options.save.clone(), resume: options.resume.clone() };
    let mut outcomes = Vec::new();
    for name in &options.optimizer {
        let fitted = experiment.fit(name, &files, |_| Ok(()))?;
        let outcome = Outcome::judge(name, &experiment, &fitted, options.probes)?;
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
