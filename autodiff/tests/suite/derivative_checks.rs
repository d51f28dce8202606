//! The derivative checks: right derivatives pass at any magnitude, wrong ones do not.

use burlap_autodiff::testing::{
    Check, assert_hessian, assert_jvp_vjp, check_gradient, check_gradient_of, check_hessian,
    check_hvp_of, check_jvp_vjp,
};
use burlap_autodiff::{Array, DType, Error, Tape, Var, map_rows};

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
        Err(error @ Error::Check { .. }) => {
            let text = error.to_string();
            // The user's file, not the one that checks.
            assert!(text.contains("derivative_checks.rs:"), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_properties_are_reported() {
    let report = check_hessian(smooth, POINT).unwrap();
    // Two of the gradient, ten of the Hessian, three of third derivatives.
    assert_eq!(report.properties.len(), 15, "{report}");
    for p in &report.properties {
        assert!(p.worst <= p.tolerance, "{report}");
        assert!(p.comparisons >= 6, "{report}");
    }
    // Far from the tolerances: identities are exact but for roundoff.
    assert!(report.worst("⟨u, H v⟩ = ⟨v, H u⟩").unwrap() < 1e-14, "{report}");
    assert!(report.worst("H v = differences of ∇f").unwrap() < 1e-9, "{report}");
    let table = report.to_string();
    assert!(table.starts_with("property") && table.lines().count() == 16, "{table}");
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

/// A function whose gradient is right, and whose Hessian is zero: it is linear in what is not
/// stopped.
fn linear_where_it_is(f: impl Fn(Var) -> Var, x: Var) -> Var {
    let at = x.stop_gradient();
    f(at) + f(at).grad(at).stop_gradient().dot(x - at)
}

#[test]
fn a_wrong_element_of_a_gradient_is_named() {
    let matrix = Array::from_vec([2, 3], vec![0.7, -0.4, 1.3, 0.2, 0.9, -1.1]).unwrap();
    for i in 0..6 {
        let f = |x: Var| {
            let y = x.flatten();
            y.sin().sum() - y.at(i).sin() + wrong(y.at(i).sin())
        };
        let text = problem(check_gradient(f, &matrix));
        let place = format!("element [{}, {}] of the gradient: expected", i / 3, i % 3);
        assert!(text.starts_with("∇f = differences of f: ") && text.contains(&place), "{text}");
        assert!(text.contains("relative error 1.0"), "{text}");
        assert!(text.contains("off by") && text.contains("extrapolated from steps"), "{text}");
    }
    // Of many variables, by a thousandth of the element.
    let one = |x: Var| x.square().sum() + wrong(x.at(70).sin()) - x.at(70).sin();
    let point = Array::from_vec([90], (0..90).map(|i| 0.1 * f64::from(i)).collect()).unwrap();
    let text = problem(check_gradient(one, &point));
    assert!(text.contains("element [70] of the gradient"), "{text}");
    // Of a scalar there is one only.
    let text = problem(check_gradient(|x| wrong(x.exp()), 0.5));
    assert!(text.contains("f: the gradient: expected 1.648"), "{text}");
    // Relative to a value that is a million times as large, and beside a larger element.
    problem(check_gradient(|x| 1e6 + wrong(x.sin().sum()), POINT));
    let text = problem(check_gradient(|x| 1e6 * x.at(0).sin() + wrong(x.at(1).exp()), POINT));
    assert!(text.contains("element [1] of the gradient"), "{text}");
}

#[test]
fn a_wrong_gradient_is_found_before_a_hessian() {
    // The Hessian of what is recorded is right: that of the second term.
    let text =
        problem(check_hessian(|x| x.powi(3).stop_gradient().sum() + x.square().sum(), POINT));
    assert!(text.starts_with("∇f = differences of f: element [0] of the gradient"), "{text}");
    let gradient = |x: &[f64]| x.iter().map(|x| 3.0 * x).collect::<Vec<f64>>();
    let product = |_: &[f64], v: &[f64]| v.iter().map(|v| 3.0 * v).collect::<Vec<f64>>();
    let text = problem(check_hvp_of(|x: Var| x.square().sum(), gradient, product, POINT));
    assert!(text.starts_with("∇f = differences of f: element [0] of the gradient"), "{text}");
}

#[test]
fn a_wrong_element_of_a_jacobian_is_named() {
    let f = |x: Var| {
        let y = x.sin() * x.flip(&[0]);
        y + x.literal(&Array::vector([0.0, 0.0, 1.0, 0.0])) * wrong(x.at(1).exp())
            - x.literal(&Array::vector([0.0, 0.0, 1.0, 0.0])) * x.at(1).exp()
    };
    let text = problem(check_jvp_vjp(f, POINT));
    assert!(text.starts_with("jvp = differences of f: ∂f[2]/∂x[1] of the Jacobian: "), "{text}");
    let matrix = Array::from_vec([2, 2], POINT.to_vec()).unwrap();
    let text = problem(check_jvp_vjp(|x| wrong(x.sin()), &matrix));
    assert!(text.contains("∂f[0, 0]/∂x[0, 0] of the Jacobian"), "{text}");
}

#[test]
fn a_wrong_element_of_a_hessian_is_named() {
    let text = problem(check_hessian(|x| linear_where_it_is(smooth, x), POINT));
    assert!(text.starts_with("H v = differences of ∇f: ∂²f/∂x["), "{text}");
    assert!(text.contains("]∂x[0] of the Hessian: expected"), "{text}");
    // Only the mixed derivative of two variables, as a matrix.
    let mixed = |x: Var| {
        let y = x.flatten();
        let product = |x: Var| x.flatten().at(1) * x.flatten().at(2).exp();
        let at = x.stop_gradient();
        let slope = product(at).grad(at).stop_gradient();
        y.sin().sum() + product(at) + (slope * (x - at)).sum()
    };
    let matrix = Array::from_vec([2, 2], POINT.to_vec()).unwrap();
    let text = problem(check_hessian(mixed, &matrix));
    assert!(text.contains("∂²f/∂x[1, 0]∂x[0, 1] of the Hessian: expected"), "{text}");
    assert!(text.contains("found 0.0"), "{text}");
    // Beyond the size of dense Hessians the variable is searched.
    let one =
        |x: Var| linear_where_it_is(|x| x.at(70).sin(), x) + x.slice_axis(0, 0, 9).exp().sum();
    let point = Array::from_vec([90], (0..90).map(|i| 0.1 * f64::from(i)).collect()).unwrap();
    let text = problem(check_hessian(one, &point));
    assert!(text.contains("∂²f/∂x[70]∂x[70] of the Hessian"), "{text}");
}

#[test]
fn gradients_made_by_hand_are_checked_on_the_tape_and_in_numbers() {
    let (f, on_host) = (|x: Var| x.exp().sum(), |x: &[f64]| x.iter().map(|x| x.exp()).sum::<f64>());
    let gradient = |x: Var| x.exp();
    let gradient_on_host = |x: &[f64]| x.iter().map(|x| x.exp()).collect::<Vec<f64>>();
    check_gradient_of(f, gradient, POINT).unwrap();
    check_gradient_of(f, gradient_on_host, POINT).unwrap();
    check_gradient_of(on_host, gradient, POINT).unwrap();
    let report = check_gradient_of(on_host, gradient_on_host, POINT).unwrap();
    assert!(report.worst("∇f = differences of f").unwrap() < 1e-9, "{report}");
    for i in 0..4 {
        let by_hand = |x: &[f64]| {
            let mut gradient = gradient_on_host(x);
            gradient[i] *= 1.001;
            gradient
        };
        let text = problem(check_gradient_of(on_host, by_hand, POINT));
        assert!(text.contains(&format!("element [{i}] of the gradient: expected")), "{text}");
        let text = problem(check_gradient_of(
            f,
            |x: Var| x.literal(&Array::vector(by_hand(&POINT))),
            POINT,
        ));
        assert!(text.contains(&format!("element [{i}] of the gradient: expected")), "{text}");
    }
    let text = problem(check_gradient_of(f, |x: &[f64]| [x[0].exp()], POINT));
    assert!(text.starts_with("the gradient: has 1 numbers, not the 4 of the shape [4]"), "{text}");
    let text = problem(check_gradient_of(f, |x: Var| x.exp().sum(), POINT));
    assert!(text.starts_with("the gradient: has the shape [], not [4]"), "{text}");
    let text = problem(check_gradient_of(|x: Var| x.exp(), gradient, POINT));
    assert!(text.starts_with("f: has the shape [4], not []"), "{text}");
}

#[test]
fn products_made_by_hand_are_checked_against_the_gradient_made_by_hand() {
    // f = Σ exp(xᵢ) + (Σ xᵢ)² has the Hessian diag(exp(x)) + 2.
    let f = |x: Var| x.exp().sum() + x.sum().square();
    let gradient = |x: &[f64]| {
        let sum: f64 = x.iter().sum();
        x.iter().map(|x| x.exp() + 2.0 * sum).collect::<Vec<f64>>()
    };
    let product = |x: &[f64], v: &[f64]| {
        let sum: f64 = v.iter().sum();
        x.iter().zip(v).map(|(x, v)| x.exp() * v + 2.0 * sum).collect::<Vec<f64>>()
    };
    check_hvp_of(f, gradient, product, POINT).unwrap();
    check_hvp_of(f, |x: Var| f(x).grad(x), |x: Var, v: Var| f(x).hvp(x, v), POINT).unwrap();
    let wrong = |x: &[f64], v: &[f64]| {
        let mut product = product(x, v);
        product[2] += 0.001 * v[1];
        product
    };
    let text = problem(check_hvp_of(f, gradient, wrong, POINT));
    assert!(text.contains("∂²f/∂x[2]∂x[1] of the Hessian: expected"), "{text}");
}

#[test]
fn kinks_nearby_and_variables_of_different_scale_pass() {
    for distance in [1e-2, 1e-4, 1e-6] {
        let f = |x: Var| ((x - 0.3).relu() * x.exp()).sum() + (x - 0.3).abs().sum();
        for point in [0.3 + distance, 0.3 - distance] {
            check_hessian(f, [point, 1.0]).unwrap_or_else(|e| panic!("{distance}: {e}"));
        }
    }
    for small in [1e-3, 1.0, 1e3] {
        let f = |x: Var| (x.at(0) * (1.0 / small)).sin() + (x.at(1) * small).exp() + x.at(2).cos();
        let point = [small, 1.0 / small, 0.5];
        check_gradient(f, point).unwrap_or_else(|e| panic!("{small}: {e}"));
        let wrong_one = |x: Var| f(x) + wrong(x.at(2).exp()) - x.at(2).exp();
        let text = problem(check_gradient(wrong_one, point));
        assert!(text.contains("element [2] of the gradient"), "{text}");
    }
}

#[test]
fn a_kink_at_the_point_does_not_pass() {
    let text = problem(check_gradient(|x| x.relu().sum(), [0.0, 1.0]));
    assert!(text.contains("element [0] of the gradient"), "{text}");
    problem(check_hessian(|x| (x.relu() * x.exp()).sum(), [0.0, 1.0]));
    // With the mean of both slopes as its derivative, the centre of a kink does.
    check_gradient(|x| x.abs().sum(), [0.0, 1.0]).unwrap();
}

#[test]
fn what_is_not_a_number_is_said_to_be_none() {
    let at_one = |x: Var, y: Var| x.literal(&Array::vector([0.0, 1.0])) * y;
    // The value.
    let text = problem(check_gradient(|x| x.log().sum(), [-1.0, 2.0]));
    assert!(text.starts_with("f at the point: f is NaN"), "{text}");
    let text = problem(check_jvp_vjp(|x| x.log(), [2.0, -1.0]));
    assert!(text.starts_with("f at the point: element [1] of f is NaN"), "{text}");
    let text = problem(check_hessian(|x| x.recip().sum(), [0.0, 1.0]));
    assert!(text.starts_with("f at the point: f is inf"), "{text}");
    // The gradient: ∂√(x₁²)/∂x₁ at 0 is 0/0.
    let text = problem(check_gradient(|x| x.square().sqrt().sum(), [1.0, 0.0]));
    assert!(
        text.starts_with("∇f = differences of f: element [1] of the gradient is NaN"),
        "{text}"
    );
    let text =
        problem(check_gradient_of(|x: Var| x.sum(), |_: &[f64]| [1.0, f64::NAN], [1.0, 2.0]));
    assert!(
        text.starts_with("∇f = differences of f: element [1] of the gradient is NaN"),
        "{text}"
    );
    // The Hessian: the second derivative of |x|^(3/2) is infinite at 0.
    let text = problem(check_hessian(|x| x.abs().powf(1.5).sum(), [1.0, 0.0]));
    assert!(
        text.starts_with("H v = differences of ∇f: ∂²f/∂x[1]∂x[0] of the Hessian is NaN"),
        "{text}"
    );
    // The differences alone: not a number except at the point.
    let hole = |x: Var| x.sum() + at_one(x, x.equal(2.0).select(0.0, f64::NAN)).sum();
    let text = problem(check_gradient(hole, [2.0, 2.0]));
    assert!(
        text.starts_with("∇f = differences of f: f along element [0] of the point: not finite"),
        "{text}"
    );
    assert!(text.contains("it is NaN at"), "{text}");
    // The point itself.
    let text = problem(check_gradient(|x| x.sum(), [1.0, f64::NAN]));
    assert!(text.starts_with("point: element [1] of the point is NaN"), "{text}");
    let text = problem(check_gradient(|x| x.sum(), Array::vector([1u32, 2])));
    assert!(text.starts_with("point: it is u32"), "{text}");
}

#[test]
fn errors_of_recording_come_through() {
    let text = problem(check_gradient(|x| x.exp(), POINT));
    assert!(
        text.starts_with("recording: only a scalar has a gradient") && text.contains("[4]"),
        "{text}"
    );
    problem(check_hessian(|x| x.exp(), POINT));
    let error = check_hessian(|x| x.matmul(x.reshape([2, 2])).sum(), POINT).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    assert!(error.to_string().contains("derivative_checks.rs"), "{error}");
    let mut check = Check::new(|tape, x| tape.zeros(x.dtype(), [3]) + x, POINT);
    assert!(check.jvp_vjp().is_err());
    // Of another tape, or of none that is alive.
    let other = Tape::new();
    let foreign = other.input("x", DType::F64, []);
    for error in [
        check_gradient(|_| foreign, POINT).unwrap_err(),
        check_gradient(|_| Tape::new().constant(DType::F64, 1.0), POINT).unwrap_err(),
        check_gradient_of(|_: Var| foreign, |x: Var| x, POINT).unwrap_err(),
    ] {
        assert!(matches!(error, Error::ForeignVar { .. }), "{error}");
        assert!(error.to_string().contains("derivative_checks.rs"), "{error}");
    }
    let extra =
        Check::new(|tape, x| tape.input("extra", DType::F64, []) * x.sum(), POINT).gradient();
    assert!(matches!(extra, Err(Error::UnlistedInput { .. })), "{extra:?}");
}

#[test]
fn single_precision_is_refused_in_words_and_points_of_it_are_converted() {
    check_gradient(|x| x.sin().sum(), [0.5f32, 1.5]).unwrap();
    check_hessian(|x| x.sin().sum(), Array::vector([0.5f32, 1.5])).unwrap();
    let text = problem(check_gradient(|x| x.cast(DType::F32).sin().sum(), [0.5, 1.5]));
    assert!(text.starts_with("recording: the function rounds its value to f32"), "{text}");
    let weights = Array::vector([2.0f32, 3.0]);
    let text =
        problem(check_gradient(|x| (x.literal(&weights) * x).sum(), Array::vector([0.5f32, 1.5])));
    assert!(text.contains("x is f64 though the point is f32"), "{text}");
    let text = problem(check_jvp_vjp(|x| x.lt(1.0), [0.5, 1.5]));
    assert!(text.contains("the value of the function is bool, which has no derivative"), "{text}");
}

#[test]
fn functions_of_rows_are_checked_as_others() {
    let matrix = Array::from_vec([2, 2], POINT.to_vec()).unwrap();
    let rows = |x: Var| map_rows([x], |[r]| [r.sin().sum() * r.at(0)])[0];
    assert_hessian(|x| rows(x).square().sum(), &matrix);
    assert_jvp_vjp(rows, &matrix);
    let stopped = |x: Var| map_rows([x], |[r]| [wrong(r.sin()).sum() * r.at(0)])[0].sum();
    let text = problem(check_hessian(stopped, &matrix));
    assert!(text.contains("element [0, 0] of the gradient"), "{text}");
}

#[test]
#[should_panic(expected = "∇f = differences of f: element [0] of the gradient: expected 0.99")]
fn assertions_panic() {
    burlap_autodiff::testing::assert_gradient(|x| wrong(x.sum()), POINT);
}

#[test]
fn assertions_panic_at_the_line_that_asserts() {
    let here = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, thread) = (here.clone(), std::thread::current().id());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Other tests panic too.
        if std::thread::current().id() == thread {
            let place = info.location().unwrap();
            seen.lock().unwrap().push((place.file().to_owned(), place.line()));
        }
    }));
    let line = line!() + 1;
    let wrong = || burlap_autodiff::testing::assert_gradient(|x| wrong(x.sum()), POINT);
    let result = std::panic::catch_unwind(wrong);
    std::panic::set_hook(before);
    assert!(result.is_err());
    let places = here.lock().unwrap();
    assert_eq!(places[..], [(file!().to_owned(), line)]);
}
