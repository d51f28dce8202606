//! How is an update rule of one's own written? Normalised gradient descent with momentum: it has
//! groups, clipping, checkpoints and every gradient estimator like the others.
//!
//! `cargo run --release --example own_optimizer`

use burlap::nn::data::digits_split;
use burlap::optim::{Stateful, Update};
use burlap::prelude::*;
use burlap::train::{Data, Loader, Result, Task, metric};

/// m ← μ m + g/‖g‖, x ← x − η m, with the norm of each parameter's own gradient.
#[derive(Debug)]
struct Normalised {
    momentum: f64,
}

impl Stateful for Normalised {
    fn state_names(&self) -> &[&'static str] {
        &["momentum"]
    }
}

impl UpdateRule for Normalised {
    fn name(&self) -> &'static str {
        "normalised"
    }

    fn record(&self, u: &Update<'_>) -> (Var, Vec<Var>) {
        // The layout tells where each parameter lies in the vector.
        let unit = |range: std::ops::Range<usize>| {
            let g = u.gradient.slice_axis(0, range.start, range.end);
            g / (g.norm() + 1e-8)
        };
        let units: Vec<Var> = u.layout.iter().map(|p| unit(p.range())).collect();
        let direction = units[0].join(&units[1..], 0);
        let momentum = self.momentum * u.state[0] + direction;
        (u.parameters - u.rate * momentum, vec![momentum])
    }
}

fn main() -> Result<()> {
    let (train, valid) = digits_split()?;
    let (train, valid) = (Data::from(train), Data::from(valid));
    let model = Model::new(mlp(&[64, 32, 10], Activation::Tanh)?)?;
    let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
        loss::cross_entropy(out, batch["labels"])
    })?;
    let rule = Normalised { momentum: 0.9 }.with_group(Group::new("*.bias").with_rate_factor(0.1));
    let rate = |t: u64| 0.05 / (1.0 + t as f64 / 100.0);
    let mut training = Training::new(task.objective()?, Plain, rule, rate, task.init(1))?;
    let loader = Loader::new(&train, 64)?.shuffled(7);
    for epoch in 0..10 {
        for batch in loader.epoch(epoch) {
            training.step(&batch?)?;
        }
    }
    println!("{}", task.evaluate(&training, &valid, &[metric::accuracy()])?);
    Ok(())
}
