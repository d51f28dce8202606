//! Trace and Frobenius norm from products with random probes.

use super::LinearOperator;
use crate::error::{Error, Result};
use crate::random::{Draw, Purpose};
use crate::sharpness::Estimate;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

/// The distribution of the probes' elements, each of mean 0 and variance 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probes {
    /// ±1: the smaller variance for traces, 2(‖A‖²_F − Σ a_ii²).
    #[default]
    Rademacher,
    /// Normal: variance 2‖A‖²_F.
    Gaussian,
}

impl Probes {
    fn fill(self, draw: Draw, out: &mut [f64]) {
        draw.fill(out, |stream| match self {
            Probes::Rademacher => {
                let positive: bool = StandardUniform.sample(stream);
                if positive { 1.0 } else { -1.0 }
            }
            Probes::Gaussian => StandardNormal.sample(stream),
        });
    }
}

/// Mean and standard error of `f(v, Av)` over probes.
fn average(
    a: &mut dyn LinearOperator,
    probes: Probes,
    count: usize,
    seed: u64,
    f: impl Fn(&[f64], &[f64]) -> f64,
) -> Result<Estimate> {
    if count == 0 {
        let (of, value) = ("stochastic estimate".into(), "0".into());
        return Err(Error::Setting {
            of,
            name: "the number of probes",
            value,
            expected: "at least 1",
        });
    }
    let dim = a.dim();
    let block = a.block().clamp(1, count);
    let mut vectors = vec![0.0; block * dim];
    let mut images = vec![0.0; block * dim];
    let (mut mean, mut square) = (0.0, 0.0);
    for first in (0..count).step_by(block) {
        let rows = block.min(count - first);
        let (vectors, images) = (&mut vectors[..rows * dim], &mut images[..rows * dim]);
        for i in 0..rows {
            let sample = (first + i) as u32;
            let draw = Draw { seed, purpose: Purpose::Probe, step: 0, sample };
            probes.fill(draw, &mut vectors[i * dim..][..dim]);
        }
        a.apply_many(vectors, images)?;
        for i in 0..rows {
            let x = f(&vectors[i * dim..][..dim], &images[i * dim..][..dim]);
            // Welford's update: no cancellation.
            let delta = x - mean;
            mean += delta / (first + i + 1) as f64;
            square += delta * (x - mean);
        }
    }
    let standard_error =
        if count < 2 { f64::INFINITY } else { (square / (count - 1) as f64 / count as f64).sqrt() };
    Ok(Estimate { value: mean, standard_error, samples: count })
}

/// tr A = E vᵀAv (Hutchinson 1989), with its standard error.
///
/// # Errors
/// [`Error::Setting`] for no probes, or what the operator reports.
pub fn trace(
    a: &mut dyn LinearOperator,
    probes: Probes,
    count: usize,
    seed: u64,
) -> Result<Estimate> {
    average(a, probes, count, seed, |v, image| v.iter().zip(image).map(|(a, b)| a * b).sum())
}

/// ‖A‖_F = √E‖Av‖², with its standard error by the delta method.
///
/// # Errors
/// [`Error::Setting`] for no probes, or what the operator reports.
pub fn frobenius_norm(
    a: &mut dyn LinearOperator,
    probes: Probes,
    count: usize,
    seed: u64,
) -> Result<Estimate> {
    let square = average(a, probes, count, seed, |_, image| image.iter().map(|x| x * x).sum())?;
    let value = square.value.sqrt();
    let standard_error =
        if value > 0.0 { square.standard_error / (2.0 * value) } else { square.standard_error };
    Ok(Estimate { value, standard_error, samples: count })
}
