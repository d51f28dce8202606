//! What theory says of sharpness measures, on functions whose Hessians are known.
//!
//! `cargo run --release --example theory -- --help` lists the options.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod options;

use anyhow::{Context, Result};
use options::Options;
use std::process::ExitCode;
use support::plot::Picture;
use support::{Table, say, theory, writable_folder};

/// The pictures.
const ONE_SIDED: &str = "one-sided";
const SADDLE: &str = "saddle";
const RESCALING: &str = "rescaling";

fn main() -> ExitCode {
    support::exit(tell())
}

fn tell() -> Result<()> {
    let options: Options = support::parse();
    let Options { samples, seed, out } = &options;
    if let Some(folder) = out {
        let names = [ONE_SIDED, SADDLE, RESCALING].into_iter().flat_map(Picture::files);
        writable_folder(folder, names).context("--out")?;
    }
    let show = |title: &str, table: Table, said: String, picture: Picture, name: &str| {
        say!("{title}\n\n{table}\n{said}\n")?;
        match out {
            Some(folder) => picture.write(folder, name).map(|_| ()),
            None => Ok(()),
        }
    };

    let distances = [0.0, 0.01, 0.03, 0.1, 0.3, 1.0];
    let cells =
        theory::one_sided_penalty(&distances, &[0.003, 0.01, 0.03, 0.1, 0.3], *samples, *seed)?;
    show(
        "1. Off critical points the one-sided estimator of ‖H‖²_F penalises the gradient's norm:\n   \
         2 Var L(x+ρv)/ρ⁴ = (2/ρ²) (‖∇L‖² + ρ²(½‖H‖²_F + ∇Lᵀ∇tr H) + O(ρ⁴)), the column \"formula\".",
        theory::penalty_table(&cells),
        theory::penalty_conclusion(&cells),
        theory::penalty_picture(&cells),
        ONE_SIDED,
    )?;

    let measures = theory::saddle_measures(*samples, *seed)?;
    let paths = theory::saddle_paths(64, *seed)?;
    show(
        "2. At the saddle of a² − b² the trace vanishes and the Frobenius norm does not.",
        theory::saddle_table(&paths),
        theory::saddle_conclusion(&measures, &paths),
        theory::saddle_picture(&paths),
        SADDLE,
    )?;

    let factors: Vec<f64> = (-4..=4).map(|k| 10f64.powf(0.25 * f64::from(k))).collect();
    let rows = theory::rescaled(&factors, *samples, *seed)?;
    show(
        "3. The loss (x₁x₂ − 1)² is the same at (c x₁, x₂/c); D = diag|x|.",
        theory::rescaling_table(&rows),
        theory::rescaling_conclusion(&rows),
        theory::rescaling_picture(&rows),
        RESCALING,
    )?;
    if let Some(folder) = out {
        say!("Pictures are in {}.", folder.display())?;
    }
    Ok(())
}
