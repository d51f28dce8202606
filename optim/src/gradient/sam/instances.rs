//! The named members of the family: a line each.

use super::builder::Sam;
use super::combinations::{CurvatureRegularised, Reuse, SurrogateGap, Weighted};
use super::eigen_sam::TopDirection;
use super::rules::{Adaptive, Fisher, Friendly, Momentum, Stochastic};
use super::ssam::{DynamicMask, FisherMask, Score};
use crate::curvature::Lanczos;
use crate::error::Result;

impl Sam {
    /// SAM as the code of the universal class computes it, ε = ρ g/(‖g‖ + 10⁻⁷)
    /// (github.com/dbahri/universal_sam, solver/sam.py; github.com/davda54/sam adds 10⁻¹²).
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::{Method, Objective, Sam};
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
    /// // g = 10⁻⁷: half as far.
    /// let x = Array::vector([0.5e-7]);
    /// let found = Sam::published_sam(0.5)?.evaluate(&objective, &x, &[], 0)?;
    /// assert_eq!(format!("{:.4}", found.gradient.get(&[0]).unwrap()), "0.5000");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and finite.
    pub fn published_sam(rho: f64) -> Result<Sam> {
        Sam::new(rho)?.published()
    }

    /// ASAM as the code of the universal class computes it, ε = ρ T²g/(‖Tg‖ + 10⁻⁷) with
    /// T = |x| + η for all parameters (github.com/dbahri/universal_sam, solver/sam.py). The authors'
    /// own code, github.com/SamsungLabs/ASAM, adds 10⁻¹⁶ and has T = 1 for all but weights.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and η not negative.
    pub fn published_asam(rho: f64, eta: f64) -> Result<Sam> {
        Sam::adaptive(rho, eta)?.published()
    }

    fn published(self) -> Result<Sam> {
        let mut sam = self.with_norm_offset(1e-7)?;
        sam.name = format!("published {}", sam.name);
        Ok(sam)
    }

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
