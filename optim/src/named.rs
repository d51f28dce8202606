//! Methods by name, for programs that let their users choose.

use crate::error::{Error, Result};
use crate::method::{Method, Plain};
use crate::sam::Sam;
use crate::sharpness::{Estimator, Gaussian, Sharpness, SharpnessMethod};

/// The names that [`method`] knows.
pub const METHODS: &[&str] =
    &["sgd", "sam", "asam", "trace-sam", "frob-sam", "logdet-sam", "tilted-sam", "max-eigen-sam"];

/// Settings of a method; what is `None` is the method's default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MethodSettings {
    /// The radius ρ.
    pub rho: Option<f64>,
    /// The weight λ of the penalty λρ²S.
    pub lambda: Option<f64>,
    /// The number of directions a step.
    pub samples: Option<usize>,
    /// How curvatures are obtained.
    pub estimator: Option<Estimator>,
    /// The seed of the directions.
    pub seed: u64,
}

/// A method with the settings that it has in fact.
pub struct Named {
    /// The method.
    pub method: Box<dyn Method>,
    /// How curvatures are obtained; `None` where the method needs none.
    pub estimator: Option<Estimator>,
    /// The radius ρ.
    pub rho: Option<f64>,
    /// The weight λ.
    pub lambda: Option<f64>,
    /// The number of directions a step.
    pub samples: Option<usize>,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} with rho {:?}, lambda {:?}, {:?}",
            self.method.name(),
            self.rho,
            self.lambda,
            self.estimator
        )
    }
}

/// Default weights λ at ρ = 0.01 by estimator. Finite differences multiply the noise of a few
/// directions by 1/ρ² and, one-sided, the gradient by 1/ρ: what they bear is less.
struct Weights {
    exact: f64,
    central: f64,
    one_sided: f64,
}

impl Weights {
    fn of(&self, estimator: Estimator) -> f64 {
        match estimator {
            Estimator::Exact | Estimator::HvpNorm => self.exact,
            Estimator::Central => self.central,
            Estimator::OneSided => self.one_sided,
        }
    }
}

fn penalised(
    sharpness: Sharpness,
    settings: &MethodSettings,
    weights: &Weights,
    samples: usize,
) -> Result<Named> {
    let estimator = settings.estimator.unwrap_or(Estimator::Exact);
    let rho = settings.rho.unwrap_or(0.01);
    let lambda = settings.lambda.unwrap_or(weights.of(estimator));
    let samples = settings.samples.unwrap_or(samples);
    let sharpness = sharpness.with_rho(rho).with_estimator(estimator);
    let method = SharpnessMethod::new(sharpness, lambda, samples, settings.seed)?;
    Ok(Named {
        method: Box::new(method),
        estimator: Some(estimator),
        rho: Some(rho),
        lambda: Some(lambda),
        samples: Some(samples),
    })
}

fn two_point(method: Sam, rho: f64) -> Named {
    Named { method: Box::new(method), estimator: None, rho: Some(rho), lambda: None, samples: None }
}

/// A method by its name, one of [`METHODS`].
///
/// # Errors
/// [`Error::Unknown`] for another name; [`Error::Setting`] for a setting out of range.
pub fn method(name: &str, settings: &MethodSettings) -> Result<Named> {
    match name {
        "sgd" => Ok(Named {
            method: Box::new(Plain),
            estimator: None,
            rho: None,
            lambda: None,
            samples: None,
        }),
        "sam" => {
            let rho = settings.rho.unwrap_or(0.05);
            Ok(two_point(Sam::new(rho)?, rho))
        }
        "asam" => {
            let rho = settings.rho.unwrap_or(0.5);
            Ok(two_point(Sam::adaptive(rho, 0.01)?, rho))
        }
        "trace-sam" => {
            let weights = Weights { exact: 30.0, central: 10.0, one_sided: 2.0 };
            penalised(Sharpness::trace(), settings, &weights, 1)
        }
        "frob-sam" => {
            let weights = Weights { exact: 10.0, central: 0.5, one_sided: 0.02 };
            match settings.estimator {
                Some(Estimator::HvpNorm) => {
                    penalised(Sharpness::frobenius_by_hvp(), settings, &weights, 1)
                }
                _ => penalised(Sharpness::frobenius(), settings, &weights, 2),
            }
        }
        "logdet-sam" => {
            let weights = Weights { exact: 10_000.0, central: 100.0, one_sided: 10.0 };
            penalised(Sharpness::log_det(0.1), settings, &weights, 2)
        }
        "tilted-sam" => {
            let weights = Weights { exact: 10_000.0, central: 100.0, one_sided: 10.0 };
            let sharpness = Sharpness::tilted(1.0, Gaussian { sigma: 0.1 })?;
            penalised(sharpness, settings, &weights, 2)
        }
        "max-eigen-sam" => {
            let weights = Weights { exact: 100.0, central: 100.0, one_sided: 10.0 };
            penalised(Sharpness::max_eigen(), settings, &weights, 1)
        }
        _ => {
            Err(Error::Unknown { what: "optimizer", name: name.into(), known: METHODS.join(", ") })
        }
    }
}
