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
        write!(f, "{} with rho {:?}, lambda {:?}, {:?}", self.method.name(), self.rho, self.lambda, self.estimator)
    }
}

/// Defaults of a penalised sharpness: ρ, λ, samples, estimator.
type Defaults = (f64, f64, usize, Estimator);

fn penalised(sharpness: Sharpness, settings: &MethodSettings, (rho, lambda, samples, estimator): Defaults) -> Result<Named> {
    let rho = settings.rho.unwrap_or(rho);
    let lambda = settings.lambda.unwrap_or(lambda);
    let samples = settings.samples.unwrap_or(samples);
    let estimator = settings.estimator.unwrap_or(estimator);
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
        "sgd" => Ok(Named { method: Box::new(Plain), estimator: None, rho: None, lambda: None, samples: None }),
        "sam" => {
            let rho = settings.rho.unwrap_or(0.05);
            Ok(two_point(Sam::new(rho)?, rho))
        }
        "asam" => {
            let rho = settings.rho.unwrap_or(0.5);
            Ok(two_point(Sam::adaptive(rho, 0.01)?, rho))
        }
        "trace-sam" => penalised(Sharpness::trace(), settings, (0.01, 1.0, 1, Estimator::Exact)),
        "frob-sam" => match settings.estimator {
            Some(Estimator::HvpNorm) => {
                penalised(Sharpness::frobenius_by_hvp(), settings, (0.01, 0.1, 1, Estimator::HvpNorm))
            }
            _ => penalised(Sharpness::frobenius(), settings, (0.01, 0.1, 2, Estimator::Exact)),
        },
        "logdet-sam" => penalised(Sharpness::log_det(0.1), settings, (0.01, 10.0, 2, Estimator::Exact)),
        "tilted-sam" => {
            let sharpness = Sharpness::tilted(1.0, Gaussian { sigma: 0.1 })?;
            penalised(sharpness, settings, (0.01, 10.0, 2, Estimator::Exact))
        }
        "max-eigen-sam" => penalised(Sharpness::max_eigen(), settings, (0.01, 10.0, 1, Estimator::Exact)),
        _ => Err(Error::Unknown { what: "optimizer", name: name.into(), known: METHODS.join(", ") }),
    }
}
