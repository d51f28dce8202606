//! Losses and sharpness that are not finite, and settings that make no sense.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::HessianOperator;
use burlap_optim::random::Draw;
use burlap_optim::sharpness::{Gaussian, Measure};
use burlap_optim::{
    Adam, AdamW, Decay, Error, Estimator, METHODS, Method, MethodSettings, Objective, Optimizer,
    Plain, Sam, Schedule, Sgd, Sharpness, SharpnessMethod, Training, method,
};

fn quadratic(dtype: DType, factors: [f64; 2]) -> Objective {
    Objective::new(Cpu::new(), dtype, 2, move |x: Var, _: &[Var]| {
        0.5 * (factors[0] * x.at(0).square() + factors[1] * x.at(1).square())
    })
}

#[test]
fn a_loss_that_is_not_finite_names_the_primitive_and_the_line() {
    let objective =
        Objective::new(Cpu::new(), DType::F64, 2, |x: Var, _: &[Var]| (x - 1.0).log().sum());
    let line = line!() - 1;
    let x = Array::vector([2.0, 0.5]);
    let sharpness = Sharpness::trace().with_estimator(Estimator::Exact);
    let methods: [Box<dyn Method>; 3] = [
        Box::new(Plain),
        Box::new(Sam::new(0.1).unwrap()),
        Box::new(SharpnessMethod::new(sharpness, 1.0, 1, 1).unwrap()),
    ];
    for mut method in methods {
        let error = method.evaluate(&objective, &x, &[], 0).unwrap_err();
        assert!(matches!(error, Error::NonFiniteLoss { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("first log: element 1 of the result, of shape [2], is NaN"),
            "{message}"
        );
        assert!(message.contains(&format!("errors.rs:{line}")), "{message}");
    }
    assert!(objective.value(&x, &[]).is_err());
    assert!(objective.hvp(&x, &[], &x).is_err());
}

#[test]
fn settings_that_make_no_sense_are_errors_that_name_them() {
    let build = |sharpness: Sharpness, lambda: f64, samples: usize| {
        SharpnessMethod::new(sharpness, lambda, samples, 1).unwrap_err().to_string()
    };
    let cases = [
        (
            build(Sharpness::frobenius(), 1.0, 1),
            "frobenius: the number of samples is 1, but must be at least 2",
        ),
        (build(Sharpness::frobenius_plug_in(), 1.0, 1), "frobenius: the number of samples is 1"),
        (build(Sharpness::published_frobenius(), 1.0, 1), "frobenius: the number of samples is 1"),
        (
            build(Sharpness::power_trace_unbiased(4).unwrap(), 1.0, 3),
            "power trace: the number of samples is 3",
        ),
        (build(Sharpness::trace(), 1.0, 0), "sharpness: the number of samples is 0"),
        (build(Sharpness::trace(), -1.0, 1), "trace: lambda is -1"),
        (build(Sharpness::trace().with_rho(0.0), 1.0, 1), "trace: rho is 0"),
        (build(Sharpness::log_det(-0.1), 1.0, 1), "gaussian: sigma is -0.1"),
        (build(Sharpness::published_determinant(0.0), 1.0, 1), "cube: half side is 0"),
        (
            build(Sharpness::trace().with_estimator(Estimator::HvpNorm), 1.0, 1),
            "trace: the estimator is hvp",
        ),
        (
            build(Sharpness::frobenius_by_hvp().with_estimator(Estimator::Exact), 1.0, 1),
            "frobenius: the estimator is exact",
        ),
        (Sharpness::power_trace(0).unwrap_err().to_string(), "power trace: the order is 0"),
        (
            Sharpness::power_trace_unbiased(5).unwrap_err().to_string(),
            "power trace: the order is 5",
        ),
        (Sharpness::schatten(f64::NAN).unwrap_err().to_string(), "schatten: p is NaN"),
        (Sharpness::tilted(0.0, Gaussian::STANDARD).unwrap_err().to_string(), "tilted: tau is 0"),
        (
            Estimator::from_name("both").unwrap_err().to_string(),
            "there is no estimator named \"both\"",
        ),
    ];
    for (message, expected) in cases {
        assert!(message.starts_with(expected), "{message}\nexpected {expected}");
    }
}

#[test]
fn methods_are_known_by_name() {
    for name in METHODS {
        let named = method(name, &MethodSettings::default()).unwrap();
        let objective = quadratic(DType::F64, [1.0, 2.0]);
        let mut m = named.method;
        assert!(m.evaluate(&objective, &Array::vector([1.0, 1.0]), &[], 0).is_ok(), "{name}");
    }
    let message = method("adam-sam", &MethodSettings::default()).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("there is no optimizer named \"adam-sam\"; there are {}", METHODS.join(", "))
    );
}

#[test]
fn parameters_that_do_not_fit_are_errors() {
    let objective = quadratic(DType::F64, [1.0, 1.0]);
    assert!(objective.value_grad(&Array::vector([1.0, 2.0, 3.0]), &[]).is_err());
    assert!(objective.value_grad(&Array::vector([1f32, 2.0]), &[]).is_err());
    let estimate = Sharpness::trace().estimate(&objective, &Array::vector([1.0]), &[], 2, 1);
    assert!(matches!(estimate, Err(Error::Vector { .. })));
}

#[test]
fn the_published_determinant_overflows_into_an_error() {
    // e^t with t = (L(x + ρv) − L(x))/ρ² far beyond what a number can hold.
    let objective = quadratic(DType::F64, [1e12, 1e12]);
    let sharpness = Sharpness::published_determinant(1.0).with_rho(1.0);
    let mut method = SharpnessMethod::new(sharpness, 1.0, 1, 1).unwrap();
    let error = method.evaluate(&objective, &Array::vector([1.0, 1.0]), &[], 0).unwrap_err();
    assert!(matches!(error, Error::NonFiniteSharpness { samples: 1, .. }), "{error}");
}

#[test]
fn the_log_determinant_stays_finite_where_exponentials_do_not() {
    // Curvatures of ±10⁴ and more: e^(−t) under- and overflows, their logarithm does not.
    for factors in [[1e5, 1e4], [-1e5, 1e4], [-1e5, -1e4]] {
        let objective = quadratic(DType::F64, factors);
        let sharpness = Sharpness::log_det(1.0).with_estimator(Estimator::Exact);
        let mut method = SharpnessMethod::new(sharpness, 1.0, 8, 1).unwrap();
        let found = method.evaluate(&objective, &Array::vector([1.0, 1.0]), &[], 0).unwrap();
        assert!(found.sharpness.is_some_and(f64::is_finite));
        assert!(found.gradient.to_f64_vec().iter().all(|g| g.is_finite()));
    }
}

/// A measure of samples that are no numbers, with so many elements too many; without any
/// samples where that is `None`.
struct Broken(Option<usize>);

impl Measure for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn draw(&self, _: Draw, dim: usize) -> Option<(Vec<f64>, f64)> {
        self.0.map(|more| (vec![f64::NAN; dim + more], 0.0))
    }
}

#[test]
fn samples_that_are_not_finite_are_found() {
    let objective = quadratic(DType::F64, [1.0, 1.0]);
    for estimator in [Estimator::OneSided, Estimator::Central, Estimator::Exact] {
        let mut sharpness = Sharpness::custom("broken", |t| vec![t], |a| a[0], Broken(Some(0)))
            .with_estimator(estimator);
        let found = sharpness.estimate(&objective, &Array::vector([1.0, 1.0]), &[], 3, 1);
        assert!(found.is_err(), "{found:?}");
    }
}

#[test]
fn a_measure_without_samples_and_samples_of_another_length_are_refused() {
    let objective = quadratic(DType::F64, [1.0, 1.0]);
    for (broken, sentence) in [
        (Broken(Some(1)), "broken: expected a sample of 2 elements, found one of 3"),
        (Broken(None), "measure: broken: samples are neither recorded nor drawn on the host"),
    ] {
        let mut sharpness = Sharpness::custom("broken", |t| vec![t], |a| a[0], broken);
        let found = sharpness.estimate(&objective, &Array::vector([1.0, 1.0]), &[], 3, 1);
        let message = found.unwrap_err().to_string();
        assert!(message.starts_with(sentence), "{message}");
    }
}

fn plain_training(loss: fn(Var, &[Var]) -> Var, start: [f32; 2]) -> Training {
    let objective = Objective::new(Cpu::new(), DType::F32, 2, loss);
    let optimizer =
        Optimizer::new(Sgd::new().with_momentum(0.9), &Cpu::new(), DType::F32, 2).unwrap();
    let schedule = Schedule::new(0.1, Decay::Constant).unwrap();
    Training::new(objective, Plain, optimizer, schedule, Array::vector(start)).unwrap()
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing_and_is_named() {
    let mut training = plain_training(|x, _| x.sqrt().sum(), [0.0, 1.0]);
    let line = line!() - 1;
    let before = training.state();
    let message = training.step(&[]).unwrap_err().to_string();
    assert!(
        message.starts_with("sgd: the gradient is not finite; first rsqrt: element 0"),
        "{message}"
    );
    assert!(message.contains(&format!("errors.rs:{line}")), "{message}");
    assert_eq!(training.state(), before);
}

#[test]
fn a_loss_that_is_no_scalar_is_the_users_mistake() {
    let line = line!() + 1;
    let objective = Objective::new(Cpu::new(), DType::F64, 2, |x: Var, _: &[Var]| x.exp());
    let message = objective.value_grad(&Array::vector([1.0, 2.0]), &[]).unwrap_err().to_string();
    assert!(
        message.starts_with("objective: the loss must be a scalar of type f64, not f64[2]"),
        "{message}"
    );
    assert!(message.ends_with(&format!("errors.rs:{line})")), "{message}");
}

#[test]
fn states_of_other_rules_and_methods_are_refused() {
    let build = |rule: Box<dyn burlap_optim::UpdateRule>| {
        Optimizer::boxed(rule, &Cpu::new(), DType::F64, 2).unwrap()
    };
    let mut adam = build(Box::new(Adam::new()));
    assert!(adam.restore(&build(Box::new(AdamW::new())).state()).is_err());
    let mut training = plain_training(|x, _| x.square().sum(), [1.0, 1.0]);
    let mut state = training.state();
    assert!(training.restore(&state).is_ok());
    let steps = state.numbers.remove("steps with sgd").unwrap();
    state.numbers.insert("steps with sam".into(), steps);
    assert!(matches!(training.restore(&state), Err(Error::State { .. })));
}

#[test]
fn a_hessian_needs_a_batch_and_nesterov_a_momentum() {
    let objective = quadratic(DType::F64, [1.0, 2.0]);
    let none = HessianOperator::new(&objective, &Array::vector([1.0, 1.0]), &[]).unwrap_err();
    assert!(none.to_string().starts_with("hessian: the number of batches is 0"), "{none}");
    let flat = Optimizer::new(Sgd::new().with_nesterov(), &Cpu::new(), DType::F64, 2).unwrap_err();
    assert_eq!(flat.to_string(), "sgd: momentum is 0, but must be positive for Nesterov's form");
}

#[test]
fn norms_of_tiny_and_huge_gradients_keep_their_size() {
    // Squares of these leave the range of f32.
    for size in [1e-24f32, 1e24] {
        let mut optimizer = Optimizer::new(Sgd::new(), &Cpu::new(), DType::F32, 2)
            .unwrap()
            .with_clipping(2.5 * f64::from(size))
            .unwrap();
        let mut x = Array::vector([0f32, 0.0]);
        optimizer.step(&mut x, &Array::vector([3.0 * size, 4.0 * size]), 1.0).unwrap();
        let x: Vec<f64> = x.to_f64_vec().iter().map(|x| x / f64::from(size)).collect();
        assert!((x[0] + 1.5).abs() < 1e-5 && (x[1] + 2.0).abs() < 1e-5, "{x:?}");
    }
}
