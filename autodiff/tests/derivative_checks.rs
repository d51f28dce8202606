//! The derivative checks: right derivatives pass at any magnitude, wrong ones do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::{
    Check, assert_hessian, check_gradient, check_hessian, check_jvp_vjp,
};
use burlap_autodiff::{Array, Error, Var};

const POINT: [f64; 4] = [0.7, -0.4, 1.3, 0.2];

fn smooth(x: Var) -> Var {
    (x.sin() * x.flip(&[0]).exp()).sum() + x.square().sum().sqrt() + x.softmax(0).at(1)
}

/// A derivative that is wrong by a relative 10⁻³: a thousandth of it is stopped.
fn wrong(y: Var) -> Var {
    0.999 * y + 0.001 * y.stop_gradient()
}

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Check { check, problem }) => format!("{check}: {problem}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_properties_are_reported() {
    let report = check_hessian(smooth, POINT).unwrap();
    assert_eq!(report.properties.len(), 13, "{report}");
    for p in &report.properties {
        assert!(p.worst <= p.tolerance, "{report}");
        assert!(p.comparisons >= 6, "{report}");
    }
    // Far from the tolerances: identities are exact but for roundoff.
    assert!(report.worst("⟨u, H v⟩ = ⟨v, H u⟩").unwrap() < 1e-14, "{report}");
    assert!(report.worst("H v = differences of ∇f").unwrap() < 1e-9, "{report}");
    let table = report.to_string();
    assert!(table.starts_with("property") && table.lines().count() == 14, "{table}");
}

#[test]
fn functions_and_points_of_any_magnitude_pass() {
    for scale in [1e-6, 1.0, 1e6] {
        for size in [1e-6, 1.0, 1e6] {
            let point = POINT.map(|x| size * x);
            let f = |x: Var| scale * smooth(x * (1.0 / size));
            check_gradient(f, point).unwrap_or_else(|e| panic!("{scale} {size}: {e}"));
            check_jvp_vjp(|x| f(x) * x.cos(), point)
                .unwrap_or_else(|e| panic!("{scale} {size}: {e}"));
            check_hessian(f, point).unwrap_or_else(|e| panic!("{scale} {size}: {e}"));
        }
    }
}

#[test]
fn small_curvature_on_a_large_value_passes() {
    check_hessian(|x| 1e6 + smooth(x), POINT).unwrap();
    check_hessian(|x| 1e-6 * smooth(x) + 1e3 * x.sum(), POINT).unwrap();
    // Scales of length far from one.
    check_hessian(|x| smooth(100.0 * x) * 1e-20, POINT).unwrap();
    check_hessian(|x| (x + 0.401).log().sum(), POINT).unwrap();
}

#[test]
fn vanishing_derivatives_pass() {
    check_hessian(|x| x.sum(), POINT).unwrap();
    check_hessian(|x| x.constant_like(3.0).sum(), POINT).unwrap();
    check_hessian(|x| (x.sin().square() + x.cos().square()).sum(), POINT).unwrap();
    check_hessian(|x| x.square().sum().square(), [0.0, 0.0]).unwrap();
    check_hessian(|x| (x - x.mean()).sum(), POINT).unwrap();
    check_hessian(|x| x.square().sum(), Array::from_vec([0, 3], Vec::<f64>::new()).unwrap())
        .unwrap();
    assert_hessian(|x| x.square() * x, Array::scalar(2.0));
}

#[test]
fn a_wrong_gradient_is_found() {
    let text = problem(check_gradient(|x| wrong(smooth(x)), POINT));
    assert!(text.starts_with("jvp = differences of f: expected"), "{text}");
    assert!(
        text.contains("relative error 1.0") && text.contains("extrapolated from steps"),
        "{text}"
    );
    // Wrong in one element of many, by a thousandth of that element.
    let one = |x: Var| x.square().sum() + wrong(x.at(7).sin()) - x.at(7).sin();
    let point = Array::from_vec([50], (0..50).map(|i| 0.1 * f64::from(i)).collect()).unwrap();
    problem(check_gradient(one, &point));
    // Relative to a value that is a million times as large.
    problem(check_gradient(|x| 1e6 + wrong(x.sin().sum()), POINT));
}

#[test]
fn a_wrong_jacobian_is_found() {
    let text = problem(check_jvp_vjp(|x| wrong(x.sin()) * x.flip(&[0]), POINT));
    assert!(text.contains("element"), "{text}");
}

#[test]
fn a_wrong_second_derivative_is_found() {
    // The gradient is right at the point, but a factor of it is stopped.
    let f = |x: Var| {
        let y = x - x.stop_gradient();
        smooth(x.stop_gradient()) + (x.stop_gradient().cos() * y).sum()
    };
    problem(check_hessian(f, POINT));
    problem(check_hessian(|x| (x.square() * wrong(x)).sum(), POINT));
}

#[test]
fn a_kink_at_the_point_does_not_pass() {
    let text = problem(check_gradient(|x| x.relu().sum(), [0.0, 1.0]));
    assert!(text.contains("jvp = differences"), "{text}");
    problem(check_hessian(|x| (x.relu() * x.exp()).sum(), [0.0, 1.0]));
    // With the mean of both slopes as its derivative, the centre of a kink does.
    check_gradient(|x| x.abs().sum(), [0.0, 1.0]).unwrap();
}

#[test]
fn what_is_not_a_number_does_not_pass() {
    assert!(check_gradient(|x| x.log().sum(), [-1.0, 2.0]).is_err());
    assert!(check_hessian(|x| (x.stop_gradient() - x).sqrt().sum(), [1.0]).is_err());
}

#[test]
fn errors_of_recording_come_through() {
    let error = check_gradient(|x| x.exp(), POINT).unwrap_err().to_string();
    assert!(error.starts_with("grad: only a scalar"), "{error}");
    let error = check_hessian(|x| x.matmul(x.reshape([2, 2])).sum(), POINT).unwrap_err();
    assert!(error.to_string().contains("derivative_checks.rs"), "{error}");
    let mut check = Check::new(|tape, x| tape.zeros(x.dtype(), [3]) + x, POINT);
    assert!(check.jvp_vjp().is_err());
}

#[test]
#[should_panic(expected = "jvp = differences of f")]
fn assertions_panic() {
    burlap_autodiff::testing::assert_gradient(|x| wrong(x.sum()), POINT);
}
