//! Functionals of sampled curvatures: φ and ψ.

use crate::error::{self, Error, Result};
use burlap_autodiff::Var;

/// Sampled curvatures on a tape.
#[derive(Clone, Copy, Debug)]
pub struct Samples {
    /// The curvatures ½vᵢᵀHvᵢ (or their estimates), shape `[n]`.
    pub curvatures: Var,
    /// Logarithms of the samples' weights dμ/dp, shape `[n]`; zero when the directions are
    /// drawn from μ itself.
    pub log_weights: Var,
    /// The number of samples n.
    pub count: usize,
    /// The number of parameters d.
    pub dim: usize,
}

impl Samples {
    /// The estimate (1/n) Σ wᵢ fᵢ of an integral over μ, from values of shape `[n]`.
    pub fn mean(&self, f: Var) -> Var {
        (self.log_weights.exp() * f).mean()
    }

    /// The logarithm of the estimate (1/n) Σ wᵢ exp(uᵢ), without overflow.
    pub fn log_mean_exp(&self, u: Var) -> Var {
        (u + self.log_weights).logsumexp(&[0]) - (self.count as f64).ln()
    }
}

/// A function of sampled curvatures that estimates S.
pub trait Functional: std::fmt::Debug + Send {
    /// The estimate, a scalar.
    fn record(&self, samples: &Samples) -> Var;

    /// Whether its argument is ‖Hv‖² instead of ½vᵀHv.
    fn takes_squared_products(&self) -> bool {
        false
    }

    /// Checks that `count` samples suffice.
    ///
    /// # Errors
    /// [`Error::Setting`] when they do not, such as one sample where a covariance is asked.
    fn check(&self, count: usize) -> Result<()> {
        at_least("sharpness", count, 1)
    }
}

impl<T: Functional + ?Sized> Functional for Box<T> {
    fn record(&self, samples: &Samples) -> Var {
        (**self).record(samples)
    }

    fn takes_squared_products(&self) -> bool {
        (**self).takes_squared_products()
    }

    fn check(&self, count: usize) -> Result<()> {
        (**self).check(count)
    }
}

pub(super) fn at_least(of: &str, count: usize, least: usize) -> Result<()> {
    let expected = match least {
        1 => "at least 1",
        2 => "at least 2: a covariance of one sample is not defined",
        3 => "at least 3: a third cumulant of fewer samples is not defined",
        _ => "at least 4: a fourth cumulant of fewer samples is not defined",
    };
    error::at_least(of, "the number of samples", count, (least, expected))
}

type Psi = dyn Fn(Var) -> Vec<Var> + Send;
type Phi = dyn Fn(&[Var]) -> Var + Send;

/// S = φ(a₁, …, a_m) with aₖ = (1/n) Σᵢ wᵢ ψₖ(qᵢ): the general member of the class. φ and ψ
/// are formulas; the engine differentiates them.
pub struct PhiPsi {
    psi: Box<Psi>,
    phi: Box<Phi>,
}

impl std::fmt::Debug for PhiPsi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PhiPsi")
    }
}

impl PhiPsi {
    /// From ψ, which maps the vector of curvatures to m vectors of the same shape element by
    /// element, and φ, which maps m scalars to one.
    pub fn new(
        psi: impl Fn(Var) -> Vec<Var> + Send + 'static,
        phi: impl Fn(&[Var]) -> Var + Send + 'static,
    ) -> PhiPsi {
        PhiPsi { psi: Box::new(psi), phi: Box::new(phi) }
    }
}

impl Functional for PhiPsi {
    fn record(&self, samples: &Samples) -> Var {
        let means: Vec<Var> =
            (self.psi)(samples.curvatures).into_iter().map(|f| samples.mean(f)).collect();
        (self.phi)(&means)
    }
}

/// Cumulants of the curvatures: 2 κ_k/(k−1)!, which is tr Hᵏ for Gaussian directions, since
/// κ_k(½vᵀHv) = ½ (k−1)! tr Hᵏ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    order: usize,
    unbiased: bool,
    factor: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    PowerTrace,
    Half,
}

impl Moments {
    /// The cumulant of the given order by its plug-in estimate.
    pub fn plug_in(order: usize) -> Moments {
        Moments { order, unbiased: false, factor: Scale::PowerTrace }
    }

    /// By the unbiased k-statistic.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the order is at most 4.
    pub fn unbiased(order: usize) -> Result<Moments> {
        let moments = Moments { order, unbiased: true, factor: Scale::PowerTrace };
        moments.check_order()?;
        Ok(moments)
    }

    /// ½ of the unbiased variance: the published Frob-SAM.
    pub(super) fn half_variance() -> Moments {
        Moments { order: 2, unbiased: true, factor: Scale::Half }
    }

    pub(super) fn check_order(&self) -> Result<()> {
        let (limit, expected) = if self.unbiased {
            (4, "from 1 to 4, for unbiased estimates")
        } else {
            (16, "from 1 to 16")
        };
        if (1..=limit).contains(&self.order) {
            return Ok(());
        }
        let (of, name, value) = ("power trace".into(), "the order", self.order.to_string());
        Err(Error::Setting { of, name, value, expected })
    }

    /// The cumulant from central moments m₂, …, m_k, by κ_n = m_n − Σ_{j=2}^{n−2} C(n−1, j−1) κ_j m_{n−j}.
    fn cumulant(&self, central: &[Var]) -> Var {
        let m = |k: usize| central[k - 2];
        let mut cumulants: Vec<Var> = Vec::new();
        for n in 2..=self.order {
            let mut k = m(n);
            for j in 2..n.saturating_sub(1) {
                k -= binomial(n - 1, j - 1) * cumulants[j - 2] * m(n - j);
            }
            cumulants.push(k);
        }
        cumulants[self.order - 2]
    }

    fn k_statistic(&self, central: &[Var], n: f64) -> Var {
        match self.order {
            2 => central[0] * (n / (n - 1.0)),
            3 => central[1] * (n * n / ((n - 1.0) * (n - 2.0))),
            _ => {
                let numerator = (n + 1.0) * central[2] - 3.0 * (n - 1.0) * central[0].square();
                numerator * (n * n / ((n - 1.0) * (n - 2.0) * (n - 3.0)))
            }
        }
    }
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |b, i| b * (n - i) as f64 / (i + 1) as f64)
}

impl Functional for Moments {
    fn record(&self, s: &Samples) -> Var {
        let mean = s.mean(s.curvatures);
        if self.order == 1 {
            return 2.0 * mean;
        }
        // Centred: raw moments of large curvatures would cancel.
        let centred = s.curvatures - mean;
        let mut power = centred;
        let central: Vec<Var> = (2..=self.order)
            .map(|_| {
                power *= centred;
                s.mean(power)
            })
            .collect();
        let k = if self.unbiased {
            self.k_statistic(&central, s.count as f64)
        } else {
            self.cumulant(&central)
        };
        let factorial: f64 = (1..self.order).map(|i| i as f64).product();
        k * match self.factor {
            Scale::PowerTrace => 2.0 / factorial,
            Scale::Half => 0.5,
        }
    }

    fn check(&self, count: usize) -> Result<()> {
        self.check_order()?;
        let least = if self.unbiased { self.order } else { self.order.min(2) };
        at_least(if self.order == 2 { "frobenius" } else { "power trace" }, count, least)
    }
}
