//! Runs are the same to the bit: repeated, on other numbers of threads, stopped and resumed.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::{
    Adam, Decay, METHODS, MethodSettings, Objective, Optimizer, Schedule, Training, method,
};

const DIM: usize = 20 * 30 + 30;

/// A small regression with one hidden layer.
fn model(x: Var, batch: &[Var]) -> Var {
    let w = x.slice_axis(0, 0, 600).reshape([20, 30]);
    let hidden = batch[0].matmul(w).tanh();
    hidden.matmul(x.slice_axis(0, 600, 630))
}

fn loss(output: Var, batch: &[Var]) -> Var {
    (output - batch[1]).square().mean()
}

fn batch(step: u64) -> Vec<Array> {
    let wave = |n: usize, a: f64| -> Vec<f32> {
        (0..n).map(|i| ((i as f64 + 1.0) * a + step as f64).sin() as f32).collect()
    };
    vec![Array::from_vec([16, 20], wave(320, 0.7)).unwrap(), Array::vector(wave(16, 1.9))]
}

fn training(name: &str, threads: usize) -> Training {
    let cpu = Cpu::with_threads(threads).unwrap();
    let named = method(name, &MethodSettings::new().with_seed(5)).unwrap();
    let objective = Objective::model_and_loss(cpu.clone(), DType::F32, DIM, model, loss);
    let optimizer = Optimizer::new(Adam::new(), &cpu, DType::F32, DIM).unwrap();
    let schedule = Schedule::new(0.01, Decay::Cosine { total: 30, floor: 0.1 }).unwrap();
    let start: Vec<f32> = (0..DIM).map(|i| 0.2 * ((i as f64) * 1.3).sin() as f32).collect();
    Training::new(objective, named.method, optimizer, schedule, Array::vector(start)).unwrap()
}

fn advance(training: &mut Training, to: u64) {
    while training.steps() < to {
        training.step(&batch(training.steps())).unwrap();
    }
}

#[test]
fn every_method_repeats_to_the_bit_and_resumes() {
    for name in METHODS.iter().map(|m| m.name) {
        let mut one = training(name, 1);
        advance(&mut one, 30);
        let mut two = training(name, 2);
        advance(&mut two, 11);
        let state = two.state();
        advance(&mut two, 30);
        assert_eq!(one.state(), two.state(), "{name} on two threads");
        let mut resumed = training(name, 1);
        resumed.restore(&state).unwrap();
        advance(&mut resumed, 30);
        assert_eq!(one.state(), resumed.state(), "{name} resumed");
        assert!(one.parameters() != training(name, 1).parameters());
    }
}

#[test]
fn a_failing_step_changes_nothing() {
    let mut training = training("frob-sam", 1);
    advance(&mut training, 3);
    let before = training.state();
    let mut bad = batch(3);
    bad[1] = Array::full(DType::F32, [16], f64::NAN);
    assert!(training.step(&bad).is_err());
    bad[1] = Array::full(DType::F32, [15], 0.0);
    assert!(training.step(&bad).is_err());
    assert_eq!(training.state(), before);
    let mut foreign = before.clone();
    foreign.arrays.remove("optimizer.first moment");
    assert!(training.restore(&foreign).is_err());
    assert_eq!(training.state(), before);
    advance(&mut training, 5);
}
