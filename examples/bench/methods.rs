//! Steps of sharpness-aware methods beside the plain one, through the optimizers' interface.

use crate::mlp::Mlp;
use anyhow::{Result, bail};
use burlap::autodiff::{Cpu, DType};
use burlap::nn::loss;
use burlap::optim::{
    self, Decay, Estimator, MethodSettings, Objective, Optimizer, Schedule, Sgd, Training,
};

/// Directions a step of the Frobenius measure.
const SAMPLES: usize = 2;

/// So small that no method can leave the place where it starts.
const RATE: f64 = 1e-8;

/// A run of the method that a measurement names.
pub(crate) fn training(mlp: &Mlp, cpu: &Cpu, what: &str) -> Result<Training> {
    let (name, estimator) = match what {
        "sgd_step" => ("sgd", None),
        "sam_step" => ("sam", None),
        "frob_sam_one_sided" => ("frob-sam", Some(Estimator::OneSided)),
        "frob_sam_exact" => ("frob-sam", Some(Estimator::Exact)),
        _ => bail!("no method is called {what}"),
    };
    let samples = estimator.map(|_| SAMPLES);
    let settings = MethodSettings::new()
        .with_some("samples", samples)
        .with_some("estimator", estimator)
        .with_seed(5);
    let method = optim::method(name, &settings)?.method;
    let model = burlap::nn::Model::new(burlap::nn::SimpleNet::default())?;
    let dim = model.layout().total();
    let objective = Objective::new(cpu.clone(), DType::F32, dim, move |p, batch| {
        loss::cross_entropy(model.forward(p, batch[0]), batch[1])
    });
    let rule = Sgd::new().with_momentum(0.9);
    let optimizer = Optimizer::new(rule, cpu, DType::F32, dim)?;
    let schedule = Schedule::new(RATE, Decay::Constant)?;
    Ok(Training::new(objective, method, optimizer, schedule, mlp.params.clone())?)
}
