//! Derivatives held against extrapolated differences, element by element.

use super::differences::{Estimate, derivative, distance, noise, norm};
use super::point::{DENSE, Direction, Frame, element};
use super::report::{Comparison, Granted, Report};
use crate::Array;
use crate::error::{Error, Result};

/// Relative error granted to differences, beyond ten times the error that they estimate
/// themselves: that is an estimate of size only, and no wrong rule is wrong by so little.
const DIFFERENCES: f64 = 1e-7;

/// Differences whose estimated error is larger than this, and not by roundoff, are no
/// evidence: the function is not smooth where it is checked.
const SETTLED: f64 = 1e-6;

/// Relative error granted to an inner product: a few thousand roundings.
pub(super) const ADJOINT: f64 = 1e-12;

/// First steps of the differences, in units of the direction; the next is tried where those
/// from the one before did not settle, as near a kink.
const FIRST_STEPS: [f64; 3] = [0.25, 2.4e-4, 2.4e-7];

/// Where steps in proportion to a small variable leave more noise than this part of the
/// derivative, steps in proportion to the largest are tried too.
const QUIET: f64 = 1e-8;

/// A function of the point, as numbers.
pub(super) type Values<'a> = dyn Fn(&Array) -> Result<Vec<f64>> + 'a;

/// Some derivative, and what it is the derivative of.
pub(super) struct Derivative<'a> {
    /// What should be equal.
    pub(super) name: &'static str,
    /// The derivative along a direction.
    pub(super) along: &'a dyn Fn(&Direction) -> Result<Vec<f64>>,
    /// What it is a derivative of.
    pub(super) of: &'a Values<'a>,
    /// The name of that: `f`.
    pub(super) of_name: &'static str,
    /// That is computed from numbers as large as this.
    pub(super) natural: f64,
    /// Roundoff of the derivative itself.
    pub(super) rounding: f64,
    /// What the user calls an element: of the derivative along a direction, or of that with
    /// respect to a single variable.
    pub(super) place: &'a dyn Fn(usize, Option<usize>) -> String,
}

impl Derivative<'_> {
    /// Its values near the point by differences along a direction, and how much of them is noise.
    fn estimate(
        &self,
        frame: &Frame,
        direction: &Direction,
        natural: f64,
    ) -> Result<(Estimate, f64)> {
        let mut problem = None;
        let mut noisy = None;
        let part = frame.part_of_order_one(direction);
        let own = (part < 1.0).then_some(FIRST_STEPS[0] * part);
        for first in own.into_iter().chain(FIRST_STEPS) {
            let of = |t| (self.of)(&frame.shifted(t, &direction.vector));
            let estimate = match derivative(of, first) {
                Ok(estimate) => estimate,
                Err(Error::Check { problem: p, .. }) => {
                    let near = match direction.axis {
                        Some((i, _)) => element(i, frame.shape(), "the point"),
                        None => "a random direction".into(),
                    };
                    problem.get_or_insert(format!("{} along {near}: {p}", self.of_name));
                    continue;
                }
                Err(other) => return Err(other),
            };
            let Estimate { error, roundoff, step, .. } = estimate;
            let size = norm(&estimate.value);
            let noise = roundoff + 4.0 * f64::EPSILON * natural / step;
            // Values so near to the point have lost the digits that a difference needs.
            if 4.0 * f64::EPSILON * part > SETTLED * step {
                continue;
            }
            if error <= SETTLED * size + 1e3 * noise {
                if own != Some(first) || noise <= QUIET * size {
                    return Ok((estimate, noise));
                }
                noisy = Some((estimate, noise));
                continue;
            }
            problem = Some(format!(
                "differences of {} do not settle: they leave an error of {error:.3e} in {size:.3e}, \
                 down to step {step:.3e}; the function is not smooth there, or its values are too noisy",
                self.of_name
            ));
        }
        let unknown = || "no steps are small enough and leave digits to compare".into();
        noisy.map_or_else(|| frame.fail(self.name, problem.unwrap_or_else(unknown)), Ok)
    }

    /// Compares along one direction; again where it fails because values are noisier than they
    /// look.
    fn compare(&self, frame: &Frame, report: &mut Report, direction: &Direction) -> Result<()> {
        let result = self.compare_with(frame, report, direction, self.natural);
        if result.is_ok() {
            return result;
        }
        let of = |t| (self.of)(&frame.shifted(t, &direction.vector));
        let natural = noise(of, frame.part_of_order_one(direction))? / f64::EPSILON;
        if natural <= self.natural {
            return result;
        }
        self.compare_with(frame, report, direction, natural)
    }

    /// Compares along one direction, given the size of the numbers that make the noise.
    fn compare_with(
        &self,
        frame: &Frame,
        report: &mut Report,
        direction: &Direction,
        natural: f64,
    ) -> Result<()> {
        let found = (self.along)(direction)?;
        // With respect to one variable the numbers are elements of the whole, but for its step.
        let (axis, scale) = match direction.axis {
            Some((axis, scale)) => (Some(axis), scale),
            None => (None, 1.0),
        };
        let place = |i: usize| (self.place)(i, axis);
        let scaled = |values: &[f64]| values.iter().map(|x| x / scale).collect::<Vec<f64>>();
        let found = scaled(&found);
        // What is not finite is said so, and not of differences, which may be neither.
        report.finite(self.name, &found, &place, frame.at)?;
        let (estimate, noise) = self.estimate(frame, direction, natural)?;
        let granted = 10.0 * (estimate.error + noise) + self.rounding;
        report.compare(
            Comparison {
                name: self.name,
                expected: &scaled(&estimate.value),
                found: &found,
                granted: Granted::Each(DIFFERENCES, granted / scale),
                place: &place,
                at: frame.at,
            },
            format_args!(
                "; differences extrapolated from steps down to {:.3e} with an error of {:.1e}",
                estimate.step * scale,
                estimate.error / scale
            ),
        )
    }

    /// Compares along a direction. Where many variables move and something is wrong, looks for
    /// the variable of which it is.
    pub(super) fn check(
        &self,
        frame: &Frame,
        report: &mut Report,
        direction: &Direction,
    ) -> Result<()> {
        let result = self.compare(frame, report, direction);
        if result.is_ok() || direction.axis.is_some() || frame.point.len() <= DENSE {
            return result;
        }
        let wrong = |direction: &Direction| {
            let (estimate, _) = self.estimate(frame, direction, self.natural)?;
            Ok(distance(&(self.along)(direction)?, &estimate.value))
        };
        match frame.worst_axis(wrong) {
            Ok(axis) => self.compare(frame, report, &axis).and(result),
            Err(_) => result,
        }
    }
}

/// Compares a gradient with differences of its function, along all directions.
pub(super) fn gradient(
    frame: &Frame,
    report: &mut Report,
    gradient: &[f64],
    f: &Values<'_>,
) -> Result<()> {
    value(frame, report, &[], f)?;
    let name = "∇f = differences of f";
    // All of it, not only what the first direction sees.
    let place = |i| element(i, frame.shape(), "the gradient");
    report.finite(name, gradient, &place, frame.at)?;
    let along = |direction: &Direction| Ok(vec![dot(gradient, &direction.values())]);
    for direction in frame.directions() {
        Derivative {
            name,
            along: &along,
            of: f,
            of_name: "f",
            natural: 0.0,
            rounding: ADJOINT * dot_size(gradient, &direction.values()),
            place: &|_, axis| match axis {
                Some(axis) => place(axis),
                None => "⟨∇f, v⟩ for a random v".into(),
            },
        }
        .check(frame, report, &direction)?;
    }
    Ok(())
}

/// The function's value at the point itself, which must be finite.
pub(super) fn value(
    frame: &Frame,
    report: &Report,
    shape: &[usize],
    f: &Values<'_>,
) -> Result<Vec<f64>> {
    let values = f(&frame.point)?;
    report.finite("f at the point", &values, &|i| element(i, shape, "f"), frame.at)?;
    Ok(values)
}

/// The noise of a function along a random direction.
pub(super) fn noise_along(frame: &Frame, f: &Values<'_>) -> Result<f64> {
    let direction = frame.random(0);
    noise(|t| f(&frame.shifted(t, &direction.vector)), 1.0)
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn dot_size(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum()
}
