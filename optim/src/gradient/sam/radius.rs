//! A perturbation's radius over time.

use crate::error::{Error, Result, positive};
use crate::update::Schedule;

/// A radius that follows the learning rate,
/// ρ_t = ρ_min + (ρ_max − ρ_min) (η_t − η_min)/(η_max − η_min) (GSAM, arXiv 2203.08065,
/// algorithm 1).
///
/// ```
/// use burlap_optim::{Decay, Radius, Schedule};
/// let rates = Schedule::new(0.1, Decay::Step { every: 10, factor: 0.5 })?;
/// let radius = Radius::tied(rates, (0.0, 0.1), (0.01, 0.05))?;
/// assert_eq!((radius.at(0), radius.at(10)), (0.05, 0.03));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Radius {
    rates: Schedule,
    rate: (f64, f64),
    rho: (f64, f64),
}

impl Radius {
    /// From the schedule of learning rates, the least and the largest of these, and the radii
    /// that belong to them. Rates beyond are taken as the nearer end.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the ends of rates ascend and radii are positive.
    pub fn tied(rates: Schedule, rate: (f64, f64), rho: (f64, f64)) -> Result<Radius> {
        positive("radius", "rho", rho.0)?;
        positive("radius", "rho", rho.1)?;
        if !(rate.0 < rate.1 && rate.0.is_finite() && rate.1.is_finite()) {
            return Err(Error::Setting {
                of: "radius".into(),
                name: "the range of learning rates",
                value: format!("{rate:?}"),
                expected: "ascending and finite",
            });
        }
        Ok(Radius { rates, rate, rho })
    }

    /// The radius of a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        let (low, high) = self.rate;
        let part = ((self.rates.rate(step) - low) / (high - low)).clamp(0.0, 1.0);
        self.rho.0 + (self.rho.1 - self.rho.0) * part
    }
}
