//! Axes: ranges, ticks and their labels.

/// An axis: what it shows, linear or logarithmic, over a range that is given or that of the data.
///
/// ```
/// use burlap::report::{Axis, Chart, Picture};
/// let chart = Chart::new("", Axis::count("step"), Axis::log("loss").with_range(1e-3, 10.0))
///     .line("sgd", [(0.0, 2.0), (1.0, 0.02)]);
/// assert!(Picture::new("").chart(chart).svg()?.contains("0.001"));
/// # Ok::<(), burlap::report::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub(super) label: String,
    pub(super) logarithmic: bool,
    pub(super) range: Option<(f64, f64)>,
    /// No tick lies between two whole numbers.
    whole: bool,
}

impl Axis {
    /// A linear axis.
    #[must_use]
    pub fn linear(label: &str) -> Axis {
        Axis { label: label.to_owned(), logarithmic: false, range: None, whole: false }
    }

    /// A logarithmic axis, on which only positive numbers have a place.
    #[must_use]
    pub fn log(label: &str) -> Axis {
        Axis { logarithmic: true, ..Axis::linear(label) }
    }

    /// A linear axis of things counted.
    #[must_use]
    pub fn count(label: &str) -> Axis {
        Axis { whole: true, ..Axis::linear(label) }
    }

    /// The same with a fixed range; what lies outside is cut off.
    #[must_use]
    pub fn with_range(mut self, low: f64, high: f64) -> Axis {
        self.range = Some((low, high));
        self
    }

    /// Whether a number has a place on such an axis.
    pub(super) fn admits(&self, value: f64) -> bool {
        value.is_finite() && (!self.logarithmic || value > 0.0)
    }

    /// The axis with its range, that of the values where none is given.
    pub(super) fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let given = self.range.filter(|&(a, b)| self.admits(a) && self.admits(b) && a < b);
        let (low, high) = given.map_or_else(
            || {
                let span = values
                    .filter(|&v| self.admits(v))
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |s, v| (s.0.min(v), s.1.max(v)));
                self.widened(span)
            },
            |(low, high)| (self.forward(low), self.forward(high)),
        );
        Scale { logarithmic: self.logarithmic, whole: self.whole, low, high }
    }

    /// The transformed range with some room at its ends.
    fn widened(&self, (low, high): (f64, f64)) -> (f64, f64) {
        if low > high {
            return (0.0, 1.0);
        }
        let (low, high) = (self.forward(low), self.forward(high));
        let room = if self.whole { 0.0 } else { 0.04 * (high - low) };
        // Numbers that hardly differ would leave no room between ticks.
        let least = 1e-9 * low.abs().max(high.abs());
        if high - low > least {
            (low - room, high + room)
        } else if self.logarithmic {
            (low - 0.5, high + 0.5)
        } else if low == 0.0 {
            (-1.0, 1.0)
        } else {
            (low - 0.1 * low.abs(), high + 0.1 * high.abs())
        }
    }

    fn forward(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }
}

/// An axis whose range is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    logarithmic: bool,
    whole: bool,
    /// The range, of logarithms to base 10 on a logarithmic axis.
    low: f64,
    high: f64,
}

/// Places on an axis with their labels, and a power of ten that these are multiplied by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ticks {
    pub(super) labelled: Vec<(f64, String)>,
    pub(super) exponent: i32,
}

impl Scale {
    /// The place of a number, from 0 to 1 within the range.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    /// At most `most` ticks.
    pub(super) fn ticks(&self, most: usize) -> Ticks {
        let most = most.max(2);
        if !self.logarithmic {
            let mut ticks = linear(self.low, self.high, most, self.whole);
            ticks.labelled.iter_mut().for_each(|(place, _)| *place = self.place(*place));
            return ticks;
        }
        let decades = self.decades();
        match decades.len() > 1 || self.high - self.low > 1.0 {
            true => self.powers(decades, most),
            false => {
                let (low, high) = (10f64.powf(self.low), 10f64.powf(self.high));
                let mut ticks = linear(low, high, most, false);
                let exponent = std::mem::take(&mut ticks.exponent);
                for (place, label) in &mut ticks.labelled {
                    *place = self.place(*place);
                    if exponent != 0 {
                        *label = format!("{label}·10{}", superscript(exponent));
                    }
                }
                ticks
            }
        }
    }

    /// The powers of ten within a logarithmic range.
    fn decades(&self) -> Vec<i32> {
        ((self.low - 1e-9).ceil() as i32..=(self.high + 1e-9).floor() as i32).collect()
    }

    fn powers(&self, decades: Vec<i32>, most: usize) -> Ticks {
        let step = decades.len().div_ceil(most).max(1) as i32;
        let plain = decades.iter().all(|k| (-3..=4).contains(k));
        let label = |k: i32| match plain {
            true if k < 0 => format!("{:.*}", -k as usize, 10f64.powi(k)),
            true => format!("{:.0}", 10f64.powi(k)),
            false => format!("10{}", superscript(k)),
        };
        let labelled = decades
            .into_iter()
            .filter(|k| k.rem_euclid(step) == 0)
            .map(|k| ((f64::from(k) - self.low) / (self.high - self.low), label(k)))
            .collect();
        Ticks { labelled, exponent: 0 }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear(low: f64, high: f64, most: usize, whole: bool) -> Ticks {
    let rough = (high - low) / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    // Ends that are multiples up to rounding are ticks too.
    let ends = |step: f64| ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    let fits = |step: &f64| ends(*step).1 - ends(*step).0 < most as i64;
    let mut step =
        [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(fits).unwrap_or(20.0 * power);
    if whole {
        step = step.max(1.0);
    }
    let largest = low.abs().max(high.abs());
    let exponent = match largest.log10().floor() as i32 {
        e if (-3..5).contains(&e) => 0,
        e => e,
    };
    let unit = 10f64.powi(exponent);
    let decimals = (-(step / unit).log10().floor()).max(0.0) as usize;
    let (first, last) = ends(step);
    // Numbers at the end of their type's range leave no step.
    let labelled = (first..=last)
        .take(if step.is_normal() { most } else { 0 })
        .map(|i| {
            let value = i as f64 * step;
            (value, format!("{:.decimals$}", value / unit).replace('-', "−"))
        })
        .collect();
    Ticks { labelled, exponent }
}

/// An exponent as raised digits.
pub(super) fn superscript(exponent: i32) -> String {
    exponent
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            c => char::from_u32('⁰' as u32 + (c as u32 - '0' as u32)).unwrap_or(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, low: f64, high: f64, most: usize) -> (Vec<String>, i32) {
        let ticks = axis.clone().with_range(low, high).scale(std::iter::empty()).ticks(most);
        (ticks.labelled.into_iter().map(|t| t.1).collect(), ticks.exponent)
    }

    #[test]
    fn linear_ticks_are_round_numbers_with_as_many_decimals_as_they_need() {
        let axis = Axis::linear("");
        assert_eq!(labels(&axis, 0.0, 1.0, 6).0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis, -30.0, 30.0, 4).0, ["−20", "0", "20"]);
        assert_eq!(
            labels(&axis, 0.0, 3e-7, 4),
            (["0", "1", "2", "3"].map(String::from).to_vec(), -7)
        );
    }

    #[test]
    fn counts_have_no_fractions() {
        assert_eq!(labels(&Axis::count(""), 0.0, 2.0, 9).0, ["0", "1", "2"]);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_and_thin_out() {
        let axis = Axis::log("");
        assert_eq!(labels(&axis, 0.01, 100.0, 9).0, ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(&axis, 1e-9, 1e3, 5).0, ["10⁻⁹", "10⁻⁶", "10⁻³", "10⁰", "10³"]);
        assert_eq!(labels(&axis, 2.0, 5.0, 4).0, ["2", "3", "4", "5"]);
    }

    #[test]
    fn what_is_too_narrow_or_too_wide_for_ticks_has_none() {
        for (low, high) in [(0.0, f64::from_bits(1)), (f64::MIN, f64::MAX), (-1e308, 1e308)] {
            assert!(labels(&Axis::linear(""), low, high, 6).0.len() <= 6);
        }
    }

    #[test]
    fn never_more_ticks_than_asked_for_and_at_least_one() {
        let wide = [(1e-300, 1e300), (-1e10, 1e10), (-1e300, 1e300), (1e10, 1e30)];
        let usual = [(0.0, 1.0), (-3.7, 11.2), (1e-12, 1e-3), (99.0, 101.0), (5.0, 5.1)];
        for (low, high) in wide.into_iter().chain(usual) {
            for most in 2..12 {
                for axis in [Axis::linear(""), Axis::log("")] {
                    if axis.admits(low) {
                        let count = labels(&axis, low, high, most).0.len();
                        assert!((1..=most).contains(&count), "{low} {high} {most} {count}");
                    }
                }
            }
        }
    }
}
