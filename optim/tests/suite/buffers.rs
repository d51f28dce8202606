//! Buffers, such as the running statistics of a batch normalisation: taken from the pass at the
//! parameters themselves, kept and restored with a run, averaged over parts of a batch.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{HessianOperator, LinearOperator};
use burlap_optim::{
    Decay, Error, METHODS, Method, MethodSettings, Objective, Optimizer, Schedule, Sgd, State,
    Training, method,
};

const RATE: f64 = 0.1;

/// One normalised unit: h = x₀ b, z = (h − mean h)/√(var h + ε), loss (x₁ z + x₂ − y)². The
/// statistics depend on a parameter, so that a perturbed pass has others.
fn normalised(x: Var, batch: &[Var], buffers: &[Var]) -> (Var, Vec<Var>) {
    let h = x.at(0) * batch[0] + 0.1 * batch[0].square() * x.at(2);
    let (mean, variance) = (h.mean(), h.variance(&[0], 0));
    let z = (h - mean) / (variance + 1e-3).sqrt();
    let output = x.at(1) * z + x.at(2);
    let count = (buffers[2].cast(DType::F64) + 1.0).cast(DType::U32);
    (output, vec![0.9 * buffers[0] + 0.1 * mean, 0.9 * buffers[1] + 0.1 * variance, count])
}

fn squared_error(output: Var, batch: &[Var]) -> Var {
    (output - batch[1]).square().mean()
}

/// Mean and variance of h in plain loops.
fn statistics(x: &[f64], b: &[f64]) -> (f64, f64) {
    let h: Vec<f64> = b.iter().map(|b| x[0] * b + 0.1 * b * b * x[2]).collect();
    let n = h.len() as f64;
    let mean = h.iter().sum::<f64>() / n;
    (mean, h.iter().map(|h| (h - mean).powi(2)).sum::<f64>() / n)
}

fn inputs(step: u64) -> Vec<f64> {
    (0..7).map(|i| (1.1 * i as f64 + step as f64).sin() + 0.3).collect()
}

fn batch(step: u64) -> Vec<Array> {
    let targets: Vec<f64> = inputs(step).iter().map(|b| b.cos()).collect();
    vec![Array::vector(inputs(step)), Array::vector(targets)]
}

fn objective() -> Objective {
    let buffers = [
        ("mean", Array::scalar(0.0)),
        ("variance", Array::scalar(1.0)),
        ("count", Array::scalar(0u32)),
    ];
    let buffers = buffers.map(|(name, a)| (name.to_owned(), a)).into();
    let (cpu, loss) = (Cpu::with_threads(1).unwrap(), squared_error);
    Objective::model_and_loss_with_buffers(cpu, DType::F64, 3, buffers, normalised, loss)
}

fn training(method: Box<dyn Method>, objective: Objective) -> Training {
    let rule = Sgd::new().with_momentum(0.5);
    let optimizer = Optimizer::new(rule, objective.backend(), DType::F64, 3).unwrap();
    let schedule = Schedule::new(RATE, Decay::Constant).unwrap();
    let x = Array::vector([1.2, 0.4, 0.3]);
    Training::new(objective, method, optimizer, schedule, x).unwrap()
}

fn values(run: &Training) -> Vec<f64> {
    run.objective().buffers().iter().map(|(_, a)| a.item().unwrap()).collect()
}

fn named(name: &str) -> Box<dyn Method> {
    let lambda = name.contains("det").then_some(1e-3);
    let settings = MethodSettings::new().with_some("lambda", lambda).with("every", 2u64);
    method(name, &settings.applicable_to(name).unwrap()).unwrap().method
}

/// Where a method's one pass with buffers is: at the parameters, but for momentum SAM.
fn place(name: &str, run: &Training) -> Vec<f64> {
    let x = run.parameters().to_f64_vec();
    let state = run.state();
    let Some(m) = state.arrays.get("method.momentum").filter(|_| name == "msam") else {
        return x;
    };
    let m = m.to_f64_vec();
    let length = m.iter().map(|m| m * m).sum::<f64>().sqrt();
    x.iter().zip(&m).map(|(x, m)| x - 0.3 * m / length).collect()
}

#[test]
fn every_method_takes_them_from_the_pass_at_the_parameters() {
    for name in METHODS.iter().map(|m| m.name) {
        let mut run = training(named(name), objective());
        let (mut mean, mut variance) = (0.0, 1.0);
        for step in 0..8 {
            let x = place(name, &run);
            run.step(&batch(step)).unwrap();
            let (m, v) = statistics(&x, &inputs(step));
            mean = 0.9 * mean + 0.1 * m;
            variance = 0.9 * variance + 0.1 * v;
            let found = values(&run);
            let near = (found[0] - mean).abs() < 1e-14 && (found[1] - variance).abs() < 1e-14;
            assert!(near && found[2] == (step + 1) as f64, "{name}: {found:?} {mean} {variance}");
        }
    }
}

#[test]
fn parts_of_a_batch_begin_with_the_same_values_and_are_averaged() {
    // Of 7 examples: 3, 3 and 1.
    let shares = [3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0];
    let x = [1.2, 0.4, 0.3];
    let b = inputs(0);
    let parts = [&b[..3], &b[3..6], &b[6..]];
    let mean: f64 = shares.iter().zip(parts).map(|(s, p)| s * statistics(&x, p).0).sum();
    let variance: f64 = shares.iter().zip(parts).map(|(s, p)| s * statistics(&x, p).1).sum();
    let micro = MethodSettings::new().with("m-sharpness", 3u64);
    let runs = [
        training(method("sam", &micro).unwrap().method, objective()),
        training(named("sam"), objective().with_micro_batch_size(3).unwrap()),
        training(named("sgd"), objective().with_micro_batch_size(3).unwrap()),
    ];
    for mut run in runs {
        run.step(&batch(0)).unwrap();
        let found = values(&run);
        assert!((found[0] - 0.1 * mean).abs() < 1e-15, "{found:?}");
        assert!((found[1] - 0.9 - 0.1 * variance).abs() < 1e-15, "{found:?}");
        assert_eq!(found[2], 1.0);
    }
}

#[test]
fn they_are_restored_and_a_failed_step_leaves_them() {
    let mut run = training(named("sam"), objective());
    for step in 0..3 {
        run.step(&batch(step)).unwrap();
    }
    let (saved, then) = (run.state(), values(&run));
    assert!(saved.arrays.contains_key("buffers.mean"));
    run.step(&batch(3)).unwrap();
    let later = (run.state(), values(&run));
    assert_ne!(later.1, then);
    let mut broken = batch(4);
    broken[1] = Array::vector([f64::NAN; 7]);
    assert!(matches!(run.step(&broken), Err(Error::NonFiniteLoss { .. })));
    assert_eq!((run.state(), values(&run)), later);

    let mut fresh = training(named("sam"), objective());
    fresh.restore(&saved).unwrap();
    assert_eq!(values(&fresh), then);
    fresh.step(&batch(3)).unwrap();
    assert_eq!((fresh.state(), values(&fresh)), later);
    // A state without them, and what would not fit.
    let mut without: State = saved;
    without.arrays.remove("buffers.variance");
    assert!(matches!(fresh.restore(&without), Err(Error::State { .. })));
    assert_eq!(fresh.state(), later.0);
    let error = fresh.objective().set_buffers(&[Array::scalar(0.0)]).unwrap_err();
    assert_eq!(error.to_string(), "buffers: expected [f64[], f64[], u32[]], found [f64[]]");
}

#[test]
fn evaluations_read_them_and_change_nothing() {
    // A loss that uses the running mean itself: 1/2 (x − r)², whose Hessian is 1.
    let loss = |x: Var, _: &[Var], buffers: &[Var]| {
        (0.5 * (x.at(0) - buffers[0]).square(), vec![buffers[0] + 1.0])
    };
    let first = vec![("r".to_owned(), Array::scalar(2.0))];
    let objective = Objective::with_buffers(Cpu::new(), DType::F64, 1, first, loss);
    let x = Array::vector([5.0]);
    assert_eq!(objective.value(&x, &[]).unwrap(), 4.5);
    let (_, gradient, new) = objective.value_grad_buffers(&x, &[]).unwrap();
    assert_eq!((gradient.to_f64_vec(), new[0].item().unwrap()), (vec![3.0], 3.0));
    let mut out = [0.0];
    let none: &[Array] = &[];
    HessianOperator::new(&objective, &x, &[none]).unwrap().apply(&[2.0], &mut out).unwrap();
    assert_eq!(out, [2.0]);
    objective.set_buffers(&new).unwrap();
    assert_eq!(objective.value_grad(&x, &[]).unwrap().1.to_f64_vec(), [2.0]);
}

#[test]
fn buffers_that_change_their_shape_are_the_users_mistake() {
    let loss = |x: Var, _: &[Var], _: &[Var]| (x.sum(), vec![x]);
    let first = vec![("r".to_owned(), Array::scalar(2.0))];
    let objective = Objective::with_buffers(Cpu::new(), DType::F64, 2, first, loss);
    let error = objective.value_grad(&Array::vector([1.0, 2.0]), &[]).unwrap_err().to_string();
    assert!(error.starts_with("objective: the buffers must be f64[] again, not f64[2]"), "{error}");
}
