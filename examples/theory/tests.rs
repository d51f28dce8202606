//! The numbers of the theory example: estimators against closed forms, and what the sentences say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::penalty::{Polynomial, one_sided_penalty, penalty_conclusion};
use crate::rescaling::{POINT, rescaled, rescaling_conclusion};
use crate::saddle::{saddle_conclusion, saddle_measures, saddle_paths};
use burlap::autodiff::Array;

#[test]
fn the_known_derivatives_are_those_of_the_engine() {
    let function = Polynomial::new(5);
    let (objective, batch) = (function.objective(), function.batch());
    let x = Array::vector(function.point(0.7));
    let (_, gradient) = objective.value_grad(&x, &batch).unwrap();
    let square: f64 = gradient.to_f64_vec().iter().map(|g| g * g).sum();
    let mut frobenius = 0.0;
    for k in 0..5 {
        let mut unit = vec![0.0; 5];
        unit[k] = 1.0;
        let column = objective.hvp(&x, &batch, &Array::vector(unit)).unwrap();
        frobenius += column.to_f64_vec().iter().map(|h| h * h).sum::<f64>();
    }
    let x = function.point(0.7);
    assert!((square / function.gradient_square(&x) - 1.0).abs() < 1e-12);
    assert!((frobenius / function.frobenius_square(&x) - 1.0).abs() < 1e-12);
}

#[test]
fn the_formula_is_the_variance_up_to_the_fourth_power() {
    let function = Polynomial::new(5);
    let x = function.point(0.7);
    let rest = |rho: f64| (function.variance(&x, rho) - function.formula(&x, rho)) / rho.powi(4);
    // Divided by ρ⁴ the rest tends to a number that is not 0: neither an order more nor less.
    let (coarse, fine) = (rest(0.02), rest(0.01));
    assert!(fine > 0.1, "{fine}");
    assert!((coarse / fine - 1.0).abs() < 1e-3, "{coarse} {fine}");
}

#[test]
fn estimates_agree_with_their_expectations_and_only_the_one_sided_sees_the_gradient() {
    let cells = one_sided_penalty(&[0.0, 0.5], &[0.02, 0.2], 4000, 3).unwrap();
    assert_eq!(cells.len(), 4);
    for c in &cells {
        let [one_sided, central, exact] = &c.estimates;
        // 4 standard errors: one in ten thousand; the seed is fixed.
        assert!((one_sided.value - c.expected).abs() < 4.0 * one_sided.standard_error, "{c:?}");
        assert!((exact.value - c.frobenius).abs() < 4.0 * exact.standard_error, "{c:?}");
        // Its bias: ρ²/2 · Σhc·2/… is below 4 % at ρ = 0.2.
        let allowed = 4.0 * central.standard_error + c.rho * c.rho * c.frobenius;
        assert!((central.value - c.frobenius).abs() < allowed, "{c:?}");
    }
    let far = cells.iter().find(|c| c.distance == 0.5 && c.rho == 0.02).unwrap();
    assert!(far.estimates[0].value > 100.0 * far.frobenius, "{far:?}");
    assert!(far.estimates[2].value < 1.2 * far.frobenius, "{far:?}");
    let said = penalty_conclusion(&cells);
    let ratio = cells.iter().map(|c| c.estimates[0].value / c.frobenius).fold(0.0, f64::max);
    assert!(said.contains(&format!("{ratio:.1}")), "the sentence's number is computed: {said}");
}

#[test]
fn the_trace_does_not_see_the_saddle_and_the_one_sided_penalty_is_drawn_into_it() {
    let [trace, frobenius] = saddle_measures(4000, 1).unwrap();
    assert!(trace.value.abs() < 4.0 * trace.standard_error);
    assert!((frobenius.value - 8.0).abs() < 4.0 * frobenius.standard_error);
    let paths = saddle_paths(64, 1).unwrap();
    let end = |k: usize| paths[k].points.last().unwrap().clone();
    // A constant Hessian has no gradient of its own: the same way as without any penalty.
    for k in [1, 2] {
        let pairs = end(0).into_iter().zip(end(k));
        pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-12 * a.abs().max(1e-9), "{a} {b}"));
    }
    // Gradient descent by hand: b grows by 1 + 2·0.05 a step.
    assert!((end(0)[1] - 0.05 * 1.1f64.powi(40)).abs() < 1e-12);
    // Below λ = 1/8 it leaves, above it stays.
    assert!(end(3)[1].abs() > 0.1 && end(4)[1].abs() < 0.05, "{:?} {:?}", end(3), end(4));
    // On the family neither descent nor the trace moves c; the Frobenius norm does.
    assert_eq!(end(5)[2], 1.0);
    assert!((end(6)[2] - 1.0).abs() < 0.2, "{:?}", end(6));
    assert!(end(7)[2].abs() < 0.3, "{:?}", end(7));
    let said = saddle_conclusion(&[trace, frobenius], &paths);
    let (leaving, rest) = said.split_once("these are drawn into it").unwrap();
    assert!(leaving.contains("Trace-SAM") && rest.contains("one-sided, λ = 0.5"), "{said}");
}

#[test]
fn only_scale_invariant_measures_are_scale_invariant() {
    let rows = rescaled(&[0.25, 1.0, 8.0], 4000, 1).unwrap();
    let p = POINT[0] * POINT[1];
    for r in &rows {
        assert!((r.loss - (p - 1.0).powi(2)).abs() < 1e-15);
        let (x, y) = (r.c * POINT[0], POINT[1] / r.c);
        let trace = 2.0 * (x * x + y * y);
        assert!((r.trace.value - trace).abs() < 4.0 * r.trace.standard_error, "{r:?}");
        let off = 2.0 * (2.0 * p - 1.0);
        let frobenius = 4.0 * (x.powi(4) + y.powi(4)) + 2.0 * off * off;
        assert!((r.frobenius.value - frobenius).abs() < 4.0 * r.frobenius.standard_error, "{r:?}");
        let invariant = 4.0 * p * p;
        let found = &r.invariant_trace;
        assert!((found.value - invariant).abs() < 4.0 * found.standard_error, "{r:?}");
        // The same directions give the same numbers, up to rounding.
        assert!((found.value / rows[0].invariant_trace.value - 1.0).abs() < 1e-12);
    }
    assert!(rows[2].sam > 10.0 * rows[1].sam, "SAM's sharpness does change");
    assert!(rescaling_conclusion(&rows).contains("scale-invariant"));
}
