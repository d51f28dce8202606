//! Estimators of the curvature of a sample.

use burlap_autodiff::Var;
use std::fmt::Debug;
use std::ops::{Add, Div, Sub};

/// A point x and a direction v on a tape, where an estimator records its numbers.
pub struct CurvaturePoint<'a> {
    /// The parameters.
    pub x: Var,
    /// The direction.
    pub v: Var,
    pub(super) loss: &'a dyn Fn(Var) -> Var,
    pub(super) scaled: &'a dyn Fn(Var) -> Var,
    pub(super) quadratic: &'a dyn Fn(Var) -> Var,
    pub(super) product: &'a dyn Fn(Var) -> Var,
}

impl Debug for CurvaturePoint<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurvaturePoint").field("x", &self.x).field("v", &self.v).finish()
    }
}

impl CurvaturePoint<'_> {
    /// The loss at parameters `p`.
    pub fn loss(&self, p: Var) -> Var {
        (self.loss)(p)
    }

    /// ρv; to be recorded once.
    pub fn step(&self) -> Var {
        (self.scaled)(self.v)
    }

    /// vᵀCv of the measure's matrix C, the Hessian unless
    /// [another](super::Sharpness::with_curvature) is chosen.
    pub fn quadratic(&self) -> Var {
        (self.quadratic)(self.v)
    }

    /// Cv.
    pub fn product(&self) -> Var {
        (self.product)(self.v)
    }
}

/// An estimator of the curvature q = ½vᵀCv of a sample v: some numbers nⱼ, which are recorded, and
/// q = Σⱼ (nⱼ − L(x))/d with a divisor d, or Σⱼ nⱼ without one. Its gradient follows.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::penalty::{CurvatureEstimator, CurvaturePoint};
/// use burlap_optim::{Objective, Sharpness};
/// /// (L(x−ρv) − L(x))/ρ²: the other side.
/// #[derive(Debug)]
/// struct Backward;
/// impl CurvatureEstimator for Backward {
///     fn name(&self) -> &'static str {
///         "backward"
///     }
///     fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var> {
///         vec![at.loss(at.x - at.step())]
///     }
///     fn divisor(&self, rho: f64) -> Option<f64> {
///         Some(rho * rho)
///     }
/// }
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
/// let trace = Sharpness::trace().with_estimator(Backward).with_draws(vec![Array::vector([1.0])]);
/// let found = trace.with_rho(0.5).estimate(&objective, &Array::vector([0.0]), &[], 1, 0)?;
/// assert_eq!(found.value, 2.0);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub trait CurvatureEstimator: Debug + Send + Sync {
    /// The name.
    fn name(&self) -> &'static str;

    /// The numbers nⱼ, scalars.
    fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var>;

    /// How many numbers there are; 1 by default.
    fn count(&self) -> usize {
        1
    }

    /// The divisor d of differences to the loss, by the radius ρ; none, by default, where the
    /// numbers are the curvature.
    fn divisor(&self, rho: f64) -> Option<f64> {
        let _ = rho;
        None
    }

    /// Whether it estimates ‖Cv‖² in place of ½vᵀCv.
    fn is_squared_product(&self) -> bool {
        false
    }

    /// Whether it estimates curvatures of any matrix, and not of the Hessian alone: as it does,
    /// by default, where there is no divisor.
    fn takes_any_matrix(&self) -> bool {
        self.divisor(1.0).is_none()
    }
}

/// Σⱼ (nⱼ − L)/d, or Σⱼ nⱼ without a divisor: on a tape or in numbers.
pub(super) fn curvature<T>(
    numbers: impl Iterator<Item = T>,
    loss: T,
    divisor: Option<f64>,
) -> Option<T>
where
    T: Copy + Add<Output = T> + Sub<Output = T> + Div<f64, Output = T>,
{
    match divisor {
        // Each difference by itself, before they are added: their leading terms cancel.
        Some(d) => Some(numbers.map(|n| n - loss).reduce(|a, b| a + b)? / d),
        None => numbers.reduce(|a, b| a + b),
    }
}

/// (L(x+ρv) − L(x))/ρ², as in the paper: ∇Lᵀv/ρ dominates away from critical points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneSided;

impl CurvatureEstimator for OneSided {
    fn name(&self) -> &'static str {
        "one-sided"
    }

    fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var> {
        vec![at.loss(at.x + at.step())]
    }

    fn divisor(&self, rho: f64) -> Option<f64> {
        Some(rho * rho)
    }
}

/// (L(x+ρv) + L(x−ρv) − 2L(x))/(2ρ²), with an error of order ρ².
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Central;

impl CurvatureEstimator for Central {
    fn name(&self) -> &'static str {
        "central"
    }

    fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var> {
        let step = at.step();
        vec![at.loss(at.x + step), at.loss(at.x - step)]
    }

    fn count(&self) -> usize {
        2
    }

    fn divisor(&self, rho: f64) -> Option<f64> {
        Some(2.0 * (rho * rho))
    }
}

/// ½vᵀCv by the tape, without error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact;

impl CurvatureEstimator for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var> {
        vec![0.5 * at.quadratic()]
    }
}

/// ‖Cv‖² in place of a curvature: for the squared Frobenius norm alone, which is its mean. It needs
/// one sample, and its relative variance is of order 1/d instead of 1/n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HvpNorm;

impl CurvatureEstimator for HvpNorm {
    fn name(&self) -> &'static str {
        "hvp"
    }

    fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var> {
        // ‖Cv‖² has the gradient 2∇(uᵀCv) at u = Cv held fixed; the tape finds it by itself.
        vec![at.product().square().sum()]
    }

    fn is_squared_product(&self) -> bool {
        true
    }
}

/// The estimators that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Estimator {
    /// [`OneSided`].
    OneSided,
    /// [`Central`].
    Central,
    /// [`Exact`].
    Exact,
    /// [`HvpNorm`].
    HvpNorm,
}

impl Estimator {
    /// All of them.
    pub const ALL: [Estimator; 4] =
        [Estimator::OneSided, Estimator::Central, Estimator::Exact, Estimator::HvpNorm];

    /// The estimator of a name: one-sided, central, exact or hvp.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) for any other.
    pub fn from_name(name: &str) -> crate::Result<Estimator> {
        Estimator::ALL.into_iter().find(|e| e.name() == name).ok_or_else(|| crate::Error::Unknown {
            what: "estimator",
            name: name.into(),
            known: Estimator::ALL.map(Estimator::name).join(", "),
        })
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.implementation().name()
    }

    fn implementation(self) -> &'static dyn CurvatureEstimator {
        match self {
            Estimator::OneSided => &OneSided,
            Estimator::Central => &Central,
            Estimator::Exact => &Exact,
            Estimator::HvpNorm => &HvpNorm,
        }
    }
}

/// An estimator that is another: one in a box, and the implementation of a name.
macro_rules! delegate {
    ([$($generics:tt)*] $type:ty, |$self:ident| $estimator:expr) => {
        impl<$($generics)*> CurvatureEstimator for $type {
            fn name(&self) -> &'static str {
                let $self = self;
                $estimator.name()
            }

            fn record(&self, at: &CurvaturePoint<'_>) -> Vec<Var> {
                let $self = self;
                $estimator.record(at)
            }

            fn count(&self) -> usize {
                let $self = self;
                $estimator.count()
            }

            fn divisor(&self, rho: f64) -> Option<f64> {
                let $self = self;
                $estimator.divisor(rho)
            }

            fn is_squared_product(&self) -> bool {
                let $self = self;
                $estimator.is_squared_product()
            }

            fn takes_any_matrix(&self) -> bool {
                let $self = self;
                $estimator.takes_any_matrix()
            }
        }
    };
}

delegate!([T: CurvatureEstimator + ?Sized] Box<T>, |boxed| (**boxed));
delegate!([] Estimator, |named| named.implementation());
