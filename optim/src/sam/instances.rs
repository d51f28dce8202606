//! The named members of the family: a line each.

use super::combinations::{CurvatureRegularised, Reuse, SurrogateGap, Weighted};
use super::eigen::TopDirection;
use super::masks::{DynamicMask, FisherMask, Score};
use super::method::Sam;
use super::rules::{Adaptive, Fisher, Friendly, Momentum, Stochastic};
use crate::curvature::Lanczos;
use crate::error::Result;

impl Sam {
    /// ASAM, as [`Adaptive`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and η not negative.
    pub fn adaptive(rho: f64, eta: f64) -> Result<Sam> {
        Sam::with_rule(Adaptive { rho, eta })
    }

    /// SSAM-F, as [`FisherMask`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn fisher_masked(rho: f64, sparsity: f64, samples: usize, every: u64) -> Result<Sam> {
        Sam::with_rule(FisherMask { rho, sparsity, samples, every })
    }

    /// SSAM-D, as [`DynamicMask`] says: dropped by gradients, grown at random, no horizon.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn dynamically_masked(rho: f64, sparsity: f64, drop: f64, every: u64) -> Result<Sam> {
        Sam::with_rule(DynamicMask {
            rho,
            sparsity,
            drop,
            drop_by: Score::Gradient,
            grow_by: Score::Random,
            every,
            horizon: None,
        })
    }

    /// GSAM, as [`SurrogateGap`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn surrogate_gap(rho: f64, alpha: f64) -> Result<Sam> {
        Sam::new(rho)?.combined(SurrogateGap { alpha })
    }

    /// LookSAM, as [`Reuse`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn look(rho: f64, alpha: f64, every: u64) -> Result<Sam> {
        Sam::new(rho)?.combined(Reuse { alpha, every })
    }

    /// ESAM: [`Stochastic`] perturbations, and the [selection](Sam::with_selection) of γn examples.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn efficient(rho: f64, beta: f64, gamma: f64) -> Result<Sam> {
        Sam::with_rule(Stochastic { rho, beta })?.with_selection(gamma)
    }

    /// F-SAM, as [`Friendly`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn friendly(rho: f64, sigma: f64, lambda: f64) -> Result<Sam> {
        Sam::with_rule(Friendly { rho, sigma, lambda })
    }

    /// WSAM as published, decoupled, as [`Weighted`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn weighted(rho: f64, gamma: f64) -> Result<Sam> {
        Sam::new(rho)?.combined(Weighted { gamma, decoupled: true })
    }

    /// Fisher SAM, as [`Fisher`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn fisher(rho: f64, eta: f64) -> Result<Sam> {
        Sam::with_rule(Fisher { rho, eta })
    }

    /// MSAM, as [`Momentum`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn momentum(rho: f64, mu: f64) -> Result<Sam> {
        Sam::with_rule(Momentum { rho, mu })
    }

    /// CR-SAM as in the published code, as [`CurvatureRegularised`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn curvature_regularised(rho: f64, alpha: f64, beta: f64) -> Result<Sam> {
        Sam::new(rho)?.combined(CurvatureRegularised { alpha, beta, normalised: false })
    }

    /// Eigen-SAM, as [`TopDirection`] says, with the default [`Lanczos`] iteration.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn eigen(rho: f64, alpha: f64, every: u64) -> Result<Sam> {
        Sam::with_rule(TopDirection { rho, alpha, every, lanczos: Lanczos::default() })
    }
}
