//! The methods of a study, and the settings among which each may choose.

use anyhow::{Result, bail};
use burlap::optim::Estimator;
use std::fmt;

/// Learning rates and one more setting of a method: as many candidates for each method.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Grid {
    /// Learning rates alone.
    Rates(&'static [f64; 6]),
    /// Radii ρ, with each of [`RATES`].
    Radii(&'static [f64; 3]),
    /// Weights λ at the method's own radius, with each of [`RATES`].
    Weights(&'static [f64; 3]),
}

/// Learning rates of methods that have something else to choose.
const RATES: [f64; 2] = [0.03, 0.08];

/// A method of a study.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StudyMethod {
    /// What it is called in a study.
    pub(crate) name: &'static str,
    /// What the library calls it.
    pub(crate) optimizer: &'static str,
    /// How it obtains curvatures.
    pub(crate) estimator: Option<Estimator>,
    grid: Grid,
}

/// The methods that a study knows.
pub(crate) const STUDY_METHODS: &[StudyMethod] = &[
    StudyMethod {
        name: "sgd",
        optimizer: "sgd",
        estimator: None,
        grid: Grid::Rates(&[0.02, 0.03, 0.05, 0.08, 0.12, 0.2]),
    },
    StudyMethod {
        name: "sam",
        optimizer: "sam",
        estimator: None,
        grid: Grid::Radii(&[0.006, 0.02, 0.05]),
    },
    StudyMethod {
        name: "asam",
        optimizer: "asam",
        estimator: None,
        grid: Grid::Radii(&[0.06, 0.2, 0.5]),
    },
    StudyMethod {
        name: "trace-sam",
        optimizer: "trace-sam",
        estimator: Some(Estimator::Exact),
        grid: Grid::Weights(&[0.2, 1.0, 5.0]),
    },
    StudyMethod {
        name: "frob-sam-one-sided",
        optimizer: "frob-sam",
        estimator: Some(Estimator::OneSided),
        grid: Grid::Weights(&[0.0008, 0.004, 0.02]),
    },
    StudyMethod {
        name: "frob-sam-central",
        optimizer: "frob-sam",
        estimator: Some(Estimator::Central),
        grid: Grid::Weights(&[0.004, 0.02, 0.1]),
    },
    StudyMethod {
        name: "frob-sam-exact",
        optimizer: "frob-sam",
        estimator: Some(Estimator::Exact),
        grid: Grid::Weights(&[0.003, 0.03, 0.3]),
    },
    StudyMethod {
        name: "logdet-sam",
        optimizer: "logdet-sam",
        estimator: Some(Estimator::Exact),
        grid: Grid::Weights(&[30.0, 200.0, 1_500.0]),
    },
];

/// Settings that a method may be given; what is `None` is the method's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    /// The learning rate.
    pub(crate) lr: f64,
    /// The radius ρ.
    pub(crate) rho: Option<f64>,
    /// The weight λ.
    pub(crate) lambda: Option<f64>,
}

impl Candidate {
    /// The radius or the weight, in words; empty where there is neither.
    pub(crate) fn strength(&self) -> String {
        match (self.rho, self.lambda) {
            (Some(rho), _) => format!("ρ = {rho}"),
            (_, Some(lambda)) => format!("λ = {lambda}"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lr {}", self.lr)?;
        match self.strength() {
            strength if strength.is_empty() => Ok(()),
            strength => write!(f, ", {strength}"),
        }
    }
}

impl StudyMethod {
    /// The method of a name.
    ///
    /// # Errors
    /// For a name that is none of [`STUDY_METHODS`].
    pub(crate) fn named(name: &str) -> Result<&'static StudyMethod> {
        match STUDY_METHODS.iter().find(|m| m.name == name) {
            Some(method) => Ok(method),
            None => {
                let known: Vec<&str> = STUDY_METHODS.iter().map(|m| m.name).collect();
                bail!("--methods {name}: there are {}", known.join(", "))
            }
        }
    }

    /// The settings among which one is chosen.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let with = |strengths: &[f64], candidate: fn(f64, f64) -> Candidate| {
            let pairs = RATES.iter().flat_map(|&lr| strengths.iter().map(move |&s| (lr, s)));
            pairs.map(|(lr, s)| candidate(lr, s)).collect()
        };
        match self.grid {
            Grid::Rates(rates) => {
                rates.iter().map(|&lr| Candidate { lr, rho: None, lambda: None }).collect()
            }
            Grid::Radii(radii) => {
                with(radii, |lr, rho| Candidate { lr, rho: Some(rho), lambda: None })
            }
            Grid::Weights(weights) => {
                with(weights, |lr, lambda| Candidate { lr, rho: None, lambda: Some(lambda) })
            }
        }
    }

    /// What of a candidate lies at the edge of the grid, so that a better one may lie outside.
    pub(crate) fn at_edge(&self, chosen: &Candidate) -> Vec<&'static str> {
        let all = self.candidates();
        let edge = |of: fn(&Candidate) -> Option<f64>| {
            let values = all.iter().filter_map(of);
            let ends = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
            of(chosen).is_some_and(|x| x == ends.0 || x == ends.1)
        };
        let (lr, rho, lambda) = (edge(|c| Some(c.lr)), edge(|c| c.rho), edge(|c| c.lambda));
        let named = [(lr, "learning rate"), (rho, "ρ"), (lambda, "λ")];
        named.into_iter().filter_map(|(at, name)| at.then_some(name)).collect()
    }
}
