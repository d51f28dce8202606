//! Means, their standard errors, and differences of pairs.

use std::fmt;

/// A mean of independent values, with its standard error.
///
/// ```
/// use burlap::report::Mean;
/// let mean = Mean::of(&[1.0, 2.0, 3.0]).ok_or("no values")?;
/// assert_eq!(mean.text(3), "2.000 ± 0.577");
/// // The same seeds in both runs: their common part cancels.
/// let difference = Mean::of_differences(&[(5.0, 4.0), (9.1, 8.0), (2.0, 1.1)]).ok_or("no pairs")?;
/// assert!(difference.differs_from_zero());
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// x̄ = Σ xᵢ/n.
    pub value: f64,
    /// √(Σ (xᵢ − x̄)²/(n − 1)/n): infinite for one value, which says nothing of its error.
    pub standard_error: f64,
    /// n.
    pub count: usize,
}

impl Mean {
    /// The mean of values; `None` where there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Mean> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - value).powi(2)).sum();
        let standard_error =
            if count == 1 { f64::INFINITY } else { (squares / (n - 1.0) / n).sqrt() };
        Some(Mean { value, standard_error, count })
    }

    /// The mean of the differences a − b of pairs, in which what both owe to a common seed cancels.
    #[must_use]
    pub fn of_differences(pairs: &[(f64, f64)]) -> Option<Mean> {
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
        Mean::of(&differences)
    }

    /// Whether the mean differs from 0 by more than twice its standard error.
    #[must_use]
    pub fn differs_from_zero(&self) -> bool {
        self.value.abs() > 2.0 * self.standard_error
    }

    /// The mean as "value ± standard error" with `decimals` decimals; without the error for one value.
    #[must_use]
    pub fn text(&self, decimals: usize) -> String {
        if self.standard_error.is_finite() {
            format!("{:.decimals$} ± {:.decimals$}", self.value, self.standard_error)
        } else {
            format!("{:.decimals$}", self.value)
        }
    }

    /// The mean in other units: value and standard error times a factor.
    #[must_use]
    pub fn times(self, factor: f64) -> Mean {
        let standard_error = self.standard_error * factor.abs();
        Mean { value: self.value * factor, standard_error, count: self.count }
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(f.precision().unwrap_or(4)))
    }
}

/// The value in the middle, or the mean of the two; `None` where there are none.
///
/// ```
/// assert_eq!(burlap::report::median(&[3.0, 1.0, 2.0, 10.0]), Some(2.5));
/// ```
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[half]),
        _ => Some(0.5 * (sorted[half - 1] + sorted[half])),
    }
}
