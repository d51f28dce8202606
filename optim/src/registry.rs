//! Methods by name, for programs that let their users choose.

use crate::error::{Error, Result};
use crate::gradient::penalty::{Estimator, Gaussian, Sharpness, SharpnessMethod};
use crate::gradient::sam::Sam;
use crate::gradient::{Method, Plain};
use std::ops::Range;

/// The names that [`method`] knows.
pub const METHODS: &[&str] = &[
    "sgd",
    "sam",
    "asam",
    "published-sam",
    "published-asam",
    "ssam-f",
    "ssam-d",
    "gsam",
    "looksam",
    "esam",
    "f-sam",
    "wsam",
    "fisher-sam",
    "msam",
    "cr-sam",
    "eigen-sam",
    "trace-sam",
    "frob-sam",
    "det-sam",
    "logdet-sam",
    "max-eigen-sam",
    "tilted-sam",
];

/// Settings of a method; what is `None` is the method's default. Which method has which is in
/// the table at [`method`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodSettings {
    /// The radius ρ.
    pub rho: Option<f64>,
    /// The weight λ of the penalty λρ²S.
    pub lambda: Option<f64>,
    /// The number of directions a step, or of examples for a Fisher mask.
    pub samples: Option<usize>,
    /// How curvatures are obtained.
    pub estimator: Option<Estimator>,
    /// The weight α of a correction; SSAM-D's part of the mask that is dropped.
    pub alpha: Option<f64>,
    /// The decay of a running mean or momentum; ESAM's probability; CR-SAM's second weight.
    pub beta: Option<f64>,
    /// WSAM's weight γ; ESAM's part of the examples.
    pub gamma: Option<f64>,
    /// F-SAM's part of the mean that is taken away; the standard deviation of directions.
    pub sigma: Option<f64>,
    /// What is added to the scale (ASAM); the weight of the information (Fisher SAM).
    pub eta: Option<f64>,
    /// The tilt τ.
    pub tau: Option<f64>,
    /// The part of the parameters that is not perturbed.
    pub sparsity: Option<f64>,
    /// The number of steps between two perturbations, masks or eigenvectors.
    pub every: Option<u64>,
    /// The size m of [micro-batches](Sam::with_micro_batches).
    pub micro_batch: Option<usize>,
    /// The [ranges](Sam::over) of parameters that are perturbed.
    pub ranges: Option<Vec<Range<usize>>>,
    /// The seed of random draws.
    pub seed: u64,
}

/// A method with the settings that it has in fact.
pub struct Named {
    /// The method.
    pub method: Box<dyn Method>,
    /// The settings in force, defaults among them; `None` where the method has no such setting.
    pub settings: MethodSettings,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {:?}", self.method.name(), self.settings)
    }
}

/// Settings given, and those that have been asked for.
struct Given<'a> {
    given: &'a MethodSettings,
    force: MethodSettings,
}

macro_rules! settings {
    ([$($field:ident: $type:ty,)*] [$($optional:ident,)*]) => {
        impl Given<'_> {
            $(fn $field(&mut self, default: $type) -> $type {
                *self.force.$field.insert(self.given.$field.unwrap_or(default))
            })*

            /// The first setting that is given and has not been asked for.
            fn refused(&self) -> Option<(&'static str, String)> {
                $(if let (Some(value), None) = (&self.given.$field, &self.force.$field) {
                    return Some((stringify!($field), format!("{value:?}")));
                })*
                $(if let (Some(value), None) = (&self.given.$optional, &self.force.$optional) {
                    return Some((stringify!($optional), format!("{value:?}")));
                })*
                None
            }

            /// What is given, without the settings that have not been asked for.
            fn applicable(&self) -> MethodSettings {
                let mut left = self.given.clone();
                $(left.$field = left.$field.filter(|_| self.force.$field.is_some());)*
                $(left.$optional = left.$optional.filter(|_| self.force.$optional.is_some());)*
                left
            }
        }
    };
}

// Those with a default, and those that are off by default.
settings! {
    [
        rho: f64,
        lambda: f64,
        samples: usize,
        estimator: Estimator,
        alpha: f64,
        beta: f64,
        gamma: f64,
        sigma: f64,
        eta: f64,
        tau: f64,
        sparsity: f64,
        every: u64,
    ]
    [micro_batch, ranges,]
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

impl Given<'_> {
    fn penalised(
        &mut self,
        sharpness: Sharpness,
        weights: &Weights,
        samples: usize,
    ) -> Result<Box<dyn Method>> {
        let estimator = self.estimator(Estimator::Exact);
        let sharpness = sharpness.with_rho(self.rho(0.01)).with_estimator(estimator);
        let lambda = self.lambda(weights.of(estimator));
        let samples = self.samples(samples);
        Ok(Box::new(SharpnessMethod::new(sharpness, lambda, samples, self.given.seed)?))
    }

    fn two_point(&mut self, mut sam: Sam) -> Result<Box<dyn Method>> {
        self.force.micro_batch = self.given.micro_batch;
        self.force.ranges.clone_from(&self.given.ranges);
        if let Some(m) = self.force.micro_batch {
            sam = sam.with_micro_batches(m)?;
        }
        if let Some(ranges) = &self.force.ranges {
            sam = sam.over(ranges.clone())?;
        }
        Ok(Box::new(sam.with_seed(self.given.seed)))
    }

    fn sam(&mut self, name: &str) -> Result<Option<Sam>> {
        Ok(Some(match name {
            "sam" => Sam::new(self.rho(0.05))?,
            "asam" => Sam::adaptive(self.rho(0.5), self.eta(0.01))?,
            "published-sam" => Sam::published_sam(self.rho(0.05))?,
            "published-asam" => Sam::published_asam(self.rho(0.5), self.eta(0.01))?,
            "ssam-f" => {
                let (rho, sparsity) = (self.rho(0.1), self.sparsity(0.5));
                Sam::fisher_masked(rho, sparsity, self.samples(16), self.every(100))?
            }
            "ssam-d" => {
                let (rho, sparsity) = (self.rho(0.1), self.sparsity(0.5));
                Sam::dynamically_masked(rho, sparsity, self.alpha(0.5), self.every(100))?
            }
            "gsam" => Sam::surrogate_gap(self.rho(0.05), self.alpha(0.4))?,
            "looksam" => Sam::look(self.rho(0.05), self.alpha(0.7), self.every(5))?,
            "esam" => Sam::efficient(self.rho(0.05), self.beta(0.6), self.gamma(0.5))?,
            "f-sam" => Sam::friendly(self.rho(0.1), self.sigma(1.0), self.beta(0.9))?,
            "wsam" => Sam::weighted(self.rho(0.05), self.gamma(0.9))?,
            "fisher-sam" => Sam::fisher(self.rho(0.1), self.eta(1.0))?,
            "msam" => Sam::momentum(self.rho(0.3), self.beta(0.9))?,
            "cr-sam" => Sam::curvature_regularised(self.rho(0.1), self.alpha(0.1), self.beta(0.1))?,
            "eigen-sam" => Sam::eigen(self.rho(0.1), self.alpha(0.2), self.every(100))?,
            _ => return Ok(None),
        }))
    }

    fn build(&mut self, name: &str) -> Result<Box<dyn Method>> {
        if let Some(sam) = self.sam(name)? {
            return self.two_point(sam);
        }
        match name {
            "sgd" => Ok(Box::new(Plain)),
            "trace-sam" => {
                let weights = Weights { exact: 30.0, central: 10.0, one_sided: 2.0 };
                self.penalised(Sharpness::trace(), &weights, 1)
            }
            "frob-sam" => {
                let weights = Weights { exact: 10.0, central: 0.5, one_sided: 0.02 };
                match self.given.estimator {
                    Some(Estimator::HvpNorm) => {
                        self.penalised(Sharpness::frobenius_by_hvp(), &weights, 1)
                    }
                    _ => self.penalised(Sharpness::frobenius(), &weights, 2),
                }
            }
            "det-sam" => {
                let weights = Weights { exact: 100.0, central: 100.0, one_sided: 10.0 };
                let sharpness = Sharpness::determinant(self.sigma(1.0));
                self.penalised(sharpness, &weights, 2)
            }
            "logdet-sam" => {
                let weights = Weights { exact: 10_000.0, central: 100.0, one_sided: 10.0 };
                let sharpness = Sharpness::log_det(self.sigma(0.1));
                self.penalised(sharpness, &weights, 2)
            }
            "tilted-sam" => {
                let weights = Weights { exact: 10_000.0, central: 100.0, one_sided: 10.0 };
                let sigma = self.sigma(0.1);
                let sharpness = Sharpness::tilted(self.tau(1.0), Gaussian { sigma })?;
                self.penalised(sharpness, &weights, 2)
            }
            "max-eigen-sam" => {
                let weights = Weights { exact: 100.0, central: 100.0, one_sided: 10.0 };
                self.penalised(Sharpness::max_eigen(), &weights, 1)
            }
            _ => Err(Error::Unknown {
                what: "optimizer",
                name: name.into(),
                known: METHODS.join(", "),
            }),
        }
    }
}

impl MethodSettings {
    fn asked(&self) -> Given<'_> {
        Given { given: self, force: MethodSettings { seed: self.seed, ..Default::default() } }
    }

    /// These settings without those that a method does not have: for comparing methods that
    /// share some of them.
    ///
    /// # Errors
    /// As [`method`], which refuses the others.
    pub fn applicable_to(&self, name: &str) -> Result<MethodSettings> {
        let mut given = self.asked();
        given.build(name)?;
        Ok(given.applicable())
    }
}

/// A method by its name, one of [`METHODS`].
///
/// | name | settings and their defaults | method |
/// |---|---|---|
/// | sgd | none | [`Plain`] |
/// | sam | rho 0.05 | [`Sam::new`] |
/// | asam | rho 0.5, eta 0.01 | [`Sam::adaptive`] |
/// | published-sam | rho 0.05 | [`Sam::published_sam`] |
/// | published-asam | rho 0.5, eta 0.01 | [`Sam::published_asam`] |
/// | ssam-f | rho 0.1, sparsity 0.5, samples 16, every 100 | [`Sam::fisher_masked`] |
/// | ssam-d | rho 0.1, sparsity 0.5, alpha 0.5 (dropped), every 100 | [`Sam::dynamically_masked`] |
/// | gsam | rho 0.05, alpha 0.4 | [`Sam::surrogate_gap`] |
/// | looksam | rho 0.05, alpha 0.7, every 5 | [`Sam::look`] |
/// | esam | rho 0.05, beta 0.6 (probability), gamma 0.5 (examples) | [`Sam::efficient`] |
/// | f-sam | rho 0.1, sigma 1, beta 0.9 (decay) | [`Sam::friendly`] |
/// | wsam | rho 0.05, gamma 0.9 | [`Sam::weighted`] |
/// | fisher-sam | rho 0.1, eta 1 | [`Sam::fisher`] |
/// | msam | rho 0.3, beta 0.9 (momentum) | [`Sam::momentum`] |
/// | cr-sam | rho 0.1, alpha 0.1, beta 0.1 | [`Sam::curvature_regularised`] |
/// | eigen-sam | rho 0.1, alpha 0.2, every 100 | [`Sam::eigen`] |
/// | trace-sam | samples 1, lambda 30, 10 or 2 | [`Sharpness::trace`] |
/// | frob-sam | samples 2 (hvp: 1), lambda 10, 0.5 or 0.02 | [`Sharpness::frobenius`] |
/// | det-sam | samples 2, lambda 100, 100 or 10, sigma 1 | [`Sharpness::determinant`] |
/// | logdet-sam | samples 2, lambda 10⁴, 100 or 10, sigma 0.1 | [`Sharpness::log_det`] |
/// | max-eigen-sam | samples 1, lambda 100, 100 or 10 | [`Sharpness::max_eigen`] |
/// | tilted-sam | samples 2, lambda 10⁴, 100 or 10, sigma 0.1, tau 1 | [`Sharpness::tilted`] |
///
/// From sam to eigen-sam all have micro_batch and ranges besides, off by default. The penalised
/// ones, from trace-sam on, have rho 0.01 and the exact estimator besides; the weights λ are those
/// of the exact, the central and the one-sided estimator. det-sam is for a few parameters and a
/// positive definite Hessian only, as its measure says; in other cases logdet-sam is meant.
///
/// ```
/// use burlap_optim::{MethodSettings, method};
/// let settings = MethodSettings { rho: Some(0.1), ..MethodSettings::default() };
/// let named = method("gsam", &settings)?;
/// assert_eq!((named.settings.rho, named.settings.alpha), (Some(0.1), Some(0.4)));
/// let sparse = MethodSettings { sparsity: Some(0.5), ..MethodSettings::default() };
/// let refused = method("sam", &sparse).unwrap_err().to_string();
/// assert_eq!(
///     refused,
///     "sam: sparsity is 0.5, but must be left out: the method has no such setting",
/// );
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unknown`] for another name; [`Error::Setting`] for a setting out of range, or one
/// that the method does not have.
pub fn method(name: &str, settings: &MethodSettings) -> Result<Named> {
    let mut given = settings.asked();
    let method = given.build(name)?;
    if let Some((setting, value)) = given.refused() {
        let expected = "left out: the method has no such setting";
        return Err(Error::Setting { of: name.into(), name: setting, value, expected });
    }
    Ok(Named { method, settings: given.force })
}
