//! Is my Hessian right? Checks for tests, of recorded losses and of derivatives made by hand.
//!
//! `cargo run --release --example hessian_check`

use burlap::autodiff::testing::{assert_hessian, check_gradient_of, check_hessian, check_hvp_of};
use burlap::prelude::*;

/// log Σ exp(xᵢ) + ½‖x‖², as a loss of one's own.
fn loss(x: Var) -> Var {
    x.exp().sum().log() + 0.5 * x.square().sum()
}

/// Its gradient by hand: softmax(x) + x.
fn gradient(x: &[f64]) -> Vec<f64> {
    softmax(x).iter().zip(x).map(|(s, x)| s + x).collect()
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|x| x.exp()).sum();
    x.iter().map(|x| x.exp() / sum).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let point = [0.5, -1.0, 2.0];

    // One line in a test: gradient, Hessian, symmetry, and all orders of nesting.
    assert_hessian(loss, point);
    let report = check_hessian(loss, point)?;
    println!("the recorded loss:\n{report}");

    // A product by hand, H v = s∘v − s(sᵀv) + v.
    let product = |x: &[f64], v: &[f64]| {
        let s = softmax(x);
        let sv: f64 = s.iter().zip(v).map(|(s, v)| s * v).sum();
        s.iter().zip(v).map(|(s, v)| s * v - s * sv + v).collect::<Vec<f64>>()
    };
    check_hvp_of(loss, gradient, product, point)?;
    println!("the product by hand is right");

    // Mistakes are told by element.
    let forgotten = |x: &[f64], v: &[f64]| {
        softmax(x).iter().zip(v).map(|(s, v)| s * v + v).collect::<Vec<f64>>()
    };
    let error = check_hvp_of(loss, gradient, forgotten, point).err().ok_or("not found")?;
    println!("without s(sᵀv): {error}");
    let error = check_gradient_of(loss, softmax, point).err().ok_or("not found")?;
    println!("without x: {error}");
    Ok(())
}
