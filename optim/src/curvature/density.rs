//! The spectral density of an operator, broadened.

use super::probes::Mean;
use super::quadrature::Quadrature;
use crate::error::{Error, Result, at_least, finite, positive};

const OF: &str = "spectral density";

/// A spectral density at some points, each eigenvalue broadened to a normal distribution; see
/// [`Quadrature::density`].
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// The points t, ascending where they were chosen automatically.
    pub points: Vec<f64>,
    /// ρ(t).
    pub values: Vec<f64>,
    /// ln ρ(t), finite also where ρ(t) is below the smallest number: for logarithmic scales.
    pub ln_values: Vec<f64>,
    /// The standard errors of ρ(t) over the probes; infinite for a single one.
    pub standard_errors: Vec<f64>,
    /// The standard deviation σ of the normal distributions.
    pub width: f64,
}

impl Quadrature {
    /// The density of A's eigenvalues with mass 1, each broadened to a normal distribution:
    /// ρ(t) = (1/d) Σ N(t; λᵢ, σ²), at evenly spaced points from 4σ below the smallest Ritz value to
    /// 4σ above the largest.
    ///
    /// Without a width σ it is a hundredth of the range of the Ritz values, or the distance of two
    /// points where that is more; of the values themselves where all are equal.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
    /// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![0.0, 1.0, 1.0, 0.0])?)?;
    /// let spectrum = Quadrature::new(&mut a, Probes::Gaussian, 100, 2, 1)?;
    /// let density = spectrum.density(201, Some(0.1))?;
    /// // Half of the mass at each of ±1: ½ / (0.1 √(2π)) = 1.995.
    /// let at = |t: f64| density.points.iter().position(|p| (p - t).abs() < 0.01).unwrap_or(0);
    /// let error = density.standard_errors[at(1.0)];
    /// assert!((density.values[at(1.0)] - 1.995).abs() < 3.0 * error);
    /// // Far from both: −½ (1/0.1)² + ln(1 / (0.1 √(2π))).
    /// assert!((density.ln_values[100] - (-50.0 + 1.3837)).abs() < 0.001);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than 2 points or a width that is not positive and finite,
    /// [`Error::Iteration`] for an operator of no rows.
    pub fn density(&self, points: usize, width: Option<f64>) -> Result<Density> {
        at_least(OF, "the number of points", points, (2, "at least 2"))?;
        let (low, high) = self.spectral_bounds().ok_or_else(no_rows)?;
        let width = width.unwrap_or_else(|| {
            let range = high - low;
            // Copies of one eigenvalue differ by rounding.
            let scale = high.abs().max(low.abs());
            if range > 1e-10 * scale {
                range * f64::max(0.01, 1.0 / points as f64)
            } else if scale > 0.0 {
                0.01 * scale
            } else {
                0.01
            }
        });
        let (from, to) = (low - 4.0 * width, high + 4.0 * width);
        let step = (to - from) / (points - 1) as f64;
        let grid: Vec<f64> = (0..points).map(|i| from + step * i as f64).collect();
        self.density_at(&grid, width)
    }

    /// The density at points of your own: see [`Quadrature::density`].
    ///
    /// ```
    /// use burlap_autodiff::{Array, DType};
    /// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
    /// let mut a = MatrixOperator::new(&Array::eye(DType::F64, 3))?;
    /// let spectrum = Quadrature::new(&mut a, Probes::Rademacher, 2, 2, 1)?;
    /// let density = spectrum.density_at(&[1.0, 1.1], 0.1)?;
    /// assert_eq!(format!("{:.4} {:.4}", density.values[0], density.values[1]), "3.9894 2.4197");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a width that is not positive and finite, or a point that is not
    /// finite; [`Error::Iteration`] for an operator of no rows.
    pub fn density_at(&self, points: &[f64], width: f64) -> Result<Density> {
        positive(OF, "the width", width)?;
        points.iter().try_for_each(|&point| finite(OF, "a point", point))?;
        if self.rules().is_empty() {
            return Err(no_rows());
        }
        let mut density = Density {
            points: points.to_vec(),
            values: Vec::with_capacity(points.len()),
            ln_values: Vec::with_capacity(points.len()),
            standard_errors: Vec::with_capacity(points.len()),
            width,
        };
        let height = (width * std::f64::consts::TAU.sqrt()).recip();
        for &t in points {
            let exponent = |node: f64| -0.5 * ((t - node) / width).powi(2);
            let nodes = self.rules().iter().flat_map(|rule| &rule.nodes);
            // Relative to the nearest node's, so that the sum is not zero.
            let largest = nodes.map(|&x| exponent(x)).fold(f64::NEG_INFINITY, f64::max);
            let mean: Mean = self.means(|x| (exponent(x) - largest).exp()).collect();
            let nearest = largest.exp() * height;
            density.values.push(mean.value() * nearest);
            density.ln_values.push(mean.value().ln() + largest + height.ln());
            density.standard_errors.push(mean.standard_error() * nearest);
        }
        Ok(density)
    }
}

fn no_rows() -> Error {
    Error::Iteration { of: OF, problem: "the operator has no rows".into() }
}
