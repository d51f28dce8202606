//! The named members of the class: a few lines each.

use super::directions::DirectionDistribution;
use super::distributions::{Cube, Gaussian, Importance, Sphere};
use super::functionals::Moments;
use super::point_directions::TopEigenvector;
use super::{Estimator, Functional, OneSided, PhiPsi, Samples, Sharpness};
use crate::curvature::Lanczos;
use crate::error::{Error, Result, positive};
use crate::registry::{Member, MethodSettings, Setting, SettingKind, SettingValue};
use burlap_autodiff::Var;

const PAPER: &str = "Tahmasebi et al., arXiv 2406.03682";

/// The default weight λ at ρ = 0.01 by estimator: exact, central, one-sided. Finite differences
/// multiply the noise of a few directions by 1/ρ² and, one-sided, the gradient by 1/ρ: they bear
/// smaller weights.
const fn lambda(text: &'static str, default: fn(Estimator) -> SettingValue) -> Setting {
    let help = "weight λ of the penalty λρ²S, by default for exact/central/one-sided";
    Setting::by_estimator("lambda", SettingKind::Number, (text, default), help)
}

/// One of three weights.
fn by_estimator(e: Estimator, [exact, central, one_sided]: [f64; 3]) -> SettingValue {
    SettingValue::Number(match e {
        Estimator::Exact | Estimator::HvpNorm => exact,
        Estimator::Central => central,
        Estimator::OneSided => one_sided,
    })
}

pub(super) const fn samples(default: u64) -> Setting {
    Setting::count("samples", default, "random directions a step")
}

const fn sigma(default: f64) -> Setting {
    Setting::number("sigma", default, "standard deviation σ of the directions")
}

pub(crate) const TRACE_SAM: Member = Member::penalty(
    "trace-sam",
    PAPER,
    "∇(L + λρ² tr H)",
    &[samples(1), lambda("30/10/2", |e| by_estimator(e, [30.0, 10.0, 2.0]))],
    |_| Ok(Sharpness::trace()),
);

/// ‖Hv‖² needs one direction, a variance two.
fn frob_samples(estimator: Estimator) -> SettingValue {
    SettingValue::Count(if estimator == Estimator::HvpNorm { 1 } else { 2 })
}

pub(crate) const FROB_SAM: Member = Member::penalty(
    "frob-sam",
    PAPER,
    "∇(L + λρ² ‖H‖²_F)",
    &[
        Setting::by_estimator(
            "samples",
            SettingKind::Count,
            ("2 (hvp: 1)", frob_samples),
            "random directions a step",
        ),
        lambda("10/0.5/0.02", |e| by_estimator(e, [10.0, 0.5, 0.02])),
    ],
    |s: &MethodSettings| {
        Ok(match s.estimator() {
            Some(Estimator::HvpNorm) => Sharpness::frobenius_by_hvp(),
            _ => Sharpness::frobenius(),
        })
    },
);

pub(crate) const DET_SAM: Member = Member::penalty(
    "det-sam",
    PAPER,
    "∇(L + λρ² det H)",
    &[samples(2), lambda("100/100/10", |e| by_estimator(e, [100.0, 100.0, 10.0])), sigma(1.0)],
    |s| Ok(Sharpness::determinant(s.number("sigma")?)),
);

pub(crate) const LOGDET_SAM: Member = Member::penalty(
    "logdet-sam",
    PAPER,
    "∇(L + λρ² log det(I + σ²H))",
    &[samples(2), lambda("10000/100/10", |e| by_estimator(e, [10_000.0, 100.0, 10.0])), sigma(0.1)],
    |s| Ok(Sharpness::log_det(s.number("sigma")?)),
);

pub(crate) const MAX_EIGEN_SAM: Member = Member::penalty(
    "max-eigen-sam",
    PAPER,
    "∇(L + λρ² λ_max)",
    &[samples(1), lambda("100/100/10", |e| by_estimator(e, [100.0, 100.0, 10.0]))],
    |_| Ok(Sharpness::max_eigen()),
);

pub(crate) const TILTED_SAM: Member = Member::penalty(
    "tilted-sam",
    PAPER,
    "∇(L + λρ² (1/τ) log E e^(τ·½vᵀHv))",
    &[
        samples(2),
        lambda("10000/100/10", |e| by_estimator(e, [10_000.0, 100.0, 10.0])),
        sigma(0.1),
        Setting::number("tau", 1.0, "tilt τ"),
    ],
    |s| Sharpness::tilted(s.number("tau")?, Gaussian { sigma: s.number("sigma")? }),
);

/// 2·mean, or 2d·mean on the sphere.
struct MeanTimes(fn(usize) -> f64);

impl std::fmt::Debug for MeanTimes {
    // Without the address, which differs from process to process.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeanTimes")
    }
}

impl Functional for MeanTimes {
    fn record(&self, s: &Samples) -> Var {
        (self.0)(s.dim) * s.mean(s.curvatures)
    }
}

/// The mean of ‖Hv‖².
#[derive(Debug)]
struct MeanOfSquares;

impl Functional for MeanOfSquares {
    fn record(&self, s: &Samples) -> Var {
        s.mean(s.curvatures)
    }

    fn takes_squared_products(&self) -> bool {
        true
    }
}

/// c − 2 log ∫ e^(−q) dμ, in the form that cannot overflow; its gradient weighs the samples by
/// their own normalised weights.
#[derive(Debug)]
struct LogDeterminant {
    lebesgue: bool,
    exponential: bool,
}

impl Functional for LogDeterminant {
    fn record(&self, s: &Samples) -> Var {
        let mut log = -2.0 * s.log_mean_exp(-s.curvatures);
        if self.lebesgue {
            log += s.dim as f64 * std::f64::consts::TAU.ln();
        }
        if self.exponential { log.exp() } else { log }
    }
}

/// 2 (mean of qᵖ)^(1/p).
#[derive(Debug)]
struct Power(f64);

impl Functional for Power {
    fn record(&self, s: &Samples) -> Var {
        2.0 * s.mean(s.curvatures.powf(self.0)).powf(1.0 / self.0)
    }
}

/// (1/τ) log mean e^(τq).
#[derive(Debug)]
struct Tilt(f64);

impl Functional for Tilt {
    fn record(&self, s: &Samples) -> Var {
        s.log_mean_exp(self.0 * s.curvatures) * (1.0 / self.0)
    }
}

impl Sharpness {
    /// tr H: ψ = t, φ = 2t, μ = N(0, I).
    pub fn trace() -> Sharpness {
        Sharpness::new("trace", MeanTimes(|_| 2.0), Gaussian::STANDARD)
    }

    /// tr H: ψ = t, φ = 2d·t, μ uniform on the sphere.
    pub fn trace_on_sphere() -> Sharpness {
        Sharpness::new("trace on the sphere", MeanTimes(|d| 2.0 * d as f64), Sphere)
    }

    /// ‖H‖²_F: ψ = (t, t²), φ = 2(a₂ − a₁²), μ = N(0, I), since Var(½vᵀHv) = ½‖H‖²_F. The
    /// variance is the unbiased one.
    pub fn frobenius() -> Sharpness {
        // Order 2 is within range.
        let moments = Moments::unbiased(2).unwrap_or(Moments::plug_in(2));
        Sharpness::new("frobenius", moments, Gaussian::STANDARD)
    }

    /// ‖H‖²_F by the plug-in variance 2(a₂ − a₁²), as the paper writes it.
    pub fn frobenius_plug_in() -> Sharpness {
        Sharpness::new("frobenius", Moments::plug_in(2), Gaussian::STANDARD)
    }

    /// ‖H‖²_F = E‖Hv‖²: one sample suffices.
    pub fn frobenius_by_hvp() -> Sharpness {
        Sharpness::new("frobenius", MeanOfSquares, Gaussian::STANDARD)
            .with_estimator(Estimator::HvpNorm)
    }

    /// log det(I + σ²H): ψ = e^(−t), φ = −2 log a, μ = N(0, σ²I). Finite also for indefinite H
    /// while σ²λ_min > −1. Beyond that the integral diverges; an estimate of n samples is still
    /// a finite number, which falls without bound as n grows, and its gradient still leads away
    /// from the negative curvature that was sampled: no error, and no estimate of anything.
    pub fn log_det(sigma: f64) -> Sharpness {
        let functional = LogDeterminant { lebesgue: false, exponential: false };
        Sharpness::new("log-det", functional, Gaussian { sigma })
    }

    /// log det H for H ≻ 0: ψ = e^(−t), φ = −2 log a + d log 2π, μ Lebesgue measure, sampled
    /// from N(0, σ²I).
    pub fn log_det_lebesgue(sigma: f64) -> Sharpness {
        let functional = LogDeterminant { lebesgue: true, exponential: false };
        Sharpness::new("log-det of H", functional, Importance { sigma })
    }

    /// det H for H ≻ 0: ψ = e^(−t), φ = (2π)ᵈ/a², μ Lebesgue measure, sampled from N(0, σ²I).
    /// It is computed as the exponential of a logarithm, so that only S itself can overflow,
    /// which is [`Error::NonFiniteSharpness`]; one that underflows is 0, with a gradient of 0.
    ///
    /// Meaningful for a positive definite Hessian and few parameters: the determinant is of the
    /// size of the d-th power of an eigenvalue, the weights' variance grows exponentially with
    /// d and is infinite unless σ²λ > ½ for all eigenvalues, and for an indefinite Hessian
    /// the integral diverges. [`Sharpness::log_det`] is the measure for networks.
    pub fn determinant(sigma: f64) -> Sharpness {
        let functional = LogDeterminant { lebesgue: true, exponential: true };
        Sharpness::new("determinant", functional, Importance { sigma })
    }

    /// tr Hᵏ: ψ = (t, …, tᵏ), φ = 2κ_k/(k−1)! with the k-th cumulant, μ = N(0, I).
    ///
    /// # Errors
    /// [`Error::Setting`] unless 1 ≤ k ≤ 16.
    pub fn power_trace(k: usize) -> Result<Sharpness> {
        let moments = Moments::plug_in(k);
        moments.check_order()?;
        Ok(Sharpness::new("power trace", moments, Gaussian::STANDARD))
    }

    /// tr Hᵏ by unbiased k-statistics.
    ///
    /// # Errors
    /// [`Error::Setting`] unless 1 ≤ k ≤ 4.
    pub fn power_trace_unbiased(k: usize) -> Result<Sharpness> {
        Ok(Sharpness::new("power trace", Moments::unbiased(k)?, Gaussian::STANDARD))
    }

    /// 2 (E (½vᵀHv)ᵖ)^(1/p) on the sphere, which tends to λ_max as p → ∞ for H ⪰ 0.
    ///
    /// # Errors
    /// [`Error::Setting`] unless p is positive and finite.
    pub fn schatten(p: f64) -> Result<Sharpness> {
        positive("schatten", "p", p)?;
        Ok(Sharpness::new("schatten", Power(p), Sphere))
    }

    /// λ_max: ψ = t, φ = 2t, μ concentrated on the top eigenvector.
    pub fn max_eigen() -> Sharpness {
        let directions = TopEigenvector::new(Lanczos::default());
        Sharpness::new("max-eigen", MeanTimes(|_| 2.0), directions)
    }

    /// (1/τ) log E e^(τ·½vᵀHv): ψ = e^(τt), φ = (1/τ) log a, μ of your choice.
    ///
    /// # Errors
    /// [`Error::Setting`] unless τ is finite and not 0.
    pub fn tilted(tau: f64, directions: impl DirectionDistribution + 'static) -> Result<Sharpness> {
        if tau == 0.0 || !tau.is_finite() {
            let (of, value) = ("tilted".into(), tau.to_string());
            return Err(Error::Setting { of, name: "tau", value, expected: "finite and not 0" });
        }
        Ok(Sharpness::new("tilted", Tilt(tau), directions))
    }

    /// Any φ, ψ and μ, as formulas and a distribution of yours.
    pub fn custom(
        name: &str,
        psi: impl Fn(Var) -> Vec<Var> + Send + 'static,
        phi: impl Fn(&[Var]) -> Var + Send + 'static,
        directions: impl DirectionDistribution + 'static,
    ) -> Sharpness {
        Sharpness::new(name, PhiPsi::new(psi, phi), directions)
    }

    /// The update that the paper's code makes under the name "trace": φ = t (not 2t), Gaussian
    /// directions.
    pub fn published_trace() -> Sharpness {
        let functional = PhiPsi::new(|t| vec![t], |a| a[0]);
        Sharpness::new("published trace", functional, Gaussian::STANDARD).with_estimator(OneSided)
    }

    /// The update that the paper's code makes under the name "det": ψ = e^(−t/2), φ = a⁻², a
    /// mean over a cube instead of Lebesgue measure. With one sample its weight is eᵗ, which
    /// overflows for large t: an error here.
    pub fn published_determinant(half_side: f64) -> Sharpness {
        let functional = PhiPsi::new(|t| vec![(-0.5 * t).exp()], |a| a[0].powf(-2.0));
        let directions = Cube { half_side, normalised: true };
        Sharpness::new("published determinant", functional, directions).with_estimator(OneSided)
    }

    /// The update of the paper's Frob-SAM, g₀ + (λ/ρ²) Cov(L(x+ρv), ∇L(x+ρv)) with n − 1: half
    /// the unbiased variance of the one-sided differences.
    pub fn published_frobenius() -> Sharpness {
        Sharpness::new("published frobenius", Moments::half_variance(), Gaussian::STANDARD)
            .with_estimator(OneSided)
    }
}
