//! How do I write a SAM rule of my own? Here the worst point of a box, ε = ρ sign(g).
//!
//! `cargo run --release --example own_sam_rule`

use burlap::optim::sam::{Perturbation, Perturbing};
use burlap::optim::{Error, Result, Stateful};
use burlap::prelude::*;

/// SAM in the maximum norm: ‖ε‖∞ ≤ ρ.
#[derive(Debug)]
struct BoxSam {
    rho: f64,
}

// No arrays are kept between steps.
impl Stateful for BoxSam {}

impl Perturbation for BoxSam {
    fn name(&self) -> &str {
        "box-sam"
    }

    fn check(&self) -> Result<()> {
        if self.rho > 0.0 && self.rho.is_finite() {
            return Ok(());
        }
        let (of, value) = (self.name().into(), self.rho.to_string());
        Err(Error::Setting { of, name: "rho", value, expected: "positive and finite" })
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let g = at.gradient;
        let sign = g.gt(0.0).cast(g.dtype()) - g.lt(0.0).cast(g.dtype());
        at.radius * sign
    }
}

/// tr H at the end of a descent on (x₀x₁ − 1)²: 2(x₀² + x₁²), least where x₀ = x₁.
fn descend(method: impl Method + 'static) -> Result<f64> {
    let loss = |x: Var, _: &[Var]| (x.at(0) * x.at(1) - 1.0).square();
    let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    let start = Array::vector([3.0, 0.4]);
    let mut training = Training::new(objective, method, Sgd::new(), 0.01, start)?;
    (0..4000).try_for_each(|_| training.step(&[]).map(drop))?;
    Ok(training.parameters().to_f64_vec().iter().map(|x| 2.0 * x * x).sum())
}

fn main() -> Result<()> {
    println!("plain:   tr H = {:.3}", descend(Plain)?);
    println!("box-sam: tr H = {:.3}", descend(Sam::with_rule(BoxSam { rho: 0.1 })?)?);
    Ok(())
}
