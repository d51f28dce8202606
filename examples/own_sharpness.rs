//! How do I penalise a sharpness measure of my own? Any S = φ(E ψ(½vᵀHv)), with φ and ψ as formulas.
//!
//! Here the root mean square of the curvatures along v ~ N(0, I):
//! S = (E (½vᵀHv)²)^½ = ½ ((tr H)² + 2‖H‖²_F)^½.
//!
//! `cargo run --release --example own_sharpness`

use burlap::optim::penalty::Gaussian;
use burlap::prelude::*;

fn measure() -> Sharpness {
    let psi = |t: Var| vec![t.square()];
    let phi = |a: &[Var]| a[0].sqrt();
    Sharpness::custom("rms curvature", psi, phi, Gaussian::STANDARD)
        .with_estimator(Estimator::Exact)
        .with_rho(0.1)
}

fn objective() -> Objective {
    let loss = |x: Var, _: &[Var]| (x.at(0) * x.at(1) - 1.0).square();
    Objective::new(Cpu::new(), DType::F64, 2, loss)
}

/// S by the Hessian [[2y², 4xy − 2], [4xy − 2, 2x²]].
fn closed_form(x: &[f64]) -> f64 {
    let (a, b, c) = (2.0 * x[1] * x[1], 4.0 * x[0] * x[1] - 2.0, 2.0 * x[0] * x[0]);
    0.5 * ((a + c).powi(2) + 2.0 * (a * a + 2.0 * b * b + c * c)).sqrt()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = [3.0, 1.0 / 3.0];
    let estimate = measure().estimate(&objective(), &Array::vector(start), &[], 4000, 1)?;
    println!("S at the start: {estimate} from 4000 samples, {:.4} exactly", closed_form(&start));

    // The penalty λρ²S by exact curvatures along two directions a step.
    let method = SharpnessMethod::new(measure(), 1.0, 2, 7)?;
    let start = Array::vector(start);
    let mut training = Training::new(objective(), method, Sgd::new(), 0.02, start)?;
    for step in 1..=3000 {
        training.step(&[])?;
        if step % 1000 == 0 {
            let x = training.parameters().to_f64_vec();
            println!("step {step}: x = ({:.3}, {:.3})  S = {:.3}", x[0], x[1], closed_form(&x));
        }
    }
    Ok(())
}
