//! What theory says of sharpness measures, on functions whose Hessians are known.
//!
//! `cargo run --release --example theory -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod estimate;
mod options;
mod penalty;
mod rescaling;
mod saddle;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use burlap::cli::{self, say};
use burlap::report::{Picture, Table, writable_folder};
use options::Options;
use std::process::ExitCode;

/// The pictures.
const ONE_SIDED: &str = "one-sided";
const SADDLE: &str = "saddle";
const RESCALING: &str = "rescaling";

fn main() -> ExitCode {
    cli::exit(describe())
}

fn describe() -> Result<()> {
    let options: Options = cli::parse();
    let Options { samples, seed, out } = &options;
    if let Some(folder) = out {
        let names = [ONE_SIDED, SADDLE, RESCALING].into_iter().flat_map(Picture::files);
        writable_folder(folder, names).context("--out")?;
    }
    let show = |title: &str, table: Table, conclusion: String, picture: Picture, name: &str| {
        say!("{title}\n\n{table}\n{conclusion}\n")?;
        match out {
            Some(folder) => Ok(picture.write(folder, name).map(|_| ())?),
            None => anyhow::Ok(()),
        }
    };

    let distances = [0.0, 0.01, 0.03, 0.1, 0.3, 1.0];
    let cells =
        penalty::one_sided_penalty(&distances, &[0.003, 0.01, 0.03, 0.1, 0.3], *samples, *seed)?;
    show(
        "1. Off critical points the one-sided estimator of ‖H‖²_F penalises the gradient's norm:\n   \
         2 Var L(x+ρv)/ρ⁴ = (2/ρ²) (‖∇L‖² + ρ²(½‖H‖²_F + ∇Lᵀ∇tr H) + O(ρ⁴)), the column \"formula\".",
        penalty::penalty_table(&cells),
        penalty::penalty_conclusion(&cells),
        penalty::penalty_picture(&cells),
        ONE_SIDED,
    )?;

    let measures = saddle::saddle_measures(*samples, *seed)?;
    let paths = saddle::saddle_paths(64, *seed)?;
    show(
        "2. At the saddle of a² − b² the trace vanishes and the Frobenius norm does not.",
        saddle::saddle_table(&paths),
        saddle::saddle_conclusion(&measures, &paths),
        saddle::saddle_picture(&paths),
        SADDLE,
    )?;

    let factors: Vec<f64> = (-4..=4).map(|k| 10f64.powf(0.25 * f64::from(k))).collect();
    let rows = rescaling::rescaled(&factors, *samples, *seed)?;
    show(
        "3. The loss (x₁x₂ − 1)² is the same at (c x₁, x₂/c); D = diag|x|.",
        rescaling::rescaling_table(&rows),
        rescaling::rescaling_conclusion(&rows),
        rescaling::rescaling_picture(&rows),
        RESCALING,
    )?;
    if let Some(folder) = out {
        say!("Pictures are in {}.", folder.display())?;
    }
    Ok(())
}
