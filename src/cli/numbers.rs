//! Numbers of options: a parser for each range, which its message names.
//!
//! ```
//! use burlap::cli::numbers;
//! assert_eq!(numbers::below_one("0.9"), Ok(0.9));
//! let message = numbers::whole(1..=60)("0");
//! assert_eq!(message, Err("a whole number from 1 to 60 is needed".into()));
//! ```

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// An upper limit of counts, beyond what a run can do.
pub const MANY: usize = 1_000_000_000;

/// The same of numbers that are counted in `u64`.
pub const MANY_U64: u64 = MANY as u64;

/// A whole number of a range, where options count in `usize`.
pub fn whole(range: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> + Clone {
    within(range)
}

/// A whole number of a range, where options count in `u64`.
pub fn whole_u64(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, String> + Clone {
    within(range)
}

// Not for the options themselves, where a literal would be of any type.
fn within<T: FromStr + PartialOrd + Display + Copy>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    let wanted = format!("a whole number from {} to {} is needed", range.start(), range.end());
    move |text: &str| match text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(wanted.clone()),
    }
}

/// A number of things, at least one.
pub fn count(text: &str) -> Result<usize, String> {
    whole(1..=MANY)(text)
}

/// A seed: any whole number of 64 bits.
pub fn seed(text: &str) -> Result<u64, String> {
    within(0..=u64::MAX)(text)
}

fn real(text: &str, within: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        // NaN is within no range.
        Ok(number) if number.is_finite() && within(number) => Ok(number),
        _ => Err(format!("{wanted} is needed")),
    }
}

/// Any number but infinities and NaN.
pub fn finite(text: &str) -> Result<f64, String> {
    real(text, |_| true, "a finite number")
}

/// x ≥ 0.
pub fn not_negative(text: &str) -> Result<f64, String> {
    real(text, |x| x >= 0.0, "a finite number that is not negative")
}

/// x > 0.
pub fn positive(text: &str) -> Result<f64, String> {
    real(text, |x| x > 0.0, "a positive finite number")
}

/// 0 < x ≤ 1.
pub fn part(text: &str) -> Result<f64, String> {
    real(text, |x| x > 0.0 && x <= 1.0, "a number above 0 and at most 1")
}

/// 0 ≤ x ≤ 1.
pub fn part_or_none(text: &str) -> Result<f64, String> {
    real(text, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1")
}

/// 0 < x < 1.
pub fn between(text: &str) -> Result<f64, String> {
    real(text, |x| x > 0.0 && x < 1.0, "a number above 0 and below 1")
}

/// 0 ≤ x < 1.
pub fn below_one(text: &str) -> Result<f64, String> {
    real(text, |x| (0.0..1.0).contains(&x), "a number of at least 0 and below 1")
}
