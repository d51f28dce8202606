//! Trains one network with several optimizers and compares what they find: accuracy, and the
//! curvature of the loss at the solution.
//!
//! `cargo run --release --example train -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod options;
mod outcome;
mod report;

use anyhow::{Context, Result};
use burlap::cli::{self, CURVATURE_EXAMPLES, Epoch, Experiment, say};
use burlap::nn::files::open_to_append;
use burlap::report::Table;
use options::Options;
use outcome::Outcome;
use report::ReportBuilder;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::exit(train())
}

fn train() -> Result<()> {
    let options: Options = cli::parse();
    let files = options.files.check(&options.methods)?;
    options.landscape.check()?;
    let experiment = Experiment::new(&options.training)?;
    experiment.check(&options.methods)?;
    let mut report = ReportBuilder::new(&options)?;
    let mut json = match &options.json {
        Some(path) => Some(open_to_append(path).context("--json")?),
        None => None,
    };
    let Experiment { args, backend, model, train, test } = &experiment;
    say!(
        "{}: {} training and {} test examples; {} parameters; {} epochs of batches of {}; {} threads",
        args.data.data,
        train.len(),
        test.len(),
        model.layout().total(),
        args.epochs,
        args.batch,
        backend.threads(),
    )?;
    let mut outcomes = Vec::new();
    for name in &options.methods {
        let observe = |epoch: &Epoch<'_>| report.observe(&experiment, epoch);
        let trained = experiment.fit_observed(name, &files, observe)?;
        let outcome = Outcome::measure(name, &experiment, &trained, options.probes)?;
        report.finish_run(name, &experiment, &trained)?;
        if let Some(file) = &mut json {
            // One write a line, so that a line is whole or not there.
            let line = format!("{}\n", serde_json::to_string(&outcome)?);
            file.write_all(line.as_bytes())?;
        }
        outcomes.push(outcome);
    }
    let table = table(&outcomes);
    let explanation = explanation(train.len().min(CURVATURE_EXAMPLES), options.probes);
    say!("\n{table}\n{explanation}")?;
    if let Some(path) = report.write(&experiment, &table, &explanation)? {
        say!("The report is {}.", path.display())?;
    }
    Ok(())
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new([
        "optimizer",
        "estimator",
        "test accuracy",
        "train loss",
        "tr H",
        "‖H‖_F",
        "λ_max",
        "seconds",
        "steps",
    ]);
    for o in outcomes {
        let pair = |value: f64, error: f64| format!("{value:.3} ± {error:.3}");
        table.row([
            o.optimizer.clone(),
            o.estimator.unwrap_or("–").to_owned(),
            format!("{:.4}", o.test_accuracy),
            format!("{:.6}", o.train_loss),
            pair(o.trace, o.trace_se),
            pair(o.frobenius, o.frobenius_se),
            pair(o.lambda_max, o.lambda_max_residual),
            format!("{:.2}", o.seconds),
            o.steps.to_string(),
        ]);
    }
    table
}

fn explanation(examples: usize, probes: usize) -> String {
    format!(
        "H is the Hessian of the mean training loss of {examples} examples at the solution. tr H and ‖H‖_F: \
         {probes} random probes, ± standard error; λ_max: Lanczos, ± residual. Seconds are those of training."
    )
}
