//! Trace, Frobenius norm and diagonal as means over random probes.

use super::LinearOperator;
use super::probes::{Estimated, Mean, Probes, each_product};
use super::vectors::dot;
use crate::error::{Error, Result, at_least};

const PROBES: &str = "the number of probes";
const ONE: (usize, &str) = (1, "at least 1");

/// Mean of `f(v, Av)` over probes.
fn average(
    of: &'static str,
    a: &mut dyn LinearOperator,
    (probes, count, seed): (Probes, usize, u64),
    f: impl Fn(&[f64], &[f64]) -> f64,
) -> Result<Estimated> {
    at_least(of, PROBES, count, ONE)?;
    let before = a.num_matvecs();
    let mut mean = Mean::default();
    let draw = |i: usize, v: &mut [f64]| probes.fill(seed, i, v);
    each_product(of, a, (0, count), draw, |v, image| mean.push(f(v, image)))?;
    if !mean.value().is_finite() {
        let problem = "the mean over the probes overflows".into();
        return Err(Error::Iteration { of, problem });
    }
    let num_matvecs = a.num_matvecs() - before;
    Ok(Estimated { value: mean.value(), standard_error: mean.standard_error(), num_matvecs })
}

/// tr A = E vᵀAv (Hutchinson 1989), from `count` products.
///
/// The variance is 2(‖A‖²_F − Σ a_ii²)/count for Rademacher probes, 2‖A‖²_F/count for Gaussian ones.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{MatrixOperator, Probes, trace};
/// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
/// // vᵀAv is 3 or 7.
/// let found = trace(&mut a, Probes::Rademacher, 100, 1)?;
/// assert_eq!(found.num_matvecs, 100);
/// assert!((found.value - 5.0).abs() < 3.0 * found.standard_error);
/// assert!((found.standard_error - 0.2).abs() < 0.01);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] for no probes, [`Error::Iteration`] when a product is not finite or the
/// mean overflows, or what the operator reports.
pub fn trace(
    a: &mut dyn LinearOperator,
    probes: Probes,
    count: usize,
    seed: u64,
) -> Result<Estimated> {
    average("trace", a, (probes, count, seed), dot)
}

/// ‖A‖_F = √E‖Av‖², from `count` products, with its standard error by the delta method.
///
/// The variance of the square is 2(‖A²‖²_F − Σ (A²)_ii²)/count for Rademacher probes,
/// 2‖A²‖²_F/count for Gaussian ones; that of the norm is this over 4‖A‖²_F.
///
/// ```
/// use burlap_autodiff::{Array, DType};
/// use burlap_optim::curvature::{MatrixOperator, Probes, frobenius_norm};
/// let mut a = MatrixOperator::new(&Array::eye(DType::F64, 9))?;
/// let found = frobenius_norm(&mut a, Probes::Rademacher, 5, 1)?;
/// assert_eq!((found.value, found.standard_error), (3.0, 0.0));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// As [`trace`].
pub fn frobenius_norm(
    a: &mut dyn LinearOperator,
    probes: Probes,
    count: usize,
    seed: u64,
) -> Result<Estimated> {
    let square = average("frobenius norm", a, (probes, count, seed), |_, image| dot(image, image))?;
    let value = square.value.sqrt();
    let standard_error =
        if value > 0.0 { square.standard_error / (2.0 * value) } else { square.standard_error };
    Ok(Estimated { value, standard_error, ..square })
}

/// The diagonal of A, Σ v ⊙ Av ⊘ Σ v ⊙ v over probes (Bekas, Kokiopoulou and Saad, Applied
/// Numerical Mathematics 57, 2007), from `count` products, with the standard error of each element.
///
/// The variance of element i is Σ a_ij² over j ≠ i, by count: for Rademacher probes, and in
/// the limit of many probes for Gaussian ones.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{MatrixOperator, Probes, diagonal};
/// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
/// let found = diagonal(&mut a, Probes::Rademacher, 100, 1)?;
/// for (i, exact) in [2.0, 3.0].into_iter().enumerate() {
///     assert!((found.value[i] - exact).abs() < 3.0 * found.standard_error[i]);
///     assert!((found.standard_error[i] - 0.1).abs() < 0.01);
/// }
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// As [`trace`].
pub fn diagonal(
    a: &mut dyn LinearOperator,
    probes: Probes,
    count: usize,
    seed: u64,
) -> Result<Estimated<Vec<f64>>> {
    const OF: &str = "diagonal";
    at_least(OF, PROBES, count, ONE)?;
    let before = a.num_matvecs();
    let mut elements = vec![Ratio::default(); a.dim()];
    let draw = |i: usize, v: &mut [f64]| probes.fill(seed, i, v);
    each_product(OF, a, (0, count), draw, |v, image| {
        for ((element, v), image) in elements.iter_mut().zip(v).zip(image) {
            element.push(v * image, v * v);
        }
    })?;
    let value = elements.iter().map(|e| e.ratio).collect();
    let standard_error = elements.iter().map(|e| e.standard_error(count)).collect();
    Ok(Estimated { value, standard_error, num_matvecs: a.num_matvecs() - before })
}

/// The ratio r = Σp / Σw of two sums, with the sums of (p − rw)w and (p − rw)² that its standard
/// error needs, kept for the present r: no cancellation.
#[derive(Clone, Copy, Debug, Default)]
struct Ratio {
    ratio: f64,
    weight: f64,
    squared_weight: f64,
    along: f64,
    square: f64,
}

impl Ratio {
    fn push(&mut self, p: f64, w: f64) {
        let e = p - self.ratio * w;
        self.weight += w;
        self.squared_weight += w * w;
        self.along += e * w;
        self.square += e * e;
        if self.weight > 0.0 {
            let delta = e / self.weight;
            self.ratio += delta;
            self.square += delta * (delta * self.squared_weight - 2.0 * self.along);
            self.along -= delta * self.squared_weight;
        }
    }

    /// By the delta method.
    fn standard_error(&self, count: usize) -> f64 {
        let n = count as f64;
        if count < 2 {
            return f64::INFINITY;
        }
        (self.square.max(0.0) * n / (n - 1.0)).sqrt() / self.weight
    }
}
