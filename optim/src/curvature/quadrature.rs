//! Traces of functions of an operator by stochastic Lanczos quadrature.

use super::LinearOperator;
use super::krylov::Krylov;
use super::probes::{Estimated, Mean, Probes};
use super::space::Host;
use super::tridiagonal::eigenvalues;
use crate::error::{Error, Result, positive_count};

/// The quadrature of one probe v of length 1: vᵀf(A)v ≈ Σ wₖ f(θₖ), exact for polynomials of a
/// degree below twice the number of nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The Ritz values θₖ, ascending.
    pub nodes: Vec<f64>,
    /// Their weights wₖ, which sum to 1.
    pub weights: Vec<f64>,
}

/// Stochastic Lanczos quadrature (Ubaru, Chen and Saad, SIAM Journal on Matrix Analysis and
/// Applications 38, 2017): a Gauss quadrature rule of A's spectrum for each of some random probes.
///
/// From it come, without further products, tr f(A) for any f, moments, the log-determinant, and the
/// [spectral density](Quadrature::density). All standard errors are those of the mean over
/// probes, which for tr f(A) has the variance of [`trace`](super::trace) for f(A): 2(‖f(A)‖²_F −
/// Σ f(A)_ii²) by the number of probes for Rademacher probes, for Gaussian ones 2(‖f(A)‖²_F −
/// (tr f(A))²/d)·d/(d + 2). The error of the rules themselves, for f that is no polynomial of a
/// degree below twice the steps, is not part of it: more steps show how large it is.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
/// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
/// let spectrum = Quadrature::new(&mut a, Probes::Rademacher, 200, 2, 1)?;
/// // tr A² = 15, det A = 5.
/// let square = spectrum.trace_of(|x| x * x)?;
/// assert!((square.value - 15.0).abs() < 3.0 * square.standard_error);
/// let log_det = spectrum.log_det()?;
/// assert!((log_det.value - 5f64.ln()).abs() < 3.0 * log_det.standard_error);
/// assert_eq!(log_det.num_matvecs, 400);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Quadrature {
    rules: Vec<Rule>,
    dim: usize,
    epsilon: f64,
    num_matvecs: usize,
}

const OF: &str = "stochastic Lanczos quadrature";

impl Quadrature {
    /// The rules of `count` probes, each by at most `steps` products, so count · steps
    /// altogether: fewer only where the probe
    /// lies in an invariant space of smaller dimension, whose rule is exact for every f. Gaussian
    /// probes are scaled to one length, that is, uniform on a sphere.
    ///
    /// As many probes at a time as the operator multiplies together go side by side; `steps`
    /// vectors are kept for each of them.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
    /// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 0.0, 0.0, 4.0])?)?;
    /// let spectrum = Quadrature::new(&mut a, Probes::Rademacher, 3, 2, 1)?;
    /// assert_eq!((spectrum.rules().len(), spectrum.dim(), spectrum.num_matvecs()), (3, 2, 6));
    /// // A probe of ±1 sees both eigenvalues alike.
    /// let rule = &spectrum.rules()[0];
    /// assert_eq!(format!("{:.3?} {:.3?}", rule.nodes, rule.weights), "[2.000, 4.000] [0.500, 0.500]");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for no probes or no steps, [`Error::Iteration`] when a product is not
    /// finite, or what the operator reports.
    pub fn new(
        a: &mut dyn LinearOperator,
        probes: Probes,
        count: usize,
        steps: usize,
        seed: u64,
    ) -> Result<Quadrature> {
        positive_count(OF, "the number of probes", count)?;
        positive_count(OF, "the number of steps", steps)?;
        let (dim, before) = (a.dim(), a.num_matvecs());
        let block = a.block().max(1);
        let mut rules = Vec::with_capacity(count);
        for first in (0..count).step_by(block) {
            if dim == 0 {
                break;
            }
            let start = |i: usize| {
                let mut v = vec![0.0; dim];
                probes.fill(seed, i, &mut v);
                Krylov::new(Host, dim, v)
            };
            let mut all =
                (first..count.min(first + block)).map(start).collect::<Result<Vec<_>>>()?;
            side_by_side(a, &mut all, steps.min(dim))?;
            for krylov in all {
                rules.push(rule(&krylov)?);
            }
        }
        Ok(Quadrature { rules, dim, epsilon: a.epsilon(), num_matvecs: a.num_matvecs() - before })
    }

    /// The rules, one for each probe.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The number of A's rows.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of products that it took.
    pub fn num_matvecs(&self) -> usize {
        self.num_matvecs
    }

    /// The smallest and the largest Ritz value; both lie within A's spectrum. `None` for an operator
    /// of no rows.
    ///
    /// ```
    /// use burlap_autodiff::{Array, DType};
    /// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
    /// let mut a = MatrixOperator::new(&Array::eye(DType::F64, 4))?;
    /// let spectrum = Quadrature::new(&mut a, Probes::Rademacher, 2, 2, 1)?;
    /// assert_eq!(spectrum.spectral_bounds(), Some((1.0, 1.0)));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    pub fn spectral_bounds(&self) -> Option<(f64, f64)> {
        let low = self.rules.iter().filter_map(|r| r.nodes.first().copied()).reduce(f64::min)?;
        let high = self.rules.iter().filter_map(|r| r.nodes.last().copied()).reduce(f64::max)?;
        Some((low, high))
    }

    /// The mean of f over the spectrum, tr f(A) / d, by each rule.
    pub(super) fn means<'a>(
        &'a self,
        f: impl Fn(f64) -> f64 + 'a,
    ) -> impl Iterator<Item = f64> + 'a {
        self.rules.iter().map(move |rule| {
            rule.nodes.iter().zip(&rule.weights).map(|(node, weight)| weight * f(*node)).sum()
        })
    }

    /// The mean of f over the spectrum times a factor.
    fn mean(&self, of: &'static str, factor: f64, f: impl Fn(f64) -> f64) -> Result<Estimated> {
        let mut nodes = self.rules.iter().flat_map(|rule| &rule.nodes);
        if let Some(&value) = nodes.find(|x| !f(**x).is_finite()) {
            let problem = format!("is where the function is {}", f(value));
            return Err(Error::RitzValue { of, value, problem });
        }
        let num_matvecs = self.num_matvecs;
        if self.rules.is_empty() {
            return Ok(Estimated { value: 0.0, standard_error: 0.0, num_matvecs });
        }
        let mean: Mean = self.means(f).collect();
        let standard_error = factor * mean.standard_error();
        Ok(Estimated { value: factor * mean.value(), standard_error, num_matvecs })
    }

    /// tr f(A) = Σ f(λᵢ).
    ///
    /// ```
    /// use burlap_autodiff::{Array, DType};
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator, Probes, Quadrature};
    /// let identity = MatrixOperator::new(&Array::eye(DType::F64, 4))?;
    /// let spectrum = Quadrature::new(&mut identity.scaled(3.0)?, Probes::Rademacher, 2, 5, 1)?;
    /// // log det(I + σ²A) for σ² = 0.1
    /// let found = spectrum.trace_of(|x| (0.1 * x).ln_1p())?;
    /// assert!((found.value - 4.0 * 1.3f64.ln()).abs() < 1e-14);
    /// assert_eq!(found.num_matvecs, 2);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RitzValue`] where f is not finite.
    pub fn trace_of(&self, f: impl Fn(f64) -> f64) -> Result<Estimated> {
        self.mean("trace of a function", self.dim as f64, f)
    }

    /// The moment tr Aᵖ / d of the spectrum, without error but that of the probes for p up to twice
    /// the steps less one.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
    /// let a = vec![1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 6.0];
    /// let mut a = MatrixOperator::new(&Array::from_vec([3, 3], a)?)?;
    /// let spectrum = Quadrature::new(&mut a, Probes::Rademacher, 5, 3, 1)?;
    /// assert_eq!(spectrum.moment(1)?.to_string(), "3.0000 ± 0.0000");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RitzValue`] where the power overflows.
    pub fn moment(&self, power: u32) -> Result<Estimated> {
        self.mean("moment", 1.0, |x| x.powi(power.try_into().unwrap_or(i32::MAX)))
    }

    /// log det A = tr log A of a positive definite operator.
    ///
    /// Ritz values lie within the spectrum, so one that is not positive proves that A is not
    /// positive definite; with few steps there may be none though A is not.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{MatrixOperator, Probes, Quadrature};
    /// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![0.0, 2.0, 2.0, 3.0])?)?;
    /// let spectrum = Quadrature::new(&mut a, Probes::Rademacher, 5, 2, 1)?;
    /// let error = spectrum.log_det().err().map(|e| e.to_string());
    /// let expected = "log-determinant: the Ritz value -1.0000e0 is negative, so the operator is indefinite";
    /// assert_eq!(error.as_deref(), Some(expected));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RitzValue`] with the smallest Ritz value where it is not positive, or too small beside
    /// the largest one to be told from zero.
    pub fn log_det(&self) -> Result<Estimated> {
        let (low, high) = self.spectral_bounds().unwrap_or((1.0, 1.0));
        // Sums of as many products as there are rows, whose rounding errors are of either sign.
        let rounding = 4.0 * self.epsilon * (self.dim as f64).sqrt() * high.abs().max(low.abs());
        if low <= rounding {
            let problem = if low < -rounding {
                "is negative, so the operator is indefinite".into()
            } else {
                format!("is zero up to rounding, which is {rounding:.1e}: the operator is singular")
            };
            return Err(Error::RitzValue { of: "log-determinant", value: low, problem });
        }
        self.mean("log-determinant", self.dim as f64, f64::ln)
    }
}

/// Takes so many steps of several recurrences, whose products are computed together.
fn side_by_side(a: &mut dyn LinearOperator, all: &mut [Krylov<Host>], steps: usize) -> Result<()> {
    let dim = a.dim();
    let mut going: Vec<&mut Krylov<Host>> = all.iter_mut().collect();
    for step in 1..=steps {
        let vectors: Vec<f64> = going.iter().flat_map(|k| k.last()).copied().collect();
        let mut images = vec![0.0; vectors.len()];
        a.matmat(&vectors, &mut images)?;
        let mut left = Vec::with_capacity(going.len());
        for (krylov, image) in going.into_iter().zip(images.chunks_exact(dim)) {
            let mut image = image.to_vec();
            let beta = krylov.absorb(OF, &mut image)?;
            if beta > 0.0 && step < steps {
                krylov.off.push(beta);
                krylov.push(image)?;
                left.push(krylov);
            }
        }
        going = left;
        if going.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The eigenvalues of the tridiagonal matrix, and the squares of their vectors' first elements.
fn rule(krylov: &Krylov<Host>) -> Result<Rule> {
    let mut first = vec![0.0; krylov.diagonal.len()];
    first[0] = 1.0;
    let mut first = [first];
    let nodes = eigenvalues(&krylov.diagonal, &krylov.off, &mut first)?;
    let weights = first[0].iter().map(|x| x * x).collect();
    Ok(Rule { nodes, weights })
}
