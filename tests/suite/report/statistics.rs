//! Means and standard errors against numbers worked out by hand.

use burlap::report::{Mean, median};

/// A few roundings of numbers near 1.
const TOLERANCE: f64 = 1e-15;

#[test]
fn mean_and_standard_error() {
    // Deviations −1.5, −0.5, 0.5, 1.5: variance 5/3, of the mean 5/12.
    let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((mean.value, mean.count), (2.5, 4));
    assert!((mean.standard_error - (5.0_f64 / 12.0).sqrt()).abs() < TOLERANCE, "{mean:?}");
}

#[test]
fn of_pairs_only_the_differences_count() {
    // Differences 1, −1, 3: mean 1, variance 4, of the mean 4/3. Each side alone varies far more.
    let pairs = [(101.0, 100.0), (52.0, 53.0), (4.0, 1.0)];
    let mean = Mean::of_differences(&pairs).unwrap();
    assert_eq!((mean.value, mean.count), (1.0, 3));
    assert!((mean.standard_error - (4.0_f64 / 3.0).sqrt()).abs() < TOLERANCE, "{mean:?}");
    assert!(!mean.differs_from_zero());
    // Differences 3, 4, 5: mean 4, standard error 1/√3.
    let mean = Mean::of_differences(&[(3.0, 0.0), (4.0, 0.0), (5.0, 0.0)]).unwrap();
    assert!(mean.differs_from_zero());
    assert!(mean.times(-1.0).differs_from_zero());
}

#[test]
fn one_value_has_no_known_error_and_none_no_mean() {
    let one = Mean::of(&[3.0]).unwrap();
    assert_eq!((one.value, one.standard_error), (3.0, f64::INFINITY));
    assert!(!one.differs_from_zero());
    assert_eq!(one.text(1), "3.0");
    assert_eq!(Mean::of(&[]), None);
}

#[test]
fn text_has_the_decimals_asked_for() {
    let mean = Mean::of(&[0.5, 0.25]).unwrap();
    assert_eq!(mean.text(3), "0.375 ± 0.125");
    assert_eq!(mean.times(100.0).text(1), "37.5 ± 12.5");
    assert_eq!(format!("{mean:.2}"), "0.38 ± 0.12");
}

#[test]
fn medians() {
    assert_eq!(median(&[3.0, -1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    assert_eq!(median(&[]), None);
}
