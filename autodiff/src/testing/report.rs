//! What a check found, property by property.

use super::differences::norm;
use crate::error::{At, Error, Result};
use std::fmt;

/// One property that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// What should be equal.
    pub name: &'static str,
    /// How often it was compared.
    pub comparisons: usize,
    /// The worst relative error: |expected − found| / (size + floor); see [`Report`].
    pub worst: f64,
    /// What it may be at most.
    pub tolerance: f64,
}

/// What is compared, and how closely.
pub(super) struct Comparison<'a> {
    pub(super) name: &'static str,
    pub(super) expected: &'a [f64],
    pub(super) found: &'a [f64],
    pub(super) granted: Granted,
    /// What the user calls an element.
    pub(super) place: &'a dyn Fn(usize) -> String,
    pub(super) at: At,
}

/// A relative error that is granted, and an absolute one that is granted always.
#[derive(Clone, Copy)]
pub(super) enum Granted {
    /// Relative to each element.
    Each(f64, f64),
    /// Relative to the largest element.
    Norm(f64, f64),
}

/// What a check found: for each property the worst relative error.
///
/// An error is relative to a size: for differences, that of the element itself; for identities,
/// the maximum norm of the two sides that should agree. Where both sides vanish, as the Hessian
/// of a linear function, that alone would compare noise with noise, so a floor is added: for
/// differences, the error that the extrapolation itself estimates; for identities, the roundoff
/// of what they are computed from.
///
/// ```
/// use burlap_autodiff::testing::check_gradient;
/// let report = check_gradient(|x| x.exp().sum(), [0.5, -1.0])?;
/// assert!(report.worst("∇f = differences of f").is_some_and(|worst| worst < 1e-7));
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

    /// Compares what should agree; says where it does not.
    pub(super) fn compare(
        &mut self,
        Comparison { name, expected, found, granted, place, at }: Comparison<'_>,
        circumstances: impl fmt::Display,
    ) -> Result<()> {
        if expected.len() != found.len() {
            let problem = format!("expected {} elements, found {}", expected.len(), found.len());
            return Err(Error::Check { check: name, problem, at });
        }
        self.finite(name, expected, place, at)?;
        self.finite(name, found, place, at)?;
        let (tolerance, floor) = match granted {
            Granted::Each(tolerance, floor) | Granted::Norm(tolerance, floor) => (tolerance, floor),
        };
        let whole = norm(expected).max(norm(found));
        let relative = |i: usize| {
            let (e, f) = (expected[i], found[i]);
            let size = match granted {
                Granted::Each(..) => e.abs().max(f.abs()),
                Granted::Norm(..) => whole,
            };
            if e == f { 0.0 } else { (e - f).abs() / (size + floor / tolerance) }
        };
        // Of what is wrong, the element that is off by most is named.
        let off = |&i: &usize| (expected[i] - found[i]).abs();
        let wrong = (0..found.len()).filter(|&i| relative(i) > tolerance || relative(i).is_nan());
        if let Some(i) = wrong.max_by(|a, b| off(a).total_cmp(&off(b))) {
            let problem = format!(
                "{}: expected {:?}, found {:?}; off by {:.3e}, relative error {:.3e}, at most \
                 {tolerance:e}{circumstances}",
                place(i),
                // Without the sign of a zero.
                expected[i] + 0.0,
                found[i] + 0.0,
                off(&i),
                relative(i),
            );
            return Err(Error::Check { check: name, problem, at });
        }
        let worst = (0..found.len()).map(relative).fold(0.0, f64::max);
        match self.properties.iter_mut().find(|p| p.name == name) {
            Some(property) => {
                property.comparisons += 1;
                property.worst = property.worst.max(worst);
            }
            None => self.properties.push(Property { name, comparisons: 1, worst, tolerance }),
        }
        Ok(())
    }

    /// Fails at the first number that is none, or infinite.
    pub(super) fn finite(
        &self,
        check: &'static str,
        values: &[f64],
        place: &dyn Fn(usize) -> String,
        at: At,
    ) -> Result<()> {
        match values.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(i) => {
                let problem = format!("{} is {}", place(i), values[i]);
                Err(Error::Check { check, problem, at })
            }
        }
    }
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
