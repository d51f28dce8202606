//! How do I train on a differential equation? u″ = f on [0, 1] with u(0) = u(1) = 0.
//!
//! With f = −π² sin πx the solution is u = sin πx. The network's second derivative with respect to
//! its input is part of the loss, whose gradient with respect to the parameters is a third derivative.
//!
//! `cargo run --release --example pinn`

use burlap::prelude::*;
use std::f64::consts::PI;

/// u(x) = x(1 − x) N(x), which fulfils the boundary conditions.
fn u(model: &Model, p: Var, x: Var) -> Var {
    x * (1.0 - x) * model.forward(p, x)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::new(mlp(&[1, 16, 16, 1], Activation::Tanh)?)?;
    let start = model.init(1, DType::F64);
    let points = 24;
    let inner: Vec<f64> = (0..points).map(|i| (i as f64 + 0.5) / points as f64).collect();
    let batch = [Array::from_vec([points, 1], inner)?];

    let network = model.clone();
    let residual = move |p: Var, batch: &[Var]| {
        let x = batch[0];
        let ones = 0.0 * x + 1.0;
        // Each u depends on its own x alone: along ones, two forward derivatives give u″.
        let second = u(&network, p, x).jvp(x, ones).jvp(x, ones);
        (second + PI * PI * (PI * x).sin()).square().mean()
    };
    let objective = Objective::new(Cpu::new(), DType::F64, start.len(), residual);
    let decay = Schedule::new(5e-3, Decay::Cosine { total: 1500, floor: 0.0 })?;
    let mut training = Training::new(objective, Plain, Adam::new(), decay, start)?;
    for step in 0..1500 {
        let evaluation = training.step(&batch)?;
        if step % 300 == 0 {
            println!("step {step:4}: mean square of u″ − f {:.3e}", evaluation.loss);
        }
    }

    let tape = Tape::new();
    let p = tape.input("p", DType::F64, training.parameters().shape());
    let x = tape.input("x", DType::F64, [101, 1]);
    let solve = tape.compile(&Cpu::new(), &[u(&model, p, x)])?;
    let grid: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
    let at = Array::from_vec([101, 1], grid.clone())?;
    let found = solve.run(&[training.parameters(), &at])?[0].to_f64_vec();
    let error = found.iter().zip(&grid).map(|(u, x)| (u - (PI * x).sin()).abs());
    println!("u(1/2) = {:.6}, largest error {:.1e}", found[50], error.fold(0.0, f64::max));
    Ok(())
}
