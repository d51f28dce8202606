//! Eigenpairs at the ends of a symmetric operator's spectrum, by Lanczos iterations.

use super::LinearOperator;
use crate::error::{Error, Result, positive};
use crate::random::{Draw, Purpose};
use nalgebra::{DMatrix, SymmetricEigen};
use rand_distr::{Distribution, StandardNormal};

/// The Lanczos iteration with full orthogonalisation, done twice (Golub and Van Loan, Matrix
/// Computations, 4th edition, section 10.3; twice is enough: Parlett, The Symmetric
/// Eigenvalue Problem, section 6.9).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanczos {
    /// At most so many products.
    pub max_products: usize,
    /// Stop when each wanted pair's residual ‖Av − λv‖ is below this times the largest |λ|.
    pub tolerance: f64,
}

impl Default for Lanczos {
    fn default() -> Lanczos {
        Lanczos { max_products: 100, tolerance: 1e-6 }
    }
}

/// An approximate eigenvalue and its unit eigenvector.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigenpair {
    /// The eigenvalue λ.
    pub value: f64,
    /// The eigenvector v.
    pub vector: Vec<f64>,
    /// ‖Av − λv‖: an eigenvalue lies within this distance of λ.
    pub residual: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += factor * f);
}

impl Lanczos {
    /// The `count` largest eigenvalues with their eigenvectors, in descending order. `start` is
    /// the first vector; otherwise it is drawn from the seed. A multiple eigenvalue is certain to
    /// be found as often as it occurs only if the products reach the operator's dimension.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, [`Error::Iteration`] when a product is not
    /// finite, or what the operator reports.
    pub fn top(
        &self,
        a: &mut dyn LinearOperator,
        count: usize,
        start: Option<&[f64]>,
        seed: u64,
    ) -> Result<Vec<Eigenpair>> {
        positive("lanczos", "tolerance", self.tolerance)?;
        let n = a.dim();
        let count = count.min(n);
        if count == 0 {
            return Ok(Vec::new());
        }
        let steps = self.max_products.max(count).min(n);
        let random = |sample: u32| {
            let mut v = vec![0.0; n];
            Draw { seed, purpose: Purpose::Lanczos, step: 0, sample }
                .fill(&mut v, |s| StandardNormal.sample(s));
            v
        };
        let mut basis: Vec<Vec<f64>> = Vec::new();
        let (mut diagonal, mut off) = (Vec::new(), Vec::new());
        // A start that is an eigenvector already would never see the others: a little is added.
        let mut next = match start {
            Some(v) if v.len() == n && dot(v, v) > 0.0 => {
                let mut v = v.to_vec();
                let noise = random(0);
                let factor = 0.01 * (dot(&v, &v) / dot(&noise, &noise)).sqrt();
                add(&mut v, factor, &noise);
                v
            }
            _ => random(0),
        };
        let mut image = vec![0.0; n];
        let mut split = false;
        loop {
            let length = dot(&next, &next).sqrt();
            next.iter_mut().for_each(|x| *x /= length);
            basis.push(std::mem::take(&mut next));
            let j = basis.len() - 1;
            a.apply(&basis[j], &mut image)?;
            let alpha = dot(&basis[j], &image);
            if !alpha.is_finite() {
                let problem = format!("product {} is not finite", j + 1);
                return Err(Error::Iteration { of: "lanczos", problem });
            }
            diagonal.push(alpha);
            for _ in 0..2 {
                for v in &basis {
                    let part = dot(v, &image);
                    add(&mut image, -part, v);
                }
            }
            let mut beta = dot(&image, &image).sqrt();
            let done = basis.len() == steps;
            let scale = diagonal.iter().chain(&off).fold(0.0f64, |m, x: &f64| m.max(x.abs()));
            let invariant = beta <= f64::EPSILON * scale * n as f64;
            if invariant {
                beta = 0.0;
            }
            // Across a weak link further copies of multiple eigenvalues may come, of which small
            // residuals tell nothing. The largest one is there before, unless the start lacks it.
            split |= count > 1 && beta <= self.tolerance * scale;
            // Solving the small problem costs little beside products, but not nothing.
            if done || invariant || basis.len().is_multiple_of(5) {
                let found = ritz(&diagonal, &off, beta, count);
                let converged =
                    found.len() == count && found.iter().all(|p| p.1 <= self.tolerance * scale);
                if done || (converged && !split) || basis.len() == n {
                    return Ok(found.into_iter().map(|p| assemble(p, &basis)).collect());
                }
            }
            if invariant {
                // The space is invariant: go on in its complement, with which it has no link.
                next = random(basis.len() as u32);
                for _ in 0..2 {
                    for v in &basis {
                        let part = dot(v, &next);
                        add(&mut next, -part, v);
                    }
                }
            } else {
                next = image.clone();
            }
            off.push(beta);
        }
    }

    /// The largest eigenvalue with its eigenvector.
    ///
    /// # Errors
    /// As [`Lanczos::top`]; [`Error::Iteration`] for an operator of no rows.
    pub fn largest(&self, a: &mut dyn LinearOperator, seed: u64) -> Result<Eigenpair> {
        let none =
            || Error::Iteration { of: "lanczos", problem: "the operator has no rows".into() };
        self.top(a, 1, None, seed)?.into_iter().next().ok_or_else(none)
    }
}

/// An eigenvalue of the tridiagonal matrix, its residual in the whole space, and its vector.
type Ritz = (f64, f64, Vec<f64>);

fn ritz(diagonal: &[f64], off: &[f64], beta: f64, count: usize) -> Vec<Ritz> {
    let m = diagonal.len();
    let t = DMatrix::from_fn(m, m, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => off[i.min(j)],
        _ => 0.0,
    });
    let eigen = SymmetricEigen::new(t);
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    order
        .into_iter()
        .take(count)
        .map(|i| {
            let vector: Vec<f64> = eigen.eigenvectors.column(i).iter().copied().collect();
            (eigen.eigenvalues[i], beta * vector[m - 1].abs(), vector)
        })
        .collect()
}

fn assemble((value, residual, coordinates): Ritz, basis: &[Vec<f64>]) -> Eigenpair {
    let mut vector = vec![0.0; basis[0].len()];
    coordinates.iter().zip(basis).for_each(|(c, v)| add(&mut vector, *c, v));
    let length = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    Eigenpair { value, vector, residual }
}
