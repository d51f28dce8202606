//! The spectrum of a Hessian: density by stochastic Lanczos quadrature, ends by Lanczos.

use super::number::short_number;
use super::plot::{Axis, Chart, Picture};
use super::{Error, Result};
use crate::optim::curvature::{Eigenpair, Lanczos, LinearOperator, Probes, Quadrature, Which};

/// How a spectral density is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpectrumSettings {
    /// The number of random probes, 10 by default.
    pub probes: usize,
    /// The number of products for each probe, 60 by default.
    pub steps: usize,
}

impl Default for SpectrumSettings {
    fn default() -> SpectrumSettings {
        SpectrumSettings { probes: 10, steps: 60 }
    }
}

/// Lanczos for the ends of a spectrum.
const LANCZOS: Lanczos = Lanczos { max_matvecs: 100, tolerance: 1e-4 };

impl SpectrumSettings {
    /// The largest number of products that a measurement takes, for progress bars.
    #[must_use]
    pub fn max_matvecs(&self) -> usize {
        self.probes.saturating_mul(self.steps).saturating_add(LANCZOS.max_matvecs)
    }
}

/// The spectral quadrature of a symmetric operator and the ends of its spectrum.
///
/// ```
/// use burlap::optim::curvature::MatrixOperator;
/// use burlap::prelude::*;
/// use burlap::report::{Spectrum, SpectrumSettings, spectra_picture};
///
/// let a = Array::from_vec([3, 3], vec![1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 9.0])?;
/// let mut a = MatrixOperator::new(&a)?;
/// let spectrum = Spectrum::measure("A", &mut a, SpectrumSettings::default(), 1)?;
/// assert_eq!((spectrum.low.0.round(), spectrum.high.0.round()), (1.0, 9.0));
/// assert!(spectra_picture(&[spectrum])?.svg()?.contains("eigenvalue"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// The name of the operator: the title of its chart.
    pub name: String,
    /// The smallest eigenvalue and its residual.
    pub low: (f64, f64),
    /// The largest eigenvalue and its residual.
    pub high: (f64, f64),
    /// How the density is estimated.
    pub settings: SpectrumSettings,
    quadrature: Quadrature,
}

/// The number of points that a density is drawn through.
const POINTS: usize = 400;

impl Spectrum {
    /// The spectrum of an operator: density by stochastic Lanczos quadrature with Rademacher
    /// probes, ends by Lanczos.
    ///
    /// # Errors
    /// For no probes or steps, and what the operator reports; [`Error::Eigenvalues`] for an operator
    /// of size 0.
    pub fn measure<A: LinearOperator>(
        name: &str,
        operator: &mut A,
        settings: SpectrumSettings,
        seed: u64,
    ) -> Result<Spectrum> {
        let SpectrumSettings { probes, steps } = settings;
        let quadrature = Quadrature::new(operator, Probes::Rademacher, probes, steps, seed)?;
        let ends = LANCZOS.eigenpairs(operator, Which::BothEnds(1, 1), None, seed)?;
        let end = |pair: Option<&Eigenpair>| match pair {
            Some(pair) => Ok((pair.value, pair.residual)),
            None => Err(Error::Eigenvalues { count: 1, dim: operator.dim() }),
        };
        Ok(Spectrum {
            name: name.to_owned(),
            low: end(ends.last())?,
            high: end(ends.first())?,
            settings,
            quadrature,
        })
    }
}

/// The densities side by side, on the same axes and with the same width of the broadening, 1 % of the
/// common range; dashed lines mark the smallest and the largest eigenvalue.
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
    short_number(x).replace('-', "−")
}

/// The caption of the picture: the method and its settings; `subject` names the operator, such as "the
/// Hessian of the mean training loss of 2048 examples".
#[must_use]
pub fn spectra_caption(spectra: &[Spectrum], subject: &str) -> String {
    let Some(first) = spectra.first() else { return String::new() };
    format!(
        "Eigenvalue density of {subject}, (1/d) Σᵢ N(λ; λᵢ, σ²) with σ = 1 % \
         of the range, by stochastic Lanczos quadrature ({} Rademacher probes of {} products each); dashed: smallest \
         and largest eigenvalue by Lanczos, residuals at most {:.0e}.",
        first.settings.probes,
        first.settings.steps,
        spectra.iter().map(|s| s.low.1.max(s.high.1)).fold(0.0, f64::max),
    )
}
