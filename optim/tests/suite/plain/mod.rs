//! A network of two inputs, three tanh units and one output under squared error, in plain loops
//! with its gradient by hand, and as a formula.
#![allow(dead_code, unreachable_pub)]

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::Objective;

/// 6 weights, 3 biases, 3 weights, 1 bias.
pub const DIM: usize = 13;

/// Inputs and target of each example.
pub type Data = Vec<([f64; 2], f64)>;

pub fn data(step: u64, n: usize) -> Data {
    let wave = |i: f64| (1.7 * i + 0.6 * step as f64).sin();
    (0..n).map(|i| i as f64).map(|i| ([wave(i), wave(i + 0.4)], 0.8 * wave(2.0 * i))).collect()
}

pub fn start() -> Vec<f64> {
    (0..DIM).map(|i| 0.8 * (1.3 * i as f64 + 0.4).sin()).collect()
}

pub fn arrays(data: &Data, dtype: DType) -> Vec<Array> {
    let n = data.len();
    let inputs: Vec<f64> = data.iter().flat_map(|(x, _)| *x).collect();
    let targets: Vec<f64> = data.iter().map(|(_, y)| *y).collect();
    vec![
        Array::from_f64(dtype, [n, 2], &inputs).unwrap(),
        Array::from_f64(dtype, [n], &targets).unwrap(),
    ]
}

pub fn model(p: Var, batch: &[Var]) -> Var {
    let hidden =
        (batch[0].matmul(p.slice_axis(0, 0, 6).reshape([2, 3])) + p.slice_axis(0, 6, 9)).tanh();
    hidden.matmul(p.slice_axis(0, 9, 12)) + p.at(12)
}

pub fn loss_of_output(output: Var, batch: &[Var]) -> Var {
    (output - batch[1]).square().mean()
}

pub fn objective(dtype: DType) -> Objective {
    let cpu = Cpu::with_threads(1).unwrap();
    Objective::model_and_loss(cpu, dtype, DIM, model, loss_of_output)
}

/// The loss and its gradient.
pub fn value_grad(p: &[f64], data: &Data) -> (f64, Vec<f64>) {
    let (mut loss, mut g) = (0.0, vec![0.0; DIM]);
    let share = 1.0 / data.len() as f64;
    for (x, y) in data {
        let h: Vec<f64> =
            (0..3).map(|j| (x[0] * p[j] + x[1] * p[3 + j] + p[6 + j]).tanh()).collect();
        let error = (0..3).map(|j| h[j] * p[9 + j]).sum::<f64>() + p[12] - y;
        loss += share * error * error;
        let slope = 2.0 * share * error;
        for j in 0..3 {
            let back = slope * p[9 + j] * (1.0 - h[j] * h[j]);
            g[j] += back * x[0];
            g[3 + j] += back * x[1];
            g[6 + j] += back;
            g[9 + j] += slope * h[j];
        }
        g[12] += slope;
    }
    (loss, g)
}

pub fn grad(p: &[f64], data: &Data) -> Vec<f64> {
    value_grad(p, data).1
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

pub fn scaled(c: f64, v: &[f64]) -> Vec<f64> {
    v.iter().map(|v| c * v).collect()
}

/// a + c·b
pub fn plus(a: &[f64], c: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + c * b).collect()
}

pub fn times(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm(&plus(a, -1.0, b))
}
