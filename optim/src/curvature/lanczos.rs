//! Eigenpairs at the ends of a symmetric operator's spectrum, by Lanczos iterations.

use super::LinearOperator;
use super::krylov::Krylov;
use super::space::{Host, Space};
use super::tridiagonal::eigenvalues;
use crate::error::{Error, Result, positive};
use crate::random::{Draw, Purpose};
use rand_distr::{Distribution, StandardNormal};

/// The Lanczos iteration with full orthogonalisation, done twice.
///
/// It takes at most [`max_matvecs`](Lanczos::max_matvecs) products, one at a time, and keeps
/// as many vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanczos {
    /// At most so many products.
    pub max_matvecs: usize,
    /// Stop when the iteration leaves of each wanted pair's ‖Av − λv‖ no more than this times the
    /// largest |λ|; rounding of the products is not part of it.
    pub tolerance: f64,
}

impl Default for Lanczos {
    fn default() -> Lanczos {
        Lanczos { max_matvecs: 100, tolerance: 1e-6 }
    }
}

/// An approximate eigenvalue and its unit eigenvector.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigenpair<V = Vec<f64>> {
    /// The eigenvalue λ.
    pub value: f64,
    /// The eigenvector v.
    pub vector: V,
    /// A bound of ‖Av − λv‖, up to a small factor: an eigenvalue lies within this distance of λ.
    ///
    /// It is β|s|, what the iteration leaves, and the rounding of the products: √n ε ‖A‖ with the
    /// operator's [`epsilon`](LinearOperator::epsilon), and √n times the error of their elements
    /// that their lack of symmetry shows. So it is 0 for an operator of zeros only, and no smaller
    /// than what the arithmetic allows where the iteration breaks down.
    pub residual: f64,
}

/// Which eigenpairs are wanted, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// So many of the largest eigenvalues.
    Largest(usize),
    /// So many of the smallest, negative ones first.
    Smallest(usize),
    /// So many of the largest and so many of the smallest; each eigenvalue once.
    BothEnds(usize, usize),
    /// So many of the largest absolute values.
    Magnitude(usize),
}

impl Which {
    /// How many there are among `n`.
    fn count(self, n: usize) -> usize {
        match self {
            Which::Largest(k) | Which::Smallest(k) | Which::Magnitude(k) => k.min(n),
            Which::BothEnds(k, l) => k.saturating_add(l).min(n),
        }
    }

    /// Whether the wanted ones are at most one at each end, which comes before its copies.
    fn is_single(self) -> bool {
        match self {
            Which::Largest(k) | Which::Smallest(k) | Which::Magnitude(k) => k <= 1,
            Which::BothEnds(k, l) => k <= 1 && l <= 1,
        }
    }

    /// The places of the wanted ones among ascending values, in the order of the result.
    fn choose(self, values: &[f64]) -> Vec<usize> {
        let n = values.len();
        let count = self.count(n);
        match self {
            Which::Largest(_) => (n - count..n).rev().collect(),
            Which::Smallest(_) => (0..count).collect(),
            Which::BothEnds(k, _) => {
                let low = count - k.min(n);
                (0..low).chain(low + n - count..n).rev().collect()
            }
            Which::Magnitude(_) => {
                let mut order: Vec<usize> = (0..n).rev().collect();
                order.sort_by(|&i, &j| values[j].abs().total_cmp(&values[i].abs()));
                order.truncate(count);
                order
            }
        }
    }
}

impl Lanczos {
    /// The wanted eigenvalues with their eigenvectors: the largest and [`Which::BothEnds`] in
    /// descending order, the smallest in ascending order, by magnitude in descending order of that.
    /// There are fewer only where the operator has fewer rows.
    ///
    /// `start` is the first vector; otherwise it is drawn from the seed. A multiple eigenvalue is
    /// certain to be found as often as it occurs only if the products reach the operator's
    /// dimension. Where the products do not suffice, residuals are larger than the tolerance.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{Lanczos, MatrixOperator, Which};
    /// let a = [-7.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 1.0, 2.0];
    /// let mut a = MatrixOperator::new(&Array::from_vec([3, 3], a.to_vec())?)?;
    /// let mut values = |wanted| -> Result<String, burlap_optim::Error> {
    ///     let found = Lanczos::default().eigenpairs(&mut a, wanted, None, 1)?;
    ///     Ok(found.iter().map(|pair| format!("{:.6} ", pair.value)).collect())
    /// };
    /// assert_eq!(values(Which::Largest(2))?, "3.000000 1.000000 ");
    /// assert_eq!(values(Which::Smallest(2))?, "-7.000000 1.000000 ");
    /// assert_eq!(values(Which::BothEnds(1, 1))?, "3.000000 -7.000000 ");
    /// assert_eq!(values(Which::Magnitude(2))?, "-7.000000 3.000000 ");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, [`Error::Iteration`] when a product is not
    /// finite, or what the operator reports.
    pub fn eigenpairs(
        &self,
        a: &mut dyn LinearOperator,
        wanted: Which,
        start: Option<&[f64]>,
        seed: u64,
    ) -> Result<Vec<Eigenpair>> {
        let (n, epsilon) = (a.dim(), a.epsilon());
        let start = start.filter(|v| v.len() == n).map(<[f64]>::to_vec);
        let product = |v: &Vec<f64>| {
            let mut image = vec![0.0; n];
            a.apply(v, &mut image).map(|()| image)
        };
        self.iterate(Host, (n, epsilon), product, wanted, (start, seed))
    }

    /// [`eigenpairs`](Lanczos::eigenpairs) of an operator with n rows in a space, given by its
    /// products and their relative error.
    pub(super) fn iterate<S: Space>(
        &self,
        space: S,
        (n, epsilon): (usize, f64),
        mut product: impl FnMut(&S::Vector) -> Result<S::Vector>,
        wanted: Which,
        (start, seed): (Option<S::Vector>, u64),
    ) -> Result<Vec<Eigenpair<S::Vector>>> {
        positive("lanczos", "tolerance", self.tolerance)?;
        let count = wanted.count(n);
        if count == 0 {
            return Ok(Vec::new());
        }
        let steps = self.max_matvecs.max(count).min(n);
        let random = |space: &S, sample: u32| {
            space.noise((seed, sample), || {
                let mut v = vec![0.0; n];
                Draw { seed, purpose: Purpose::Lanczos, step: 0, sample }
                    .fill(&mut v, |s| StandardNormal.sample(s));
                v
            })
        };
        let noise = random(&space, 0)?;
        let first = first(&space, start, noise)?;
        let mut krylov = Krylov::new(space, n, first)?;
        let (mut split, mut next_look) = (false, 1);
        loop {
            let mut image = product(krylov.last())?;
            let beta = krylov.absorb("lanczos", &mut image)?;
            let size = krylov.basis.len();
            let small = self.tolerance * krylov.scale();
            // Across a weak link further copies of multiple eigenvalues may come, of which small
            // residuals tell nothing. The first one at an end is there before, unless the start
            // lacks it.
            split |= !wanted.is_single() && beta <= small;
            let done = size == steps;
            if done || beta == 0.0 || size >= next_look {
                // Looking costs little beside products, but not nothing.
                next_look = size + 1 + size / 20;
                let mut end = vec![0.0; size];
                end[size - 1] = 1.0;
                let mut end = [end];
                let values = eigenvalues(&krylov.diagonal, &krylov.off, &mut end)?;
                let chosen = wanted.choose(&values);
                let close = |&i: &usize| beta * end[0][i].abs() <= small;
                let converged = chosen.len() == count && chosen.iter().all(close);
                if done || (converged && !split) {
                    return assemble(&krylov, &chosen, beta, krylov.rounding(epsilon));
                }
            }
            krylov.off.push(beta);
            krylov.push(if beta == 0.0 {
                // The space is invariant: go on in its complement, with which it has no link.
                let mut v = random(&krylov.space, size as u32)?;
                krylov.space.orthogonalise(&mut v, &krylov.basis)?;
                v
            } else {
                image
            })?;
        }
    }

    /// The `count` largest eigenvalues with their eigenvectors, in descending order:
    /// [`eigenpairs`](Lanczos::eigenpairs) for [`Which::Largest`].
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{Lanczos, MatrixOperator};
    /// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 2.0])?)?;
    /// let found = Lanczos::default().top(&mut a, 2, None, 1)?;
    /// assert_eq!(format!("{:.6} {:.6}", found[0].value, found[1].value), "3.000000 1.000000");
    /// assert!(found.iter().all(|pair| pair.residual < 1e-6));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Lanczos::eigenpairs`].
    pub fn top(
        &self,
        a: &mut dyn LinearOperator,
        count: usize,
        start: Option<&[f64]>,
        seed: u64,
    ) -> Result<Vec<Eigenpair>> {
        self.eigenpairs(a, Which::Largest(count), start, seed)
    }

    /// The largest eigenvalue with its eigenvector.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// use burlap_optim::curvature::{HessianOperator, Lanczos};
    /// let loss = |x: Var, _: &[Var]| x.at(0).square() - x.at(0) * x.at(1) + x.at(1).square();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    /// let mut hessian = HessianOperator::new(&objective, &Array::vector([0.0, 0.0]), &[&[]])?;
    /// let top = Lanczos::default().largest(&mut hessian, 1)?;
    /// assert_eq!(format!("{:.6} {:.3}", top.value, top.vector[0] / top.vector[1]), "3.000000 -1.000");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Lanczos::eigenpairs`]; [`Error::Iteration`] for an operator of no rows.
    pub fn largest(&self, a: &mut dyn LinearOperator, seed: u64) -> Result<Eigenpair> {
        let none =
            || Error::Iteration { of: "lanczos", problem: "the operator has no rows".into() };
        self.top(a, 1, None, seed)?.into_iter().next().ok_or_else(none)
    }
}

/// The first vector: the given one, if it is one, with a little noise, since a start that is an
/// eigenvector already would never see the others.
fn first<S: Space>(space: &S, start: Option<S::Vector>, noise: S::Vector) -> Result<S::Vector> {
    let Some(mut v) = start else {
        return Ok(noise);
    };
    let length = space.norm(&v)?;
    if !(length > 0.0 && length.is_finite()) {
        return Ok(noise);
    }
    let factor = 0.01 * length / space.norm(&noise)?;
    space.add(&mut v, factor, &noise)?;
    Ok(v)
}

/// The chosen eigenpairs of the tridiagonal matrix, in the whole space.
fn assemble<S: Space>(
    krylov: &Krylov<S>,
    chosen: &[usize],
    beta: f64,
    rounding: f64,
) -> Result<Vec<Eigenpair<S::Vector>>> {
    let size = krylov.basis.len();
    let mut rows: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let values = eigenvalues(&krylov.diagonal, &krylov.off, &mut rows)?;
    let pair = |&i: &usize| {
        let factors: Vec<f64> = rows.iter().map(|row| row[i]).collect();
        let mut vector = krylov.space.combination(&factors, &krylov.basis)?;
        let length = krylov.space.norm(&vector)?;
        krylov.space.divide(&mut vector, length)?;
        let residual = beta * rows[size - 1][i].abs() + rounding;
        Ok(Eigenpair { value: values[i], vector, residual })
    };
    chosen.iter().map(pair).collect()
}
