//! What holds for every method that has a name: it resumes to the bit, batches may come in pieces,
//! zero gradients do no harm, and settings are those in force.
#![allow(clippy::single_range_in_vec_init)]

use crate::plain::{DIM, arrays, data, distance, loss_of_output, model, norm, objective, start};
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::{
    Adam, AdamW, BatchSpec, Decay, Error, Estimator, METHODS, Method, MethodSettings, Objective,
    Optimizer, Schedule, Setting, SettingKind, SettingValue, Sgd, Training, UPDATE_RULES, method,
    methods_table, update_rule, update_rules_table,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Short periods, so that a run of twenty steps sees them.
fn settings(name: &str) -> MethodSettings {
    let all = MethodSettings::new().with("every", 3u64).with("m-sharpness", 4u64).with_seed(3);
    all.applicable_to(name).unwrap()
}

fn names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|member| member.name)
}

fn named(name: &str, settings: &MethodSettings) -> Box<dyn Method> {
    method(name, settings).unwrap().method
}

/// det-sam's weights make no sense of 13 parameters: λρ² = 10⁻² is too much for it.
fn steady(name: &str) -> MethodSettings {
    settings(name).with_some("lambda", (name == "det-sam").then_some(1e-6))
}

/// The network, and as a buffer the mean of its inputs, weighted by a parameter.
fn with_buffer(p: Var, batch: &[Var], buffers: &[Var]) -> (Var, Vec<Var>) {
    let mean = (p.at(0) * batch[0]).mean();
    (model(p, batch), vec![0.9 * buffers[0] + 0.1 * mean])
}

/// A loss of the parameters as the output of a model, for the methods that need one.
fn of_parameters(
    dtype: DType,
    dim: usize,
    loss: impl Fn(Var, &[Var]) -> Var + Send + 'static,
) -> Objective {
    let cpu = Cpu::with_threads(1).unwrap();
    Objective::model_and_loss(cpu, dtype, dim, |x, _| x, loss)
}

fn training(name: &str, dtype: DType) -> Training {
    let buffers = vec![("running mean".to_owned(), Array::full(dtype, (), 0.0))];
    let cpu = Cpu::with_threads(1).unwrap();
    let objective = Objective::model_and_loss_with_buffers(
        cpu.clone(),
        dtype,
        DIM,
        buffers,
        with_buffer,
        loss_of_output,
    );
    let optimizer = Optimizer::new(Adam::new(), &cpu, dtype, DIM).unwrap();
    let schedule = Schedule::new(0.01, Decay::Step { every: 5, factor: 0.7 }).unwrap();
    let x = Array::from_f64(dtype, [DIM], &start()).unwrap();
    Training::new(objective, named(name, &steady(name)), optimizer, schedule, x).unwrap()
}

fn advance(run: &mut Training, to: u64) {
    while run.steps() < to {
        let dtype = run.parameters().dtype();
        run.step(&arrays(&data(run.steps(), 6), dtype)).unwrap();
    }
}

#[test]
fn every_method_resumes_to_the_bit() {
    for name in names() {
        for dtype in [DType::F64, DType::F32] {
            let mut run = training(name, dtype);
            advance(&mut run, 7);
            let saved = run.state();
            advance(&mut run, 20);
            assert_ne!(run.state(), saved);
            let mut fresh = training(name, dtype);
            fresh.restore(&saved).unwrap();
            assert_eq!(fresh.state(), saved, "{name}");
            advance(&mut fresh, 20);
            assert!(fresh.state() == run.state(), "{name}, {dtype}");
            // One that has gone elsewhere in between.
            fresh.restore(&saved).unwrap();
            advance(&mut fresh, 20);
            assert!(fresh.state() == run.state(), "{name}, {dtype}, again");
        }
    }
}

/// Gradients of three steps at two points, so that state vectors are no longer zero.
fn gradients(name: &str, settings: &MethodSettings, objective: &Objective, n: usize) -> Vec<f64> {
    let mut method = named(name, settings);
    let mut all = Vec::new();
    for step in 0..3 {
        let x: Vec<f64> = start().iter().map(|x| x * (1.0 - 0.1 * step as f64)).collect();
        let batch = arrays(&data(step, n), DType::F64);
        let found = method.evaluate(objective, &Array::vector(x), &batch, step).unwrap();
        all.extend(found.gradient.to_f64_vec());
        all.extend(found.decoupled.map(|d| d.to_f64_vec()).unwrap_or_default());
    }
    all
}

/// An objective that keeps the size of the largest batch it has recorded the loss of.
fn watched() -> (Objective, Arc<AtomicUsize>) {
    let largest = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&largest);
    let model_of = move |p: Var, batch: &[Var]| {
        seen.fetch_max(batch[0].shape()[0], Ordering::Relaxed);
        model(p, batch)
    };
    let cpu = Cpu::with_threads(1).unwrap();
    (Objective::model_and_loss(cpu, DType::F64, DIM, model_of, loss_of_output), largest)
}

#[test]
fn batches_in_pieces_are_whole_batches_up_to_rounding() {
    for name in names() {
        for m in [4u64, 5] {
            let settings = match steady(name).get("m-sharpness") {
                Some(_) => steady(name).with("m-sharpness", m),
                None => steady(name),
            };
            if m == 5 && settings.get("m-sharpness").is_none() {
                continue;
            }
            let whole = gradients(name, &settings, &objective(DType::F64), 11);
            let (objective, largest) = watched();
            let objective = objective.with_micro_batch_size(3).unwrap();
            let pieces = gradients(name, &settings, &objective, 11);
            // Eigenvectors are found to 1e-6, and differently rounded.
            let tolerance = if name.contains("eigen") { 1e-6 } else { 1e-11 };
            let error = distance(&pieces, &whole) / norm(&whole);
            assert!(error < tolerance, "{name}: {error}");
            // In the memory of a piece.
            let largest = largest.load(Ordering::Relaxed);
            assert!(largest <= 3, "{name}: {largest}");
        }
    }
}

#[test]
fn estimators_that_are_linear_in_the_loss_take_pieces() {
    for (estimator, linear) in [
        (Estimator::OneSided, true),
        (Estimator::Central, true),
        (Estimator::Exact, true),
        (Estimator::HvpNorm, false),
    ] {
        let settings =
            MethodSettings::new().with("rho", 0.3).with("estimator", estimator).with_seed(2);
        let pieces = objective(DType::F64).with_micro_batch_size(4).unwrap();
        if linear {
            let whole = gradients("frob-sam", &settings, &objective(DType::F64), 9);
            let error = distance(&gradients("frob-sam", &settings, &pieces, 9), &whole);
            assert!(error < 1e-12 * norm(&whole), "{estimator:?}: {error}");
            continue;
        }
        let mut method = named("frob-sam", &settings);
        let x = Array::vector(start());
        let error = method.evaluate(&pieces, &x, &arrays(&data(0, 9), DType::F64), 0).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Setting { .. }), "{text}");
        assert!(text.starts_with("frobenius: the estimator is hvp, but must be linear"), "{text}");
        // A batch of one piece is none.
        assert!(method.evaluate(&pieces, &x, &arrays(&data(0, 4), DType::F64), 0).is_ok());
    }
}

#[test]
fn a_zero_gradient_is_no_perturbation_whatever_is_remembered() {
    // A minimum and a saddle at 0; far from it first, so that means, masks and vectors are there.
    for sign in [1.0, -1.0] {
        for dtype in [DType::F64, DType::F32] {
            let loss = move |x: Var, _: &[Var]| {
                x.at(0).square() + x.at(1).square() + sign * x.at(2).square() + x.sum().powi(4)
            };
            let objective = of_parameters(dtype, 3, loss);
            for name in names() {
                let mut method = named(name, &settings(name));
                let far = Array::from_f64(dtype, [3], &[0.3, -0.2, 0.4]).unwrap();
                method.evaluate(&objective, &far, &[], 0).unwrap();
                let zero = Array::zeros(dtype, [3]);
                for step in 1..4 {
                    let found = method.evaluate(&objective, &zero, &[], step).unwrap();
                    let g = found.gradient.to_f64_vec();
                    // Momentum perturbs there, too, and curvatures have gradients of their own.
                    if name == "msam" || found.sharpness.is_some() {
                        assert!(g.iter().all(|g| g.is_finite()), "{name}: {g:?}");
                    } else {
                        assert_eq!(g, [0.0; 3], "{name}, step {step}");
                    }
                    let rest = found.decoupled.map(|d| d.to_f64_vec()).unwrap_or_default();
                    assert!(rest.iter().all(|d| *d == 0.0), "{name}");
                }
            }
        }
    }
}

#[test]
fn gradients_of_any_size_give_a_perturbation_of_the_radius() {
    // ρ/‖g‖ or ‖g‖² would leave the range of f32. (Of subnormal gradients the part beside another
    // is lost in rounding, which LookSAM needs.)
    for size in [1e-42, 1e-30, 1e30] {
        let slope = move |x: Var, _: &[Var]| (size * x).sum();
        let objective = of_parameters(DType::F32, 3, slope);
        for name in names().filter(|name| size > 1e-38 || *name != "looksam") {
            let mut method = named(name, &MethodSettings::default());
            for step in 0..3 {
                let x = Array::vector([1f32, -2.0, 0.5]);
                let found = method.evaluate(&objective, &x, &[], step).unwrap();
                if found.sharpness.is_some() {
                    continue;
                }
                // Constant: where it is taken does not matter, only that it is a place.
                let expected = f64::from(size as f32);
                for g in found.gradient.to_f64_vec() {
                    assert!((g / expected - 1.0).abs() < 1e-6, "{name} at {size:e}: {g:e}");
                }
            }
        }
    }
}

#[test]
fn exponentials_of_huge_curvatures_are_numbers_or_errors() {
    // ½vᵀHv up to ±10⁴ and beyond.
    for h in [2e4, -2e4, 1.0] {
        for estimator in [Estimator::OneSided, Estimator::Central, Estimator::Exact] {
            let loss = move |x: Var, _: &[Var]| (0.5 * h * x.square() + x.powi(3)).sum();
            let objective = of_parameters(DType::F64, 3, loss);
            for name in ["det-sam", "logdet-sam", "tilted-sam"] {
                let settings = MethodSettings::new()
                    .with("sigma", 1.0)
                    .with("rho", 0.1)
                    .with("samples", 4u64)
                    .with("estimator", estimator);
                let x = Array::vector([0.1, 0.2, -0.3]);
                let found = named(name, &settings).evaluate(&objective, &x, &[], 0);
                match found {
                    Ok(found) => {
                        let g = found.gradient.to_f64_vec();
                        assert!(g.iter().all(|g| g.is_finite()), "{name}, {h}: {g:?}");
                        assert!(found.sharpness.unwrap().is_finite());
                    }
                    // det H = 8·10¹² is a number; what indefinite curvatures give is not.
                    Err(Error::NonFiniteSharpness { value, .. }) => {
                        assert!(name == "det-sam" && !value.is_nan(), "{name}, {h}: {value}");
                    }
                    Err(other) => panic!("{name}, {h}: {other}"),
                }
            }
        }
    }
}

/// A value that no setting has by default, within all ranges.
fn unusual(setting: &Setting) -> SettingValue {
    match setting.kind {
        SettingKind::Number => 0.375.into(),
        SettingKind::Count => 7u64.into(),
        SettingKind::Estimator => Estimator::Central.into(),
        SettingKind::Ranges => vec![0..2].into(),
        _ => panic!("a kind without a value here"),
    }
}

#[test]
fn settings_are_those_in_force_and_others_are_refused() {
    let all = METHODS.iter().flat_map(|m| m.all_settings());
    let all = all.fold(MethodSettings::new().with_seed(9), |s, setting| {
        s.with(setting.name, unusual(setting))
    });
    for member in METHODS {
        let name = member.name;
        let applicable = all.applicable_to(name).unwrap();
        // The effective settings are the given ones, all that the method has.
        assert_eq!(method(name, &applicable).unwrap().settings, applicable, "{name}");
        let own: Vec<&str> = member.all_settings().map(|s| s.name).collect();
        assert_eq!(applicable.iter().count(), own.len(), "{name}");
        assert!(own.iter().all(|name| applicable.get(name).is_some()), "{name}");
        let defaults = method(name, &MethodSettings::new()).unwrap().settings;
        let off = member.all_settings().filter(|s| s.default_text().is_empty()).count();
        assert_eq!(defaults.iter().count(), own.len() - off, "{name}");
        let refused = method(name, &all).unwrap_err().to_string();
        let expected = "must be left out: the method has no such setting";
        assert!(
            refused.starts_with(&format!("{name}: ")) && refused.ends_with(expected),
            "{refused}"
        );
    }
    let refused = |settings: MethodSettings, name| method(name, &settings).unwrap_err().to_string();
    let one = MethodSettings::new().with("ranges", vec![0..1]);
    assert!(refused(one, "frob-sam").starts_with("frob-sam: ranges is [0..1]"));
    let bad = MethodSettings::new().with("sharpness-weight", 1.0);
    let expected = "wsam: sharpness-weight is 1, but must be at least 0 and below 1";
    assert_eq!(refused(bad, "wsam"), expected);
    let half = MethodSettings::new().with("every", 2.5);
    assert_eq!(refused(half, "looksam"), "looksam: every is 2.5, but must be a whole number");
}

#[test]
fn former_names_of_methods_and_settings_mean_the_present_ones() {
    for member in METHODS {
        for setting in member.all_settings() {
            let Some(former) = setting.former_name else {
                continue;
            };
            let value = unusual(setting);
            let given = MethodSettings::new().with(former, value.clone());
            let present = MethodSettings::new().with(setting.name, value.clone());
            assert_eq!(given.applicable_to(member.name).unwrap(), present, "{}", member.name);
            let resolved = method(member.name, &given).unwrap().settings;
            assert_eq!(resolved.get(setting.name), Some(&value), "{}", member.name);
            // One cannot be given twice.
            assert!(method(member.name, &present.with(former, value)).is_err());
        }
    }
    assert_eq!(method("sgd", &MethodSettings::new()).unwrap().method.name(), "plain");
}

#[test]
fn no_word_has_two_meanings() {
    let mut seen: Vec<&Setting> = Vec::new();
    for setting in METHODS.iter().flat_map(|m| m.all_settings()) {
        // A kind of value and a former name belong to a word, whoever has it.
        if let Some(other) = seen.iter().find(|other| other.name == setting.name) {
            assert_eq!(setting.kind, other.kind, "{}", setting.name);
            assert_eq!(setting.former_name, other.former_name, "{}", setting.name);
        }
        seen.push(setting);
    }
    let mut names: Vec<&str> =
        METHODS.iter().flat_map(|m| [Some(m.name), m.former_name]).flatten().collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
}

#[test]
fn descriptions_tell_all_settings_and_no_addresses() {
    let told = |name: &str, settings: &MethodSettings| {
        let description = method(name, settings).map(|found| found.method.description());
        description.ok().inspect(|text| assert!(!text.contains("0x"), "{text}"))
    };
    for member in METHODS {
        let none = MethodSettings::new();
        let default = told(member.name, &none).unwrap();
        assert_eq!(told(member.name, &none).unwrap(), default);
        for setting in member.all_settings() {
            let values: [SettingValue; 5] = [
                0.375.into(),
                7u64.into(),
                Estimator::Central.into(),
                Estimator::OneSided.into(),
                vec![0..2].into(),
            ];
            let others =
                values.map(|value| told(member.name, &none.clone().with(setting.name, value)));
            let mut others = others.into_iter().flatten();
            assert!(others.any(|other| other != default), "{}: {}", member.name, setting.name);
        }
        let seeded = told(member.name, &none.with_seed(5)).unwrap();
        assert_eq!(seeded == default, member.name == "plain");
    }
}

/// The tables in the documentation are written by `BURLAP_WRITE_TABLE=1 cargo test`.
#[test]
fn the_documented_tables_are_those_of_the_registry() {
    for (file, table) in [("methods.md", methods_table()), ("rules.md", update_rules_table())] {
        let path = format!("{}/src/registry/{file}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("BURLAP_WRITE_TABLE").is_some() {
            std::fs::write(&path, &table).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), table);
    }
}

#[test]
fn update_rules_have_the_settings_of_their_rows() {
    // Rows and constructors have the same defaults.
    let rule = |name: &str, settings: &MethodSettings| {
        format!("{:?}", update_rule(name, settings).unwrap())
    };
    let none = MethodSettings::new();
    assert_eq!(rule("sgd", &none), format!("{:?}", Sgd::new()));
    let nesterov = Sgd::new().with_momentum(0.9).with_nesterov();
    assert_eq!(rule("nesterov", &none), format!("{nesterov:?}"));
    assert_eq!(rule("adam", &none), format!("{:?}", Adam::new()));
    assert_eq!(rule("adamw", &none), format!("{:?}", AdamW::new()));
    // Each setting of each rule changes it.
    for member in UPDATE_RULES {
        for setting in member.settings {
            let other = rule(member.name, &none.clone().with(setting.name, 0.375));
            assert_ne!(other, rule(member.name, &none), "{} {}", member.name, setting.name);
        }
    }
    let said = |name: &str, settings: MethodSettings| {
        update_rule(name, &settings).unwrap_err().to_string()
    };
    let known = said("rmsprop", MethodSettings::new());
    assert!(
        known.starts_with("there is no update rule named \"rmsprop\"; there are sgd"),
        "{known}"
    );
    let range = said("adam", MethodSettings::new().with("beta1", 1.0));
    assert_eq!(range, "adam: beta1 is 1, but must be at least 0 and below 1");
}

#[test]
fn nothing_outside_the_ranges_is_perturbed() {
    // ½ Σ aᵢxᵢ²: each element of the gradient tells where it was taken.
    let factors: Vec<f64> = (0..8).map(|i| 1.0 + 0.3 * i as f64).collect();
    let a = Array::vector(factors);
    let loss = |x: Var, batch: &[Var]| 0.5 * (batch[0].mean() * batch[1] * x * x).sum();
    let spec = BatchSpec::new().by_example("scales").shared("factors");
    let objective =
        Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 8, loss).with_batch(spec);
    let batch = [Array::vector([1.0; 4]), a];
    // Those whose gradient is that at the perturbed point.
    for name in ["sam", "asam", "ssam-f", "ssam-d", "f-sam", "fisher-sam", "msam", "eigen-sam"] {
        let all = MethodSettings::new().with("every", 3u64).with_seed(3);
        let all = all.applicable_to(name).unwrap().with("ranges", vec![1..3, 6..8]);
        let mut method = named(name, &all);
        for step in 0..5 {
            let x: Vec<f64> = (0..8).map(|i| 0.5 + 0.1 * (i as f64 + step as f64)).collect();
            let x = Array::vector(x);
            let plain = objective.value_grad(&x, &batch).unwrap().1.to_f64_vec();
            let found = method.evaluate(&objective, &x, &batch, step).unwrap().gradient;
            let moved: Vec<usize> = found
                .to_f64_vec()
                .iter()
                .zip(&plain)
                .enumerate()
                .filter(|(_, (a, b))| (*a - *b).abs() > 1e-12)
                .map(|(i, _)| i)
                .collect();
            let inside = moved.iter().all(|i| [1, 2, 6, 7].contains(i));
            assert!(inside, "{name}, step {step}: {moved:?}");
            // Half of them where there is a mask; momentum is none in the first step.
            let expected = match name {
                "msam" if step == 0 => 0,
                "ssam-f" | "ssam-d" => 2,
                _ => 4,
            };
            assert_eq!(moved.len(), expected, "{name}, step {step}: {moved:?}");
        }
    }
}

#[test]
fn objectives_methods_and_runs_move_to_another_thread() {
    for name in names() {
        let here = gradients(name, &steady(name), &objective(DType::F64), 6);
        let (settings, objective) = (steady(name), objective(DType::F64));
        let there = std::thread::spawn(move || gradients(name, &settings, &objective, 6));
        assert_eq!(there.join().unwrap(), here, "{name}");
        // In the midst of a run, with programs, momenta and state arrays.
        let (mut here, mut run) = (training(name, DType::F64), training(name, DType::F64));
        advance(&mut run, 4);
        let there = std::thread::spawn(move || {
            advance(&mut run, 8);
            run.state()
        });
        advance(&mut here, 8);
        assert!(there.join().unwrap() == here.state(), "{name}");
    }
}
