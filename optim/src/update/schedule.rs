//! Learning rates over time.

use crate::error::{Error, Result, not_negative};
use std::fmt;
use std::sync::Arc;

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
    rule: Rule,
    warm_up: u64,
}

#[derive(Clone)]
enum Rule {
    Decay(f64, Decay),
    /// A user's, with its description.
    Formula(String, Arc<dyn Fn(u64) -> f64 + Send + Sync>),
}

/// Formulas are equal where they are one closure.
impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        match (self, other) {
            (Rule::Decay(a, b), Rule::Decay(c, d)) => a == c && b == d,
            (Rule::Formula(a, f), Rule::Formula(b, g)) => a == b && Arc::ptr_eq(f, g),
            (Rule::Decay(..), Rule::Formula(..)) | (Rule::Formula(..), Rule::Decay(..)) => false,
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Decay(base, decay) => write!(f, "{base} {decay:?}"),
            Rule::Formula(description, _) => f.write_str(description),
        }
    }
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
        Ok(Schedule { rule: Rule::Decay(base, decay), warm_up: 0 })
    }

    /// A rate that does not change.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative or infinite one.
    pub fn constant(rate: f64) -> Result<Schedule> {
        Schedule::new(rate, Decay::Constant)
    }

    /// A rate by a formula of the step, counted from 0. A closure cannot be compared, so its
    /// description is what tells a resumed run whether the schedule is the same.
    ///
    /// ```
    /// use burlap_optim::Schedule;
    /// let schedule = Schedule::by("inverse square root of the step", |t| 0.1 / ((t + 1) as f64).sqrt());
    /// assert_eq!(schedule.rate(3), 0.05);
    /// ```
    pub fn by(
        description: impl Into<String>,
        rate: impl Fn(u64) -> f64 + Send + Sync + 'static,
    ) -> Schedule {
        Schedule { rule: Rule::Formula(description.into(), Arc::new(rate)), warm_up: 0 }
    }

    /// Rises linearly over the first steps: (step + 1)/`steps` of the rate that comes at step
    /// `steps`, from where the schedule goes on.
    #[must_use]
    pub fn with_warm_up(mut self, steps: u64) -> Schedule {
        self.warm_up = steps;
        self
    }

    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        let (base, decay) = match &self.rule {
            Rule::Decay(base, decay) => (*base, decay),
            Rule::Formula(_, rate) if step < self.warm_up => {
                return rate(self.warm_up) * (step + 1) as f64 / self.warm_up as f64;
            }
            Rule::Formula(_, rate) => return rate(step),
        };
        if step < self.warm_up {
            return base * (step + 1) as f64 / self.warm_up as f64;
        }
        let exponent = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
        base * match decay {
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

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.rule)?;
        match self.warm_up {
            0 => Ok(()),
            steps => write!(f, " after {steps} steps of warm-up"),
        }
    }
}

/// What a [`Training`](crate::Training) takes as its learning rate: a number, a [`Schedule`], or a
/// closure from the step, counted from 0, to the rate.
pub trait IntoSchedule {
    /// The schedule.
    ///
    /// # Errors
    /// [`Error::Setting`] for a rate that is negative or infinite.
    fn into_schedule(self) -> Result<Schedule>;
}

impl IntoSchedule for Schedule {
    fn into_schedule(self) -> Result<Schedule> {
        Ok(self)
    }
}

impl IntoSchedule for f64 {
    fn into_schedule(self) -> Result<Schedule> {
        Schedule::constant(self)
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync + 'static> IntoSchedule for F {
    fn into_schedule(self) -> Result<Schedule> {
        Ok(Schedule::by("a closure", self))
    }
}
