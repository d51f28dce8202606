//! SAM and ASAM against plain loops, where their formulas divide by zero, rules of one's own,
//! and settings.
#![allow(clippy::single_range_in_vec_init)]

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::random::{Draw, Purpose};
use burlap_optim::sam::CrSam;
use burlap_optim::{
    Decay, Error, Method, Objective, Optimizer, Perturbation, Perturbing, Radius, Sam, Schedule,
    Sgd, State, Stateful, Training,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const DATA: [f64; 4] = [0.5, -1.0, 2.0, 0.1];

/// Σ aᵢ sin xᵢ + ¼ Σ xᵢ⁴ + x₀x₁.
fn loss(x: Var, batch: &[Var]) -> Var {
    (batch[0] * x.sin()).sum() + 0.25 * x.powi(4).sum() + x.at(0) * x.at(1)
}

fn gradient(x: &[f64]) -> Vec<f64> {
    let mut g: Vec<f64> = x.iter().zip(DATA).map(|(x, a)| a * x.cos() + x.powi(3)).collect();
    g[0] += x[1];
    g[1] += x[0];
    g
}

fn objective(dtype: DType) -> Objective {
    Objective::new(Cpu::with_threads(1).unwrap(), dtype, 4, loss)
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// 50 steps of gradients at x + ε(x, g).
fn reference(perturbation: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut x = vec![0.9, -0.3, -1.2, 0.4];
    for _ in 0..50 {
        let e = perturbation(&x, &gradient(&x));
        let moved: Vec<f64> = x.iter().zip(e).map(|(x, e)| x + e).collect();
        x.iter_mut().zip(gradient(&moved)).for_each(|(x, g)| *x -= 0.02 * g);
    }
    x
}

fn trained(method: Sam) -> Vec<f64> {
    let optimizer = Optimizer::new(Sgd::new(), &Cpu::new(), DType::F64, 4).unwrap();
    let schedule = Schedule::new(0.02, Decay::Constant).unwrap();
    let x = Array::vector([0.9, -0.3, -1.2, 0.4]);
    let mut training =
        Training::new(objective(DType::F64), method, optimizer, schedule, x).unwrap();
    for _ in 0..50 {
        assert_eq!(training.step(&[Array::vector(DATA)]).unwrap().gradients, 2);
    }
    training.parameters().to_f64_vec()
}

#[test]
fn fifty_steps_follow_plain_loops() {
    let sam = |rho: f64| {
        move |_: &[f64], g: &[f64]| g.iter().map(|gi| rho * gi / norm(g)).collect::<Vec<f64>>()
    };
    let asam = |rho: f64, eta: f64| {
        move |x: &[f64], g: &[f64]| {
            let t: Vec<f64> = x.iter().map(|x| x.abs() + eta).collect();
            let scaled: Vec<f64> = t.iter().zip(g).map(|(t, g)| t * g).collect();
            let length = norm(&scaled);
            t.iter().zip(&scaled).map(|(t, s)| rho * t * s / length).collect()
        }
    };
    let cases = [
        ("sam", trained(Sam::new(0.05).unwrap()), reference(sam(0.05))),
        ("sam far", trained(Sam::new(0.5).unwrap()), reference(sam(0.5))),
        ("asam", trained(Sam::asam(0.5, 0.01).unwrap()), reference(asam(0.5, 0.01))),
        ("asam, eta 0", trained(Sam::asam(0.3, 0.0).unwrap()), reference(asam(0.3, 0.0))),
    ];
    let plain = reference(|x, _| vec![0.0; x.len()]);
    for (name, found, expected) in cases {
        let distance =
            |a: &[f64]| norm(&a.iter().zip(&expected).map(|(a, b)| a - b).collect::<Vec<_>>());
        assert!(distance(&found) < 1e-12, "{name}: {found:?} {expected:?}");
        assert!(distance(&plain) > 1e-3, "{name} does what the plain gradient does");
    }
}

#[test]
fn a_zero_gradient_gives_no_perturbation_and_no_nan() {
    // g/‖g‖ would be 0/0, and so would be all that follows from it.
    for dtype in [DType::F32, DType::F64] {
        let flat = |x: Var, _: &[Var]| x.square().sum() + 3.0;
        let objective = Objective::new(Cpu::new(), dtype, 3, flat);
        let x = Array::zeros(dtype, [3]);
        for mut method in [Sam::new(0.1).unwrap(), Sam::asam(0.1, 0.01).unwrap()] {
            let found = method.evaluate(&objective, &x, &[], 0).unwrap();
            assert_eq!((found.loss, found.gradient), (3.0, x.clone()));
        }
    }
    // ASAM with η = 0 at x = 0: T = 0, so Tg = 0 though g is not.
    let slope = |x: Var, _: &[Var]| (x.square() + 2.0 * x).sum();
    let objective = Objective::new(Cpu::new(), DType::F64, 2, slope);
    let mut asam = Sam::asam(0.1, 0.0).unwrap();
    let found = asam.evaluate(&objective, &Array::vector([0.0, 0.0]), &[], 0).unwrap();
    assert_eq!(found.gradient.to_string(), "[2, 2]");
}

#[test]
fn the_loss_is_that_of_the_point_itself() {
    let mut sam = Sam::new(0.5).unwrap();
    let (x, batch) = (Array::vector([0.9, -0.3, -1.2, 0.4]), [Array::vector(DATA)]);
    let objective = objective(DType::F64);
    let found = sam.evaluate(&objective, &x, &batch, 0).unwrap();
    assert_eq!(found.loss, objective.value(&x, &batch).unwrap());
    assert_eq!((found.sharpness, sam.name()), (None, "sam"));
}

#[test]
fn two_instances_on_one_objective_keep_their_settings() {
    let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
    let x = Array::vector([1.0]);
    for (rho, expected) in [(0.5, "[3]"), (1.0, "[4]"), (0.5, "[3]")] {
        let found = Sam::new(rho).unwrap().evaluate(&objective, &x, &[], 0).unwrap();
        assert_eq!(found.gradient.to_string(), expected);
    }
}

#[test]
fn settings_outside_their_range_are_errors_that_name_them() {
    let positive = "but must be positive and finite";
    for (rho, text) in [(0.0, "0"), (-0.05, "-0.05"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let found = Sam::new(rho).unwrap_err();
        assert!(matches!(found, Error::Setting { .. }));
        assert_eq!(found.to_string(), format!("sam: rho is {text}, {positive}"));
        let found = Sam::asam(rho, 0.01).unwrap_err();
        assert_eq!(found.to_string(), format!("asam: rho is {text}, {positive}"));
    }
    for (eta, text) in [(-0.01, "-0.01"), (f64::NAN, "NaN")] {
        let found = Sam::asam(0.5, eta).unwrap_err();
        assert_eq!(
            found.to_string(),
            format!("asam: scale-offset is {text}, but must be finite and not negative")
        );
    }
}

#[test]
fn both_passes_see_the_same_random_mask() {
    // L = Σ mᵢ xᵢ² with a mask from the batch's key: gradients at both points vanish where
    // the mask does, and only there.
    let dropped = |x: Var, batch: &[Var]| {
        let keep = batch[0].uniform(0, DType::F64, x.shape()).lt(0.5);
        keep.select(2.0 * x.square(), 0.0 * x).sum()
    };
    let n = 64;
    let objective = Objective::new(Cpu::new(), DType::F64, n, dropped);
    let x = Array::vector((0..n).map(|i| 1.0 + 0.1 * i as f64).collect::<Vec<f64>>());
    let mut sam = Sam::new(0.5).unwrap();
    let mut masks = Vec::new();
    for step in 0..2 {
        let key = Draw { seed: 3, purpose: Purpose::Key, step, sample: 0 }.key();
        let batch = [Array::vector(key)];
        let plain = objective.value_grad(&x, &batch).unwrap().1.to_f64_vec();
        let found = sam.evaluate(&objective, &x, &batch, step).unwrap().gradient.to_f64_vec();
        let length = norm(&plain);
        for ((x, g), f) in x.to_f64_vec().iter().zip(&plain).zip(&found) {
            let expected = if *g == 0.0 { 0.0 } else { 4.0 * (x + 0.5 * g / length) };
            assert!((f - expected).abs() < 1e-13, "{f} {expected}");
        }
        let kept = plain.iter().filter(|g| **g != 0.0).count();
        assert!((16..48).contains(&kept), "{kept}");
        masks.push(plain.iter().map(|g| *g != 0.0).collect::<Vec<bool>>());
    }
    assert_ne!(masks[0], masks[1], "another key, another mask");
}

/// ε = −c x: a rule of the user's.
#[derive(Debug)]
struct Shrink(f64);

impl Stateful for Shrink {}

impl Perturbation for Shrink {
    fn name(&self) -> &str {
        "shrink"
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        -self.0 * at.parameters
    }

    fn check(&self) -> burlap_optim::Result<()> {
        Ok(())
    }
}

#[test]
fn a_rule_of_the_users_says_where_the_second_gradient_is_taken() {
    let x = vec![0.9, -0.3, -1.2, 0.4];
    let mut method = Sam::with_rule(Shrink(0.25)).unwrap();
    let batch = [Array::vector(DATA)];
    let found =
        method.evaluate(&objective(DType::F64), &Array::vector(x.clone()), &batch, 0).unwrap();
    let moved: Vec<f64> = x.iter().map(|x| 0.75 * x).collect();
    for (a, b) in found.gradient.to_f64_vec().iter().zip(gradient(&moved)) {
        assert!((a - b).abs() < 1e-14);
    }
}

#[test]
fn settings_of_the_whole_family_are_checked() {
    let sam = || Sam::new(0.1).unwrap();
    let rates = || Schedule::new(0.1, Decay::Constant).unwrap();
    let cases = [
        (
            Sam::fisher_sam(0.1, -1.0).err(),
            "fisher-sam: fisher-weight is -1, but must be finite and not negative",
        ),
        (
            Sam::esam(0.1, 0.0, 0.5).err(),
            "esam: keep-probability is 0, but must be above 0 and at most 1",
        ),
        (
            Sam::esam(0.1, 0.5, 1.5).err(),
            "esam: selected-fraction is 1.5, but must be above 0 and at most 1",
        ),
        (
            Sam::f_sam(0.1, 1.0, 1.0).err(),
            "f-sam: mean-decay is 1, but must be at least 0 and below 1",
        ),
        (Sam::f_sam(0.1, f64::NAN, 0.9).err(), "f-sam: mean-weight is NaN"),
        (
            Sam::msam(0.1, -0.1).err(),
            "msam: momentum-decay is -0.1, but must be at least 0 and below 1",
        ),
        (
            Sam::wsam(0.1, 1.0).err(),
            "wsam: sharpness-weight is 1, but must be at least 0 and below 1",
        ),
        (Sam::wsam(-0.1, 0.5).err(), "sam: rho is -0.1"),
        (Sam::gsam(0.1, -0.4).err(), "gsam: orthogonal-weight is -0.4"),
        (Sam::look_sam(0.1, 0.7, 0).err(), "looksam: every is 0, but must be at least 1"),
        (Sam::cr_sam(0.1, -0.1, 0.0).err(), "cr-sam: curvature-weight is -0.1"),
        (Sam::cr_sam(0.1, 0.1, f64::INFINITY).err(), "cr-sam: |norm-weight| is inf"),
        (Sam::eigen_sam(0.1, 0.2, 0).err(), "eigen-sam: every is 0, but must be at least 1"),
        (Sam::ssam_f(0.1, 1.0, 4, 10).err(), "ssam-f: sparsity is 1, but must be at least 0"),
        (
            Sam::ssam_f(0.1, 0.5, 0, 10).err(),
            "ssam-f: fisher-examples is 0, but must be at least 1",
        ),
        (Sam::ssam_d(0.1, 0.5, 0.0, 10).err(), "ssam-d: drop-fraction is 0, but must be above 0"),
        (sam().with_m_sharpness(0).err(), "sam: m-sharpness is 0"),
        (sam().over(vec![]).err(), "sam: ranges is [], but must be at least one range, ascending"),
        (sam().over(vec![0..2, 1..3]).err(), "sam: ranges is [0..2, 1..3]"),
        (sam().over(vec![2..2]).err(), "sam: ranges is [2..2]"),
        (
            Radius::tied(rates(), (0.1, 0.1), (0.1, 0.2)).err(),
            "radius: the range of learning rates",
        ),
        (Radius::tied(rates(), (0.0, 0.1), (0.0, 0.2)).err(), "radius: rho is 0"),
        (
            objective(DType::F64).with_micro_batch_size(0).err(),
            "objective: the micro-batch size is 0",
        ),
    ];
    for (error, expected) in cases {
        let text = error.unwrap().to_string();
        assert!(text.starts_with(expected), "{text}, expected {expected}");
    }
    // Only the objective says how long the vector is.
    let x = Array::vector([0.9, -0.3, -1.2, 0.4]);
    let mut beyond = sam().over(vec![2..5]).unwrap();
    let error = beyond.evaluate(&objective(DType::F64), &x, &[Array::vector(DATA)], 0).unwrap_err();
    assert!(error.to_string().ends_with("must be within the parameter vector"), "{error}");
}

#[test]
fn each_method_records_the_loss_as_often_as_it_must() {
    // A recording is a program with a pass through the loss: SAM has two, whatever it remembers.
    let cases = [
        (Sam::new(0.1), 2),
        (Sam::f_sam(0.1, 1.0, 0.9), 2),
        (Sam::gsam(0.1, 0.4), 2),
        (Sam::msam(0.1, 0.9), 1),
        // Both points by one program.
        (Sam::cr_sam(0.1, 0.1, 0.1), 2),
    ];
    for (sam, expected) in cases {
        let count = Arc::new(AtomicUsize::new(0));
        let recorded = Arc::clone(&count);
        let counted = move |x: Var, batch: &[Var]| {
            recorded.fetch_add(1, Ordering::Relaxed);
            loss(x, batch)
        };
        let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 4, counted);
        let mut sam = sam.unwrap();
        for step in 0..4 {
            let x = Array::vector([0.9, -0.3, -1.2, 0.4]);
            sam.evaluate(&objective, &x, &[Array::vector(DATA)], step).unwrap();
        }
        assert_eq!(count.load(Ordering::Relaxed), expected, "{}", sam.name());
    }
}

#[test]
fn a_state_of_another_length_is_refused() {
    let mut sam = Sam::f_sam(0.1, 1.0, 0.9).unwrap();
    let x = Array::vector([0.9, -0.3, -1.2, 0.4]);
    sam.evaluate(&objective(DType::F64), &x, &[Array::vector(DATA)], 0).unwrap();
    let mut state = sam.state();
    state.arrays.insert("mean gradient".into(), Array::vector([1.0]));
    sam.restore(&state).unwrap();
    let error = sam.evaluate(&objective(DType::F64), &x, &[Array::vector(DATA)], 1).unwrap_err();
    assert_eq!(error.to_string(), "f-sam, state: expected f64[4], found f64[1]");
    // Seeds are part of what random masks need.
    let mut random = Sam::esam(0.1, 0.5, 1.0).unwrap();
    assert!(matches!(random.restore(&State::default()), Err(Error::State { .. })));
    random.restore(&Sam::esam(0.1, 0.5, 1.0).unwrap().with_seed(7).state()).unwrap();
    assert_eq!(random.state().numbers["seed"], 7);
}

#[test]
fn a_first_step_that_fails_is_the_first_one_again() {
    let mut masked = Sam::ssam_f(0.1, 0.5, 1, 100).unwrap();
    let x = Array::vector([0.9, -0.3, -1.2, 0.4]);
    let objective = objective(DType::F64);
    let bad = [Array::vector([f64::NAN; 4])];
    assert!(masked.evaluate(&objective, &x, &bad, 3).is_err());
    assert_eq!(masked.state(), State::default());
    let batch = [Array::vector(DATA)];
    let found = masked.evaluate(&objective, &x, &batch, 4).unwrap().gradient;
    assert_ne!(found, objective.value_grad(&x, &batch).unwrap().1, "there is a mask");
}

#[test]
fn ranges_hold_for_rules_that_do_not_look_at_the_gradient() {
    let mut method = Sam::with_rule(Shrink(0.25)).unwrap().over(vec![1..2, 3..4]).unwrap();
    let (x, batch) = (Array::vector([0.9, -0.3, -1.2, 0.4]), [Array::vector(DATA)]);
    let found = method.evaluate(&objective(DType::F64), &x, &batch, 0).unwrap();
    let expected = gradient(&[0.9, 0.75 * -0.3, -1.2, 0.75 * 0.4]);
    for (a, b) in found.gradient.to_f64_vec().iter().zip(expected) {
        assert!((a - b).abs() < 1e-14);
    }
}

#[test]
fn a_curvature_without_a_logarithm_is_left_out() {
    // L = −x² at 1: g = −2, ε = −0.5, ĝ = −1 at ½ and −3 at 1½; L₊ + L₋ − 2L = −½ has no
    // logarithm, L₊ − L₋ = 2 has one.
    let concave = |x: Var, _: &[Var]| -x.square().sum();
    let objective = Objective::new(Cpu::new(), DType::F64, 1, concave);
    for (normalised, expected) in [(true, -1.0 + 0.1 * 2.0 / 2.0), (false, -1.0 + 0.1 * 2.0)] {
        let rule = CrSam { curvature_weight: 7.0, norm_weight: 0.1, normalised };
        let mut method = Sam::new(0.5).unwrap().combined(rule).unwrap();
        let found = method.evaluate(&objective, &Array::vector([1.0]), &[], 0).unwrap();
        assert!((found.gradient.get(&[0]).unwrap() - expected).abs() < 1e-15, "{normalised}");
    }
    // L = −x⁴: the curvature's term of the published code has the sign of ∇(L₊ + L₋ − 2L).
    let steep = |x: Var, _: &[Var]| -x.powi(4).sum();
    let objective = Objective::new(Cpu::new(), DType::F64, 1, steep);
    let gradient = |alpha, normalised| {
        let rule = CrSam { curvature_weight: alpha, norm_weight: 0.0, normalised };
        let mut method = Sam::new(0.5).unwrap().combined(rule).unwrap();
        let found = method.evaluate(&objective, &Array::vector([1.0]), &[], 0).unwrap();
        found.gradient.get(&[0]).unwrap()
    };
    let alone = gradient(0.0, true);
    assert_eq!(gradient(1.0, true), alone, "left out");
    // −4 (1.5³ + 0.5³ − 2)
    assert!((gradient(1.0, false) - alone + 6.0).abs() < 1e-13);
}
