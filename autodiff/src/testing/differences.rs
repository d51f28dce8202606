//! Derivatives from differences: central quotients extrapolated to step 0, with an estimate
//! of their own error, so that a comparison knows how much it may ask for.

use crate::error::{At, Error, Result};

/// A derivative that was estimated from differences.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The derivative, one number for each number of the function.
    pub value: Vec<f64>,
    /// The estimated error in the maximum norm: of truncation and of roundoff.
    pub error: f64,
    /// The share of `error` that roundoff alone explains.
    pub roundoff: f64,
    /// The smallest step that went into the value.
    pub step: f64,
}

/// Halvings of the first step: down to 2⁻²⁴ of it.
const LEVELS: usize = 25;

/// Extrapolations: the error of the last is of order 14 in the step.
const ORDERS: usize = 7;

/// The largest absolute value; NaN when there is one.
pub(super) fn norm(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |n: f64, x| if x.is_nan() { f64::NAN } else { n.max(x.abs()) })
}

/// The largest absolute difference.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(
        0.0,
        |n: f64, (a, b)| {
            if (a - b).is_nan() { f64::NAN } else { n.max((a - b).abs()) }
        },
    )
}

/// The derivative at 0 of a function of one variable with several values.
///
/// Ridders' method: central difference quotients with steps halved from `first_step` on are
/// extrapolated to step 0 (Richardson), and the entry of the table is taken that differs
/// least from the two it was made of. To that difference comes the roundoff of the values,
/// ε · max|f| / step; once this alone exceeds the best error, smaller steps cannot help.
///
/// Steps at which the function is not finite are left out together with all larger ones: a
/// caller can return NaN where it is not smooth.
///
/// Source: C. J. F. Ridders, Accurate computation of F′(x) and F′(x)F″(x), Advances in
/// Engineering Software 4 (1982) 75–76.
///
/// ```
/// use burlap_autodiff::testing::derivative;
/// let d = derivative(|t| Ok(vec![t.exp(), (3.0 + t).ln()]), 0.25)?;
/// assert!((d.value[0] - 1.0).abs() < 1e-12);
/// assert!((d.value[1] - 1.0 / 3.0).abs() < 1e-12);
/// assert!(d.error < 1e-11);
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// What the function returns, and [`Error::Check`] when it is finite at no two steps.
#[track_caller]
pub fn derivative(mut f: impl FnMut(f64) -> Result<Vec<f64>>, first_step: f64) -> Result<Estimate> {
    let at = At::caller();
    let mut best: Option<Estimate> = None;
    let mut former: Vec<Vec<f64>> = Vec::new();
    let mut step = first_step;
    let mut culprit = None;
    for _ in 0..LEVELS {
        let (ahead, behind) = (f(step)?, f(-step)?);
        let size = norm(&ahead).max(norm(&behind));
        let sides = [(step, &ahead), (-step, &behind)];
        let wrong = sides.iter().find_map(|(t, values)| {
            let i = values.iter().position(|x| !x.is_finite())?;
            Some((*t, i, values[i], values.len()))
        });
        if wrong.is_some() {
            culprit = wrong;
            (former, best) = (Vec::new(), None);
            step /= 2.0;
            continue;
        }
        let roundoff = f64::EPSILON * size / step;
        if best.as_ref().is_some_and(|b| roundoff > b.error) {
            break;
        }
        let quotient = ahead.iter().zip(&behind).map(|(a, b)| (a - b) / (2.0 * step)).collect();
        let mut row: Vec<Vec<f64>> = vec![quotient];
        let mut power = 1.0;
        for order in 1..=former.len().min(ORDERS) {
            power *= 4.0;
            let (coarse, fine) = (&former[order - 1], &row[order - 1]);
            let value: Vec<f64> =
                coarse.iter().zip(fine).map(|(c, f)| f + (f - c) / (power - 1.0)).collect();
            let error = distance(&value, fine).max(distance(&value, coarse)) + roundoff;
            if best.as_ref().is_none_or(|b| error < b.error) {
                best = Some(Estimate { value: value.clone(), error, roundoff, step });
            }
            row.push(value);
        }
        former = row;
        step /= 2.0;
    }
    best.ok_or_else(|| {
        let what = match culprit {
            Some((t, i, value, n)) if n > 1 => format!(": element {i} is {value} at {t:.1e}"),
            Some((t, _, value, _)) => format!(": it is {value} at {t:.1e}"),
            None => String::new(),
        };
        let problem = format!("not finite at two steps within {first_step:.1e} of the point{what}");
        Error::Check { check: "differences", problem, at }
    })
}

/// Places, beside the point and not at it, where a function is sampled for its noise.
const PLACES: [f64; 2] = [0.011, -0.013];

/// Distance of the samples.
const SPACING: f64 = 1.0 / (1 << 30) as f64;

/// The noise of a function near 0: the standard deviation of its values from a smooth curve,
/// the largest of all numbers, at the quieter of two places. A sum that cancels is noisier than
/// its value tells.
///
/// Third differences of values so near to each other are those of the noise alone:
/// σ² = E(Δ³f)² (3!)²/6!.
///
/// Source: J. J. Moré and S. M. Wild, Estimating computational noise, SIAM Journal on Scientific
/// Computing 33 (2011) 1292–1314, eq. (2.3).
pub(super) fn noise(f: impl Fn(f64) -> Result<Vec<f64>>, scale: f64) -> Result<f64> {
    let mut least = f64::INFINITY;
    for place in PLACES {
        let samples: Vec<Vec<f64>> = (0..8)
            .map(|i| f(scale * (place + f64::from(i) * SPACING)))
            .collect::<Result<Vec<_>>>()?;
        let third = |i: usize, j: usize| {
            samples[j][i] - 3.0 * samples[j + 1][i] + 3.0 * samples[j + 2][i] - samples[j + 3][i]
        };
        let square = |i| (0..5).map(|j| third(i, j).powi(2)).sum::<f64>() / 5.0;
        let largest = (0..samples[0].len()).map(square).fold(0.0, f64::max);
        least = least.min((largest * 36.0 / 720.0).sqrt());
    }
    // Where it is not even finite nothing is known.
    Ok(if least.is_finite() { least } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::{derivative, noise};

    /// What is rounded to multiples of 2⁻²⁰ is uniformly off by up to half of that.
    #[test]
    fn noise_is_told_from_curves_and_kinks() {
        let curve = |t: f64| (3.0 * t).exp() + t.abs();
        let smooth = noise(|t| Ok(vec![curve(t)]), 1.0).unwrap_or(1.0);
        // A rounding or two of a number of order one, and no more.
        assert!(smooth > 1e-17 && smooth < 1e-15, "{smooth:e}");
        let step = (-33f64).exp2();
        let rounded = |t: f64| ((curve(t) + (1e9 * t).sin() * step) / step).round() * step;
        let noisy = noise(|t| Ok(vec![rounded(t)]), 1.0).unwrap_or(1.0);
        assert!(noisy > 0.1 * step && noisy < 3.0 * step, "{:e}", noisy / step);
    }

    /// The error that is claimed is the error that is made.
    #[test]
    fn the_estimate_of_the_error_is_honest() {
        type Case = (fn(f64) -> f64, f64, f64);
        let cases: [Case; 6] = [
            (|t| (1.0 + t).powi(5), 5.0, 0.25),
            (|t| 1e6 * (2.0 + t).sin(), 1e6 * 2f64.cos(), 0.25),
            (|t| 1e-6 * (2.0 + t).sin(), 1e-6 * 2f64.cos(), 0.25),
            (|t| (1e3 * t + 0.3).sin(), 1e3 * 0.3f64.cos(), 0.25),
            (|t| (0.01 + t).ln(), 100.0, 0.25),
            (|_| 7.0, 0.0, 0.25),
        ];
        for (i, (f, exact, first)) in cases.into_iter().enumerate() {
            let d = derivative(|t| Ok(vec![f(t)]), first).unwrap_or_else(|e| unreachable!("{e}"));
            // Ten times: the estimate is of size, not a bound.
            assert!((d.value[0] - exact).abs() <= 10.0 * d.error, "case {i}: {d:?}");
            assert!(d.error <= 1e-7 * exact.abs().max(1e-6), "case {i}: {d:?}");
        }
    }

    #[test]
    fn a_kink_does_not_settle() {
        // Nearer to 0 than the smallest step: central quotients see almost only the kink.
        let d = derivative(|t| Ok(vec![(t + 1e-9).abs()]), 0.25)
            .unwrap_or_else(|e| unreachable!("{e}"));
        assert!(d.error > 0.1 * d.value[0].abs(), "{d:?}");
    }

    #[test]
    fn nowhere_finite_is_an_error() {
        assert!(derivative(|_| Ok(vec![f64::NAN]), 0.25).is_err());
    }
}
