//! The methods of the paper's experiments, as they are named on the command line.

use anyhow::{Context, Result, bail};
use burlap::optim::Estimator;
use std::fmt;
use std::str::FromStr;

/// SGD, or Frob-SAM with an estimator and perhaps a weight of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PaperMethod {
    text: String,
    frobenius: Option<(Estimator, Option<f64>)>,
}

impl PaperMethod {
    /// How Frob-SAM obtains curvatures; `None` for SGD.
    pub(crate) fn estimator(&self) -> Option<Estimator> {
        self.frobenius.map(|(estimator, _)| estimator)
    }

    /// The published weight λ where it is not that of the others.
    pub(crate) fn lambda(&self) -> Option<f64> {
        self.frobenius.and_then(|(_, lambda)| lambda)
    }

    /// What the library calls it.
    pub(crate) fn optimizer(&self) -> &'static str {
        if self.frobenius.is_some() { "frob-sam" } else { "sgd" }
    }
}

impl FromStr for PaperMethod {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<PaperMethod> {
        let (name, weight) = match text.split_once('@') {
            Some((name, weight)) => (name, Some(weight)),
            None => (text, None),
        };
        let frobenius = match (name, weight) {
            ("sgd", None) => None,
            ("sgd", Some(_)) => bail!("--methods {text}: sgd has no weight"),
            _ => {
                let estimator = Estimator::from_name(name)
                    .with_context(|| format!("--methods {text}: neither sgd nor an estimator"))?;
                let number = |weight: &str| match weight.parse::<f64>() {
                    Ok(lambda) if lambda.is_finite() && lambda >= 0.0 => Ok(lambda),
                    _ => bail!("--methods {text}: {weight:?} is no weight"),
                };
                Some((estimator, weight.map(number).transpose()?))
            }
        };
        Ok(PaperMethod { text: text.to_owned(), frobenius })
    }
}

impl fmt::Display for PaperMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
