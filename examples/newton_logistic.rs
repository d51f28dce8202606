//! How do I write Newton's method with exact products? Logistic regression by Newton-CG.
//!
//! `cargo run --release --example newton_logistic`

use burlap::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 200 points of two overlapping classes; the third feature is the constant 1.
    let n = 200;
    let wave = |i: usize, k: f64| (k * i as f64).sin();
    let labels: Vec<f64> = (0..n).map(|i| f64::from(u8::from(wave(i, 1.7) > 0.0))).collect();
    let shift = |i: usize| 0.8 * (labels[i] - 0.5);
    let points = (0..n).flat_map(|i| [wave(i, 3.1) + shift(i), wave(i, 5.3) - shift(i), 1.0]);
    let points = Array::from_vec([n, 3], points.collect::<Vec<f64>>())?;
    let batch = [points, Array::vector(labels.clone())];

    // The mean loss with a little weight decay.
    let objective = Objective::new(Cpu::new(), DType::F64, 3, |w: Var, batch: &[Var]| {
        let logits = batch[0].matmul(w.reshape([3, 1])).reshape([200]);
        loss::binary_cross_entropy_with_logits(logits, batch[1]) + 5e-4 * w.square().sum()
    });

    let mut w = vec![0.0; 3];
    for step in 0..8 {
        let at = Array::vector(w.clone());
        let (value, gradient) = objective.value_grad(&at, &batch)?;
        let g = gradient.to_f64_vec();
        println!("step {step}: loss {value:.12}  ‖∇L‖ {:.1e}", dot(&g, &g).sqrt());
        // H d = −∇L by conjugate gradients: three parameters, three products.
        let (mut d, mut r) = (vec![0.0; 3], g.iter().map(|g| -g).collect::<Vec<f64>>());
        let mut p = r.clone();
        for _ in 0..3 {
            let rr = dot(&r, &r);
            if rr < 1e-30 {
                break;
            }
            let hp = objective.hvp(&at, &batch, &Array::vector(p.clone()))?.to_f64_vec();
            let alpha = rr / dot(&p, &hp);
            d.iter_mut().zip(&p).for_each(|(d, p)| *d += alpha * p);
            r.iter_mut().zip(&hp).for_each(|(r, hp)| *r -= alpha * hp);
            let beta = dot(&r, &r) / rr;
            p.iter_mut().zip(&r).for_each(|(p, r)| *p = r + beta * *p);
        }
        w.iter_mut().zip(&d).for_each(|(w, d)| *w += d);
    }
    println!("w = [{:.6}, {:.6}, {:.6}]", w[0], w[1], w[2]);
    Ok(())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
