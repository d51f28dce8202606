//! Trains a network with one or several optimizers and draws the loss over a plane through each
//! of the solutions, side by side.
//!
//! `cargo run --release --example landscape -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Context, Result};
use burlap::cli::{self, Experiment, FilesArgs, LandscapeArgs, TrainingArgs, say};
use burlap::report::{Picture, Table, landscapes_caption, landscapes_picture, writable_folder};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains a network and draws its loss over a plane through the solution (with --epochs 0 through
/// its start, with --resume through a saved one).
#[derive(Parser, Clone, Debug)]
#[command(name = "landscape")]
struct Options {
    #[command(flatten)]
    training: TrainingArgs,

    #[command(flatten)]
    files: FilesArgs,

    #[command(flatten)]
    landscape: LandscapeArgs,

    #[arg(
        long = "method",
        alias = "optimizer",
        value_name = "METHOD",
        value_delimiter = ',',
        default_value = "sgd,sam,frob-sam",
        help = burlap::cli::methods_help()
    )]
    methods: Vec<String>,

    /// Write landscape.svg and landscape.png into this folder
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

fn main() -> ExitCode {
    cli::exit(draw())
}

fn draw() -> Result<()> {
    let options: Options = cli::parse();
    let files = options.files.check(&options.methods)?;
    options.landscape.check()?;
    let experiment = Experiment::new(&options.training)?;
    experiment.check(&options.methods)?;
    writable_folder(&options.out, Picture::files("landscape")).context("--out")?;
    let mut landscapes = Vec::new();
    for name in &options.methods {
        let run = experiment.fit(name, &files)?;
        landscapes.push(experiment.landscape(name, &run, &options.landscape)?);
    }
    let mut table = Table::new(["optimizer", "least loss", "largest loss", "‖d₁‖", "‖d₂‖"]);
    for l in &landscapes {
        let finite = || l.field.values().iter().copied().filter(|v| v.is_finite());
        let ends = [finite().fold(f64::INFINITY, f64::min), finite().fold(0.0, f64::max)];
        let numbers = ends.into_iter().chain(l.lengths).map(|x| format!("{x:.5}"));
        table.row(std::iter::once(l.name.clone()).chain(numbers));
    }
    let examples = experiment.landscape_examples(&options.landscape);
    say!("{table}\n{}", landscapes_caption(&landscapes, examples))?;
    let [svg, png] = landscapes_picture(&landscapes).write(&options.out, "landscape")?;
    say!("Drawn to {} and {}.", svg.display(), png.display())?;
    Ok(())
}
