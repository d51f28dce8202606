//! Learning rates over time.

use crate::error::{Error, Result, not_negative};

/// How a learning rate falls, after the warm-up.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Decay {
    /// Not at all.
    Constant,
    /// By a factor every so many steps.
    Step {
        /// The number of steps.
        every: u64,
        /// The factor.
        factor: f64,
    },
    /// By a factor at each of some steps.
    MultiStep {
        /// The steps, ascending.
        milestones: Vec<u64>,
        /// The factor.
        factor: f64,
    },
    /// Along half a cosine to `floor` times the base rate.
    Cosine {
        /// The step at which the floor is reached.
        total: u64,
        /// The last rate, as a part of the base rate.
        floor: f64,
    },
}

/// A base rate, a linear warm-up and a decay.
///
/// ```
/// use burlap_optim::{Decay, Schedule};
/// let schedule = Schedule::new(0.1, Decay::Cosine { total: 100, floor: 0.0 })?.with_warm_up(10);
/// assert_eq!(schedule.rate(4), 0.05);
/// assert_eq!(schedule.rate(10), 0.1);
/// assert!(schedule.rate(100) < 1e-17);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    base: f64,
    decay: Decay,
    warm_up: u64,
}

impl Schedule {
    /// A schedule without warm-up.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative rate or factor, a step length or total of 0, or
    /// milestones that do not ascend.
    pub fn new(base: f64, decay: Decay) -> Result<Schedule> {
        not_negative("schedule", "learning rate", base)?;
        let fail = |name: &'static str, value: String, expected: &'static str| {
            Err(Error::Setting { of: "schedule".into(), name, value, expected })
        };
        match &decay {
            Decay::Constant => {}
            Decay::Step { every: 0, .. } => return fail("step length", "0".into(), "positive"),
            Decay::Step { factor, .. } => not_negative("schedule", "factor", *factor)?,
            Decay::MultiStep { milestones, factor } => {
                not_negative("schedule", "factor", *factor)?;
                if milestones.windows(2).any(|w| w[0] >= w[1]) {
                    return fail("milestones", format!("{milestones:?}"), "ascending");
                }
            }
            Decay::Cosine { total: 0, .. } => return fail("total", "0".into(), "positive"),
            Decay::Cosine { floor, .. } => not_negative("schedule", "floor", *floor)?,
        }
        Ok(Schedule { base, decay, warm_up: 0 })
    }

    /// Rises linearly over the first steps: (step + 1)/`steps` of the base rate.
    #[must_use]
    pub fn with_warm_up(mut self, steps: u64) -> Schedule {
        self.warm_up = steps;
        self
    }

    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.base * (step + 1) as f64 / self.warm_up as f64;
        }
        let exponent = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
        self.base
            * match &self.decay {
                Decay::Constant => 1.0,
                Decay::Step { every, factor } => factor.powi(exponent(step / every)),
                Decay::MultiStep { milestones, factor } => {
                    factor.powi(exponent(milestones.iter().filter(|&&m| m <= step).count() as u64))
                }
                Decay::Cosine { total, floor } => {
                    let span = total.saturating_sub(self.warm_up).max(1) as f64;
                    let part = ((step - self.warm_up) as f64 / span).min(1.0);
                    floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
                }
            }
    }
}
