//! What does the Hessian of a trained model look like? Its ends, trace and density.
//!
//! `cargo run --release --example model_spectrum`

use burlap::optim::curvature::{
    HessianOperator, Lanczos, LinearOperator, Probes, Quadrature, Which, trace,
};
use burlap::prelude::*;
use burlap::train::{Data, Loader, Task};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, _) = burlap::nn::data::digits_split()?;
    let train = Data::from(train).first(512)?;
    let model = Model::new(mlp(&[64, 16, 10], Activation::Relu)?)?;
    let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
        loss::cross_entropy(out, batch["labels"])
    })?;
    let rule = Sgd::new().with_momentum(0.9);
    let mut training = Training::new(task.objective()?, Plain, rule, 0.05, task.init(1))?;
    for epoch in 0..10 {
        for batch in Loader::new(&train, 64)?.shuffled(7).epoch(epoch) {
            training.step(&batch?)?;
        }
    }

    // The Hessian of the mean loss of all examples: products with vectors, never the matrix.
    let objective = task.evaluation_objective(&training)?;
    let (x, examples) = (training.parameters(), train.batch());
    let mut hessian = HessianOperator::new(&objective, x, &[&examples])?;
    println!("{} parameters, loss {:.4}", x.len(), objective.value(x, &examples)?);

    let ends = Lanczos { max_matvecs: 100, tolerance: 1e-4 };
    for pair in ends.eigenpairs(&mut hessian, Which::BothEnds(3, 1), None, 1)? {
        println!("λ = {:8.4} ± {:.4}", pair.value, pair.residual);
    }
    println!("tr H = {}", trace(&mut hessian, Probes::Rademacher, 50, 1)?);

    let quadrature = Quadrature::new(&mut hessian, Probes::Rademacher, 8, 40, 1)?;
    let at: Vec<f64> = (0..=12).map(|i| -0.25 + 0.25 * f64::from(i)).collect();
    let density = quadrature.density_at(&at, 0.05)?;
    for (λ, value) in density.points.iter().zip(&density.values) {
        let bar = "#".repeat((8.0 * (1.0 + 1e3 * value).log10()) as usize);
        println!("{λ:6.2}  {value:9.5}  {bar}");
    }
    println!("{} products with H in all", hessian.num_matvecs());
    Ok(())
}
