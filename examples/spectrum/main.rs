//! Trains a network with one or several optimizers and draws the spectral densities of the
//! Hessians that they find, side by side.
//!
//! `cargo run --release --example spectrum -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Context, Result};
use burlap::cli::{self, Experiment, FilesArgs, SpectrumArgs, TrainingArgs, say};
use burlap::report::{Picture, Table, spectra_caption, spectra_picture, writable_folder};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains a network and draws the eigenvalue density of its Hessian (with --epochs 0 of the
/// network at its start, with --resume of a saved one).
#[derive(Parser, Clone, Debug)]
#[command(name = "spectrum")]
struct Options {
    #[command(flatten)]
    training: TrainingArgs,

    #[command(flatten)]
    files: FilesArgs,

    #[command(flatten)]
    spectrum: SpectrumArgs,

    #[arg(
        long = "method",
        alias = "optimizer",
        value_name = "METHOD",
        value_delimiter = ',',
        default_value = "sgd,frob-sam",
        help = burlap::cli::methods_help()
    )]
    methods: Vec<String>,

    /// Write spectrum.svg and spectrum.png into this folder
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

fn main() -> ExitCode {
    cli::exit(draw())
}

fn draw() -> Result<()> {
    let options: Options = cli::parse();
    let files = options.files.check(&options.methods)?;
    let experiment = Experiment::new(&options.training)?;
    experiment.check(&options.methods)?;
    writable_folder(&options.out, Picture::files("spectrum")).context("--out")?;
    let mut spectra = Vec::new();
    for name in &options.methods {
        let run = experiment.fit(name, &files)?;
        spectra.push(experiment.spectrum(name, &run, options.spectrum)?);
    }
    let mut table = Table::new(["optimizer", "λ_min", "λ_max"]);
    for s in &spectra {
        let end = |(value, residual): (f64, f64)| format!("{value:.5} ± {residual:.5}");
        table.row([s.name.clone(), end(s.low), end(s.high)]);
    }
    say!("{table}\n{}", spectra_caption(&spectra, &experiment.hessian_description()))?;
    let [svg, png] = spectra_picture(&spectra)?.write(&options.out, "spectrum")?;
    say!("Drawn to {} and {}.", svg.display(), png.display())?;
    Ok(())
}
