//! Losses and sharpness that are not finite, and settings that make no sense.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{EmpiricalFisherOperator, HessianOperator};
use burlap_optim::penalty::{DirectionDistribution, Gaussian, HostDraw};
use burlap_optim::{
    Adam, AdamW, BatchSpec, Decay, Error, Estimator, Evaluation, METHODS, Method, MethodSettings,
    Objective, Optimizer, Plain, Sam, Schedule, Sgd, Sharpness, SharpnessMethod, Stateful,
    Training, method,
};

fn quadratic(dtype: DType, factors: [f64; 2]) -> Objective {
    let loss = move |x: Var, _: &[Var]| {
        0.5 * (factors[0] * x.at(0).square() + factors[1] * x.at(1).square())
    };
    // The parameters are the output of a model, for the methods that need one.
    Objective::model_and_loss(Cpu::new(), dtype, 2, |x, _| x, loss)
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
        let name = name.name;
        let named = method(name, &MethodSettings::default()).unwrap();
        let objective = quadratic(DType::F64, [1.0, 2.0]);
        let mut m = named.method;
        assert!(m.evaluate(&objective, &Array::vector([1.0, 1.0]), &[], 0).is_ok(), "{name}");
    }
    let names: Vec<&str> = METHODS.iter().map(|m| m.name).collect();
    let message = method("adam-sam", &MethodSettings::default()).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("there is no method named \"adam-sam\"; there are {}", names.join(", "))
    );
}

#[test]
fn vectors_that_do_not_fit_are_errors_of_every_function_that_takes_them() {
    let model = |x: Var, batch: &[Var]| batch[0].matmul(x);
    let loss = |output: Var, _: &[Var]| output.square().mean();
    let objective = Objective::model_and_loss(Cpu::new(), DType::F64, 2, model, loss);
    let batch = [Array::from_vec([3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap()];
    let fits = Array::vector([1.0, 2.0]);
    let evaluate =
        |mut m: Box<dyn Method>, x: &Array| m.evaluate(&objective, x, &batch, 0).map(|_| ());
    type Call<'a> = Box<dyn Fn(&Array, &Array) -> burlap_optim::Result<()> + 'a>;
    let (o, b) = (&objective, &batch);
    let mut calls: Vec<(String, Call<'_>)> = vec![
        ("value".into(), Box::new(|x, _| o.value(x, b).map(|_| ()))),
        ("gradient".into(), Box::new(|x, _| o.value_grad(x, b).map(|_| ()))),
        ("gradient".into(), Box::new(|x, _| o.value_grad_buffers(x, b).map(|_| ()))),
        ("hessian-vector product".into(), Box::new(|x, v| o.hvp(x, b, v).map(|_| ()))),
        ("hessian-vector product".into(), Box::new(|x, v| o.value_grad_hvp(x, b, v).map(|_| ()))),
        ("curvature".into(), Box::new(|x, v| o.curvature(x, b, v).map(|_| ()))),
        (
            "per-example gradients".into(),
            Box::new(|x, _| o.per_example_gradients(x, b).map(|_| ())),
        ),
        ("weights".into(), Box::new(|x, _| o.weights(x, &[b, b]).map(|_| ()))),
        ("hessian".into(), Box::new(|x, _| HessianOperator::new(o, x, &[b]).map(|_| ()))),
        (
            "empirical Fisher".into(),
            Box::new(|x, _| EmpiricalFisherOperator::new(o, x, &[b]).map(|_| ())),
        ),
        ("trace".into(), Box::new(|x, _| Sharpness::trace().estimate(o, x, b, 2, 1).map(|_| ()))),
        ("trace".into(), Box::new(|x, _| Sharpness::trace().draw(o, x, b, 2, (1, 0)).map(|_| ()))),
    ];
    for name in METHODS.iter().map(|m| m.name) {
        let build = move || method(name, &MethodSettings::default()).unwrap().method;
        calls.push(("".into(), Box::new(move |x, _| evaluate(build(), x))));
    }
    let wrong = [
        (Array::vector([1.0]), "f64[1]"),
        (Array::vector([1.0, 2.0, 3.0]), "f64[3]"),
        (Array::vector([1f32, 2.0]), "f32[2]"),
        (Array::scalar(1.0), "f64[]"),
    ];
    for (of, call) in &calls {
        call(&fits, &fits).unwrap();
        for (v, said) in &wrong {
            let error = call(v, &fits).unwrap_err();
            assert!(matches!(error, Error::Vector { .. }), "{of}: {error}");
            let message = error.to_string();
            let expected = format!(", parameters: expected f64[2], found {said}");
            assert!(message.starts_with(of) && message.ends_with(&expected), "{of}: {message}");
        }
    }
    for (of, call) in
        calls.iter().filter(|(of, _)| ["hessian-vector product", "curvature"].contains(&&of[..]))
    {
        for (v, said) in &wrong {
            let expected = format!("{of}, direction: expected f64[2], found {said}");
            assert_eq!(call(&fits, v).unwrap_err().to_string(), expected);
        }
    }
}

#[test]
fn a_training_refuses_parameters_and_an_optimizer_of_another_objective() {
    let build = |dtype, dim, x: Array| {
        let objective = quadratic(DType::F64, [1.0, 1.0]);
        let optimizer = Optimizer::new(Adam::new(), &Cpu::new(), dtype, dim).unwrap();
        let schedule = Schedule::new(0.1, Decay::Constant).unwrap();
        Training::new(objective, Plain, optimizer, schedule, x).map(|_| ())
    };
    let fits = || Array::vector([1.0, 2.0]);
    build(DType::F64, 2, fits()).unwrap();
    let sentences = [
        (build(DType::F64, 3, fits()), "one of f64[2], found adam of f64[3]"),
        (build(DType::F32, 2, fits()), "one of f64[2], found adam of f32[2]"),
    ];
    for (found, expected) in sentences {
        let error = found.unwrap_err().to_string();
        assert_eq!(error, format!("training, optimizer: expected {expected}"));
    }
    let error = build(DType::F64, 2, Array::vector([1.0])).unwrap_err().to_string();
    assert_eq!(error, "training, parameters: expected f64[2], found f64[1]");
}

#[test]
fn data_of_another_precision_are_named() {
    let loss = |x: Var, batch: &[Var]| (batch[1] * batch[0].matmul(x)).sum();
    let spec = BatchSpec::new().by_example("features").by_example("signs");
    let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    let features = Array::from_vec([2, 2], vec![1f32, 2.0, 3.0, 4.0]).unwrap();
    let batch = [features, Array::vector([1.0, -1.0])];
    let x = Array::vector([1.0, 2.0]);
    let error = objective.value(&x, &batch).unwrap_err().to_string();
    assert!(
        error.starts_with("batch: array 0 of the batch is f32[2, 2], but must be f64"),
        "{error}"
    );
    let error = objective.with_batch(spec).value_grad(&x, &batch).unwrap_err();
    assert!(matches!(error, Error::Batch { .. }), "{error}");
    let message = error.to_string();
    let expected =
        "batch: features is f32[2, 2], but must be f64, as the parameters are, or cast to it: ";
    assert!(message.starts_with(expected) && message.contains("errors.rs:"), "{message}");
}

#[test]
fn a_nan_among_the_data_is_named_by_array_and_element() {
    let loss = |x: Var, batch: &[Var]| (batch[0].matmul(x) - batch[1]).square().mean();
    let spec = BatchSpec::new().by_example("features").by_example("targets");
    let values: Vec<f64> = (0..10).map(|i| if i == 7 { f64::NAN } else { f64::from(i) }).collect();
    let batch = [Array::from_vec([5, 2], values).unwrap(), Array::vector([1.0; 5])];
    let x = Array::vector([1.0, 2.0]);
    let micro = || Sam::new(0.1).unwrap().with_m_sharpness(2).unwrap();
    for piece in [5, 4, 2, 1] {
        for declared in [true, false] {
            let objective = Objective::new(Cpu::new(), DType::F64, 2, loss)
                .with_micro_batch_size(piece)
                .unwrap();
            let objective = if declared { objective.with_batch(spec.clone()) } else { objective };
            let array = if declared { "features" } else { "array 0 of the batch" };
            let named = |of: &str| format!("{of}: the loss is NaN; {array} holds NaN at [3, 1]");
            let errors = [
                ("value", objective.value(&x, &batch).unwrap_err()),
                ("gradient", objective.value_grad(&x, &batch).unwrap_err()),
                ("sam", Sam::new(0.1).unwrap().evaluate(&objective, &x, &batch, 0).unwrap_err()),
                ("sam", micro().evaluate(&objective, &x, &batch, 0).unwrap_err()),
                ("per-example gradients", objective.per_example_gradients(&x, &batch).unwrap_err()),
            ];
            for (of, error) in errors {
                assert_eq!(error.to_string(), named(of), "pieces of {piece}");
            }
        }
    }
    // Of parameters and of infinities, too, where these do harm.
    let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    let fine = [Array::full(DType::F64, [5, 2], 1.0), Array::vector([1.0; 5])];
    let error = objective.value(&Array::vector([1.0, f64::NAN]), &fine).unwrap_err().to_string();
    assert_eq!(error, "value: the loss is NaN; the parameter vector holds NaN at [1]");
    let infinite = [fine[0].clone(), Array::vector([1.0, 1.0, f64::NEG_INFINITY, 1.0, 1.0])];
    let error = objective.value(&x, &infinite).unwrap_err().to_string();
    assert_eq!(error, "value: the loss is inf; array 1 of the batch holds -inf at [2]");
    let masked = |x: Var, batch: &[Var]| (x.sum() + batch[0]).logsumexp(&[0]);
    let objective = Objective::new(Cpu::new(), DType::F64, 2, masked);
    assert!(objective.value(&x, &[Array::vector([0.0, f64::NEG_INFINITY])]).is_ok());
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
#[derive(Debug)]
struct Broken(Option<usize>);

impl Stateful for Broken {}

impl DirectionDistribution for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        self.0.map(|more| (vec![f64::NAN; at.dim + more], 0.0))
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
        (Broken(None), "directions: broken: samples are neither recorded nor drawn on the host"),
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
        message.starts_with("plain: the gradient is not finite; first rsqrt: element 0"),
        "{message}"
    );
    assert!(message.contains(&format!("errors.rs:{line}")), "{message}");
    assert_eq!(training.state(), before);
}

/// A method that divides by what a batch holds.
struct Scaled;

impl Method for Scaled {
    fn name(&self) -> &str {
        "scaled"
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        _: u64,
    ) -> burlap_optim::Result<Evaluation> {
        let (loss, gradient) = objective.value_grad(x, batch)?;
        let scales = batch[0].to_f64_vec();
        let pairs = gradient.to_f64_vec().into_iter().zip(scales);
        let scaled: Vec<f64> = pairs.map(|(g, scale)| g / scale).collect();
        Ok(Evaluation::new(loss, Array::vector(scaled)))
    }
}

#[test]
fn a_nan_that_only_the_gradient_sees_is_named() {
    let objective = quadratic(DType::F64, [1.0, 1.0]);
    let objective = objective.with_batch(BatchSpec::new().shared("scales"));
    let optimizer = Optimizer::new(Sgd::new(), &Cpu::new(), DType::F64, 2).unwrap();
    let schedule = Schedule::new(0.1, Decay::Constant).unwrap();
    let start = Array::vector([1.0, 1.0]);
    let mut training = Training::new(objective, Scaled, optimizer, schedule, start).unwrap();
    training.step(&[Array::vector([1.0, 2.0])]).unwrap();
    let error = training.step(&[Array::vector([1.0, f64::NAN])]).unwrap_err();
    assert!(matches!(error, Error::NonFiniteGradient { input: Some(_), .. }), "{error}");
    assert_eq!(error.to_string(), "scaled: the gradient is not finite; scales holds NaN at [1]");
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
        Optimizer::new(rule, &Cpu::new(), DType::F64, 2).unwrap()
    };
    let mut adam = build(Box::new(Adam::new()));
    assert!(adam.restore(&build(Box::new(AdamW::new())).state()).is_err());
    let mut training = plain_training(|x, _| x.square().sum(), [1.0, 1.0]);
    let mut state = training.state();
    assert!(training.restore(&state).is_ok());
    let steps = state.numbers.remove("steps with plain").unwrap();
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
