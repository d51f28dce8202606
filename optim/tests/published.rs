//! The updates of the universal class' published code, run beside it: plain loops in its order
//! of operations, on the same draws.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod plain;

use burlap_autodiff::{Array, DType};
use burlap_optim::{Decay, Optimizer, Schedule, Sgd, Sharpness, SharpnessMethod, Training};
use plain::{Data, arrays, data, distance, objective, plus, scaled, start, value_grad};

const SEED: u64 = 4;
const RATE: f64 = 0.02;

/// The gradient that the published code hands to its base optimizer, from the draws.
type Published = fn(&[f64], &Data, &[Vec<f64>], f64, f64) -> Vec<f64>;

/// Sums ψ(tᵢ)/n and ψ'(tᵢ)/n (gᵢ − g₀), then g₀ + λφ'(Σψ) Σψ'(gᵢ − g₀).
fn universal(
    (x, data, draws): (&[f64], &Data, &[Vec<f64>]),
    (rho, lambda): (f64, f64),
    psi: fn(f64) -> (f64, f64),
    slope_of_phi: fn(f64) -> f64,
) -> Vec<f64> {
    let n = draws.len() as f64;
    let (l0, g0) = value_grad(x, data);
    let (mut argument, mut sum) = (0.0, vec![0.0; x.len()]);
    for v in draws {
        let (l, g) = value_grad(&plus(x, rho, v), data);
        let (value, slope) = psi((l - l0) / (rho * rho));
        argument += value / n;
        sum = plus(&sum, slope / n, &plus(&g, -1.0, &g0));
    }
    plus(&g0, lambda * slope_of_phi(argument), &sum)
}

fn trace(x: &[f64], data: &Data, draws: &[Vec<f64>], rho: f64, lambda: f64) -> Vec<f64> {
    universal((x, data, draws), (rho, lambda), |t| (t, 1.0), |_| 1.0)
}

fn determinant(x: &[f64], data: &Data, draws: &[Vec<f64>], rho: f64, lambda: f64) -> Vec<f64> {
    let psi = |t: f64| ((-t / 2.0).exp(), -0.5 * (-t / 2.0).exp());
    universal((x, data, draws), (rho, lambda), psi, |a| -2.0 / a.powi(3))
}

fn frobenius(x: &[f64], data: &Data, draws: &[Vec<f64>], rho: f64, lambda: f64) -> Vec<f64> {
    let n = draws.len() as f64;
    let (_, g0) = value_grad(x, data);
    let (mut losses, mut sum, mut cross) = (0.0, vec![0.0; x.len()], vec![0.0; x.len()]);
    for v in draws {
        let (l, g) = value_grad(&plus(x, rho, v), data);
        losses += l;
        cross = plus(&cross, l, &g);
        sum = plus(&sum, 1.0, &g);
    }
    let covariance = plus(&scaled(1.0 / (n - 1.0), &cross), -losses / (n - 1.0) / n, &sum);
    plus(&g0, lambda / (rho * rho), &covariance)
}

fn follow(make: fn() -> Sharpness, published: Published, (rho, lambda, n): (f64, f64, usize)) {
    let make = || make().with_rho(rho);
    let what = format!("{} of {n}", make().name());
    let method = SharpnessMethod::new(make(), lambda, n, SEED).unwrap();
    let net = objective(DType::F64);
    let rule = Sgd::new().with_momentum(0.9);
    let optimizer = Optimizer::new(rule, net.backend(), DType::F64, start().len()).unwrap();
    let schedule = Schedule::new(RATE, Decay::Constant).unwrap();
    let mut run = Training::new(net, method, optimizer, schedule, Array::vector(start())).unwrap();
    let (mut x, mut m) = (start(), vec![0.0; start().len()]);
    let mut drawing = make();
    for step in 0..50 {
        let data = data(step, 6);
        let batch = arrays(&data, DType::F64);
        let point = Array::vector(x.clone());
        let drawn = drawing.draw(run.objective(), &point, &batch, n, (SEED, step)).unwrap();
        let draws: Vec<Vec<f64>> = drawn.iter().map(|(v, _)| v.to_f64_vec()).collect();
        run.step(&batch).unwrap();
        let g = published(&x, &data, &draws, rho, lambda);
        let (_, plain) = value_grad(&x, &data);
        assert!(distance(&g, &plain) > 1e-6, "{what}: no penalty to be seen");
        m = plus(&scaled(0.9, &m), 1.0, &g);
        x = plus(&x, -RATE, &m);
        // Frobenius: losses near 1 and a factor λ/ρ² = 200 on a difference that cancels.
        let error = distance(&run.parameters().to_f64_vec(), &x);
        assert!(error < 1e-12, "{what}, step {step}: {error}");
    }
}

#[test]
fn fifty_steps_with_published_settings_are_those_of_the_published_code() {
    follow(Sharpness::published_trace, trace, (0.01, 1.0, 1));
    follow(Sharpness::published_trace, trace, (0.01, 1.0, 3));
    follow(|| Sharpness::published_determinant(0.01), determinant, (1.0, 1.0, 1));
    follow(|| Sharpness::published_determinant(0.3), determinant, (0.9, 0.8, 4));
    follow(Sharpness::published_frobenius, frobenius, (0.005, 0.005, 2));
    follow(Sharpness::published_frobenius, frobenius, (0.01, 0.005, 5));
}
