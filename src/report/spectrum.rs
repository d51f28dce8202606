//! The spectrum of a Hessian: density by stochastic Lanczos quadrature, ends by Lanczos.

use crate::curvature::{CURVATURE_EXAMPLES, hessian_of_first};
use crate::numbers;
use crate::plot::{Axis, Chart, Picture};
use crate::progress::watched;
use anyhow::{Context, Result};
use burlap::autodiff::Array;
use burlap::nn::data::Dataset;
use burlap::optim::Objective;
use burlap::optim::curvature::{Lanczos, Probes, Quadrature, Which};

/// How a spectrum is measured.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct SpectrumArgs {
    /// Random probes of the spectral density
    #[arg(long, default_value_t = 10, value_parser = numbers::count)]
    pub density_probes: usize,

    /// Products with the Hessian for each probe of the spectral density
    #[arg(long, default_value_t = 60, value_parser = numbers::whole(1..=10_000))]
    pub density_steps: usize,
}

/// A Hessian's spectral quadrature and the ends of its spectrum.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// The optimizer that found the point.
    pub name: String,
    /// The smallest eigenvalue and its residual.
    pub low: (f64, f64),
    /// The largest eigenvalue and its residual.
    pub high: (f64, f64),
    /// How many examples the loss is a mean of.
    pub examples: usize,
    /// The settings.
    pub args: SpectrumArgs,
    quadrature: Quadrature,
}

/// How many points a density is drawn through.
const POINTS: usize = 400;

impl Spectrum {
    /// Of the mean loss of the first [`CURVATURE_EXAMPLES`] of a data set at a point.
    ///
    /// # Errors
    /// For no probes or steps, or what the engine reports.
    pub fn measure(
        name: &str,
        objective: &Objective,
        x: &Array,
        data: &Dataset,
        args: SpectrumArgs,
        seed: u64,
    ) -> Result<Spectrum> {
        let hessian = hessian_of_first(CURVATURE_EXAMPLES, data, objective, x)?;
        let (count, steps) = (args.density_probes, args.density_steps);
        let lanczos = Lanczos { max_matvecs: 100, tolerance: 1e-4 };
        let total = count.saturating_mul(steps).saturating_add(lanczos.max_matvecs);
        let mut hessian = watched(hessian, name, total)?;
        let quadrature = Quadrature::new(&mut hessian, Probes::Rademacher, count, steps, seed)?;
        let ends = lanczos.eigenpairs(&mut hessian, Which::BothEnds(1, 1), None, seed)?;
        let end = |pair: Option<&burlap::optim::curvature::Eigenpair>| {
            pair.map(|p| (p.value, p.residual)).context("a network without parameters")
        };
        Ok(Spectrum {
            name: name.to_owned(),
            low: end(ends.last())?,
            high: end(ends.first())?,
            examples: data.len().min(CURVATURE_EXAMPLES),
            args,
            quadrature,
        })
    }
}

/// The densities side by side, on the same axes and with the same width of the broadening.
///
/// # Errors
/// What the quadrature reports.
pub fn spectra_picture(spectra: &[Spectrum]) -> Result<Picture> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for s in spectra {
        let ends = s.quadrature.spectral_bounds().unwrap_or((s.low.0, s.high.0));
        low = low.min(s.low.0).min(ends.0);
        high = high.max(s.high.0).max(ends.1);
    }
    let scale = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
    let width = 0.01 * if high - low > 1e-10 * scale { high - low } else { scale };
    let (low, high) = (low - 5.0 * width, high + 5.0 * width);
    let step = (high - low) / (POINTS - 1) as f64;
    let at: Vec<f64> = (0..POINTS).map(|i| low + step * i as f64).collect();
    let mut densities = Vec::with_capacity(spectra.len());
    for s in spectra {
        densities.push(s.quadrature.density_at(&at, width)?);
    }
    let peak = densities.iter().flat_map(|d| &d.values).fold(f64::MIN_POSITIVE, |m, &v| m.max(v));
    // One eigenvalue alone peaks at 1/(dσ√2π): two orders below that nothing is to be seen.
    let dim = spectra.first().map_or(1, |s| s.quadrature.dim()).max(1) as f64;
    let single = 1.0 / (dim * width * std::f64::consts::TAU.sqrt());
    let y = Axis::log("density").with_range(1e-2 * single, 3.0 * peak);
    let mut picture = Picture::new("Eigenvalue density of the Hessian").chart_size(440.0, 270.0);
    if spectra.len() == 1 {
        picture = picture.columns(1).chart_size(640.0, 380.0);
    }
    for (s, density) in spectra.iter().zip(densities) {
        let x = Axis::linear("eigenvalue").with_range(low, high);
        let points = density.points.iter().copied().zip(density.values.iter().copied());
        let chart = Chart::new(&s.name, x, y.clone())
            .density(&s.name, points)
            .rule(&s.name, s.low.0, &format!("λ_min {}", signed(s.low.0)))
            .rule(&s.name, s.high.0, &format!("λ_max {}", signed(s.high.0)));
        picture = picture.chart(chart);
    }
    Ok(picture)
}

fn signed(x: f64) -> String {
    crate::theory::number(x).replace('-', "−")
}

/// What was measured, for the caption of the picture.
pub fn spectra_caption(spectra: &[Spectrum]) -> String {
    let Some(first) = spectra.first() else { return String::new() };
    format!(
        "Eigenvalue density of the Hessian of the mean training loss of {} examples, (1/d) Σᵢ N(λ; λᵢ, σ²) with σ = 1 % \
         of the range, by stochastic Lanczos quadrature ({} Rademacher probes of {} products each); dashed: smallest \
         and largest eigenvalue by Lanczos, residuals at most {:.0e}.",
        first.examples,
        first.args.density_probes,
        first.args.density_steps,
        spectra.iter().map(|s| s.low.1.max(s.high.1)).fold(0.0, f64::max),
    )
}
