//! Random probes, the products with them, and what is averaged over them.

use super::LinearOperator;
use crate::error::{Error, Result};
use crate::random::{Draw, Purpose};
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
    /// Fills a vector with probe number `sample` of a seed.
    pub(super) fn fill(self, seed: u64, sample: usize, out: &mut [f64]) {
        let draw = Draw { seed, purpose: Purpose::Probe, step: 0, sample: sample as u32 };
        draw.fill(out, |stream| match self {
            Probes::Rademacher => {
                let positive: bool = StandardUniform.sample(stream);
                if positive { 1.0 } else { -1.0 }
            }
            Probes::Gaussian => StandardNormal.sample(stream),
        });
    }
}

/// An estimated number, or several where `T` is a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimated<T = f64> {
    /// The estimate.
    pub value: T,
    /// Its standard error over the random probes; 0 where it is exact, infinite where the probes
    /// are too few to tell. Rounding is not part of it.
    pub standard_error: T,
    /// The number of products that it took.
    pub num_matvecs: usize,
}

impl std::fmt::Display for Estimated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.value, self.standard_error)
    }
}

/// A mean with its standard error, by Welford's updates: no cancellation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    count: usize,
    mean: f64,
    square: f64,
}

impl Mean {
    pub(super) fn push(&mut self, x: f64) {
        self.count += 1;
        let delta = x - self.mean;
        self.mean += delta / self.count as f64;
        self.square += delta * (x - self.mean);
    }

    pub(super) fn value(&self) -> f64 {
        self.mean
    }

    pub(super) fn standard_error(&self) -> f64 {
        let n = self.count as f64;
        if self.count < 2 { f64::INFINITY } else { (self.square / (n - 1.0) / n).sqrt() }
    }
}

impl FromIterator<f64> for Mean {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Mean {
        let mut mean = Mean::default();
        values.into_iter().for_each(|x| mean.push(x));
        mean
    }
}

/// The products with rows of vectors, `before` of which an algorithm has had so many.
pub(super) fn multiply(
    of: &'static str,
    a: &mut dyn LinearOperator,
    rows: &[f64],
    before: usize,
) -> Result<Vec<f64>> {
    let mut images = vec![0.0; rows.len()];
    a.matmat(rows, &mut images)?;
    match images.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(not_finite(of, before + i / a.dim().max(1) + 1)),
        None => Ok(images),
    }
}

/// The error of a product with a NaN or an infinity.
pub(super) fn not_finite(of: &'static str, product: usize) -> Error {
    Error::Iteration { of, problem: format!("product {product} is not finite") }
}

/// Makes `count` vectors by `draw`, as many at a time as the operator multiplies together, and
/// gives each with its product to `take`. An algorithm has had `before` products already.
pub(super) fn each_product(
    of: &'static str,
    a: &mut dyn LinearOperator,
    (before, count): (usize, usize),
    draw: impl Fn(usize, &mut [f64]),
    mut take: impl FnMut(&[f64], &[f64]),
) -> Result<()> {
    let dim = a.dim();
    let block = a.block().max(1);
    for first in (0..count).step_by(block) {
        let rows = block.min(count - first);
        let mut vectors = vec![0.0; rows * dim];
        for i in 0..rows {
            draw(first + i, &mut vectors[i * dim..][..dim]);
        }
        let images = multiply(of, a, &vectors, before + first)?;
        for i in 0..rows {
            take(&vectors[i * dim..][..dim], &images[i * dim..][..dim]);
        }
    }
    Ok(())
}
