//! What a check found, property by property.

use super::differences::{distance, norm};
use crate::error::{Error, Result};
use std::fmt;

/// One property that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// What should be equal.
    pub name: &'static str,
    /// How often it was compared.
    pub comparisons: usize,
    /// The worst relative error: ‖expected − found‖ / (max(‖expected‖, ‖found‖) + floor), in
    /// the maximum norm; see [`Report`].
    pub worst: f64,
    /// What it may be at most.
    pub tolerance: f64,
}

/// What a check found: for each property the worst relative error.
///
/// Errors are relative to the norms of the two sides that should agree. Where both sides
/// vanish, as the Hessian of a linear function, that alone would compare noise with noise,
/// so a floor is added to the norms: for differences, the error that the extrapolation itself
/// estimates; for identities, the roundoff of what they are computed from.
///
/// ```
/// use burlap_autodiff::testing::check_gradient;
/// let report = check_gradient(|x| x.exp().sum(), [0.5, -1.0])?;
/// assert!(report.worst("jvp = differences of f").is_some_and(|worst| worst < 1e-7));
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The properties in the order in which they were checked.
    pub properties: Vec<Property>,
}

impl Report {
    /// The worst relative error of a property.
    pub fn worst(&self, name: &str) -> Option<f64> {
        self.properties.iter().find(|p| p.name == name).map(|p| p.worst)
    }

    /// Compares what should agree: fails unless the relative error is within the tolerance.
    /// `floor` is an absolute error that is always granted.
    pub(super) fn compare(
        &mut self,
        name: &'static str,
        expected: &[f64],
        found: &[f64],
        (tolerance, floor): (f64, f64),
        circumstances: impl fmt::Display,
    ) -> Result<()> {
        let (error, size) = (distance(expected, found), norm(expected).max(norm(found)));
        let scale = size + floor / tolerance;
        let relative = if error == 0.0 { 0.0 } else { error / scale };
        // NaN is never within a tolerance.
        let within = relative <= tolerance && expected.len() == found.len();
        if !within {
            let worst =
                expected.iter().zip(found).enumerate().max_by(|a, b| gap(a.1).total_cmp(&gap(b.1)));
            let place = match worst {
                Some((i, (e, f))) => {
                    format!("expected {e:e}, found {f:e} (element {i} of {})", expected.len())
                }
                None => format!("expected {} elements, found {}", expected.len(), found.len()),
            };
            let problem = format!(
                "{place}; relative error {relative:.3e}, at most {tolerance:e}; {circumstances}"
            );
            return Err(Error::Check { check: name, problem });
        }
        match self.properties.iter_mut().find(|p| p.name == name) {
            Some(property) => {
                property.comparisons += 1;
                property.worst = property.worst.max(relative);
            }
            None => {
                self.properties.push(Property { name, comparisons: 1, worst: relative, tolerance })
            }
        }
        Ok(())
    }
}

fn gap((expected, found): (&f64, &f64)) -> f64 {
    let gap = (expected - found).abs();
    if gap.is_nan() { f64::INFINITY } else { gap }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.properties.iter().map(|p| p.name.chars().count()).max().unwrap_or(0).max(8);
        write!(f, "{:width$}  times  worst error  tolerance", "property")?;
        for p in &self.properties {
            let Property { name, comparisons, worst, tolerance } = p;
            write!(f, "\n{name:width$}  {comparisons:5}  {worst:11.2e}  {tolerance:9.0e}")?;
        }
        Ok(())
    }
}
