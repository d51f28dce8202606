//! The flags of the methods' settings.

use crate::numbers;
use anyhow::{Result, bail};
use burlap::nn::Layout;
use burlap::optim::{Estimator, MethodSettings};
use std::ops::Range;

/// Settings of the method; what is not given is the method's default, and what a method does not
/// have is passed over.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct MethodArgs {
    /// How curvatures are obtained: one-sided, central, exact, or hvp (frob-sam only)
    #[arg(long)]
    pub estimator: Option<String>,

    /// Radius of the perturbation
    #[arg(long, value_parser = numbers::finite)]
    pub rho: Option<f64>,

    /// Weight of the sharpness penalty λρ²S
    #[arg(long, value_parser = numbers::finite)]
    pub lambda: Option<f64>,

    /// Random directions a step, or examples for a Fisher mask (ssam-f)
    #[arg(long, value_parser = numbers::count)]
    pub samples: Option<usize>,

    /// Weight α of a correction (gsam, looksam, eigen-sam, cr-sam); ssam-d: part of the mask that
    /// is dropped
    #[arg(long, value_parser = numbers::finite)]
    pub alpha: Option<f64>,

    /// Decay of a running mean or momentum (f-sam, msam); esam: probability; cr-sam: second weight
    #[arg(long, value_parser = numbers::finite)]
    pub beta: Option<f64>,

    /// Weight γ (wsam); esam: part of the examples
    #[arg(long, value_parser = numbers::finite)]
    pub gamma: Option<f64>,

    /// f-sam: part of the mean that is taken away; logdet-sam and tilted-sam: standard deviation of
    /// the directions
    #[arg(long, value_parser = numbers::finite)]
    pub sigma: Option<f64>,

    /// asam: what is added to the scale; fisher-sam: weight of the information
    #[arg(long, value_parser = numbers::finite)]
    pub eta: Option<f64>,

    /// The tilt τ (tilted-sam)
    #[arg(long, value_parser = numbers::finite)]
    pub tau: Option<f64>,

    /// Part of the parameters that is not perturbed (ssam-f, ssam-d)
    #[arg(long, value_parser = numbers::finite)]
    pub sparsity: Option<f64>,

    /// Steps between two perturbations, masks or eigenvectors
    #[arg(long, value_parser = numbers::whole_u64(1..=numbers::MANY_U64))]
    pub every: Option<u64>,

    /// Examples that share a perturbation: m-sharpness; the default is the whole batch
    #[arg(long, value_parser = numbers::count)]
    pub micro_batch: Option<usize>,

    /// Only perturb these layers: beginnings of parameter names, such as fc1 or 0.weight
    #[arg(long, value_delimiter = ',')]
    pub layers: Option<Vec<String>>,
}

impl MethodArgs {
    /// As the library's settings, for the parameters of a network.
    ///
    /// # Errors
    /// For an unknown estimator or layer.
    pub fn settings(&self, seed: u64, layout: &Layout) -> Result<MethodSettings> {
        Ok(MethodSettings {
            rho: self.rho,
            lambda: self.lambda,
            samples: self.samples,
            estimator: self.estimator.as_deref().map(Estimator::from_name).transpose()?,
            alpha: self.alpha,
            beta: self.beta,
            gamma: self.gamma,
            sigma: self.sigma,
            eta: self.eta,
            tau: self.tau,
            sparsity: self.sparsity,
            every: self.every,
            micro_batch: self.micro_batch,
            ranges: self.layers.as_deref().map(|names| ranges(names, layout)).transpose()?,
            seed,
        })
    }
}

/// Where the parameters whose names begin so lie.
fn ranges(names: &[String], layout: &Layout) -> Result<Vec<Range<usize>>> {
    let known = || layout.names().collect::<Vec<_>>().join(", ");
    for name in names {
        if !layout.names().any(|n| n.starts_with(name.as_str())) {
            bail!("--layers {name}: the network has {}", known());
        }
    }
    let chosen = |name: &str| names.iter().any(|n| name.starts_with(n.as_str()));
    Ok(layout.entries().iter().filter(|e| chosen(e.name())).map(|e| e.range()).collect())
}
