//! Traces by Hutch++ and XTrace: exact on a low-rank part, random on what is left.

use super::LinearOperator;
use super::probes::{Estimated, Mean, Probes, each_product, multiply};
use super::vectors::{add, dot, norm, orthogonalise, orthonormal};
use crate::error::{Result, at_least};

const PRODUCTS: &str = "the number of products";

/// tr A by Hutch++ (Meyer, Musco, Musco and Woodruff 2021, arXiv 2010.09649), from at most `products`
/// products: a third finds a basis Q of A's largest part, a third makes tr QᵀAQ of it, and
/// Hutchinson's estimate on the rest gives tr (I − QQᵀ)A(I − QQᵀ) and the standard error.
///
/// Given Q, the variance is that of [`trace`](super::trace) for the matrix
/// (I − QQᵀ)A(I − QQᵀ) with the last third of the products. For a positive semidefinite A the
/// relative error falls as 1/products, that of Hutchinson's estimate as 1/√products. Where Q
/// spans the whole space the result is exact.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{MatrixOperator, Probes, hutch_pp};
/// // uuᵀ of rank 1: no error but rounding.
/// let u: Vec<f64> = (1..=10).map(f64::from).collect();
/// let a = u.iter().flat_map(|x| u.iter().map(move |y| x * y)).collect();
/// let mut a = MatrixOperator::new(&Array::from_vec([10, 10], a)?)?;
/// let found = hutch_pp(&mut a, Probes::Rademacher, 12, 1)?;
/// assert_eq!(found.to_string(), "385.0000 ± 0.0000");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for fewer than 3 products,
/// [`Error::Iteration`](crate::Error::Iteration) when a product is not finite, or what the operator
/// reports.
pub fn hutch_pp(
    a: &mut dyn LinearOperator,
    probes: Probes,
    products: usize,
    seed: u64,
) -> Result<Estimated> {
    const OF: &str = "Hutch++";
    at_least(OF, PRODUCTS, products, (3, "at least 3"))?;
    let (n, before) = (a.dim(), a.num_matvecs());
    let sketch = (products / 3).min(n);
    let mut s = vec![0.0; sketch * n];
    s.chunks_mut(n.max(1)).enumerate().for_each(|(i, v)| probes.fill(seed, i, v));
    let q = orthonormal(&multiply(OF, a, &s, 0)?, n);
    let rank = q.len() / n.max(1);
    let z = multiply(OF, a, &q, sketch)?;
    let found: f64 = rows(&q, n).zip(rows(&z, n)).map(|(q, z)| dot(q, z)).sum();
    let (mut rest, before_rest) = (Mean::default(), sketch + rank);
    if rank < n {
        let draw = |i: usize, v: &mut [f64]| {
            probes.fill(seed, sketch + i, v);
            orthogonalise(v, rows(&q, n));
        };
        let counts = (before_rest, products - before_rest);
        each_product(OF, a, counts, draw, |v, image| rest.push(dot(v, image)))?;
    }
    let standard_error = if rank < n { rest.standard_error() } else { 0.0 };
    let num_matvecs = a.num_matvecs() - before;
    Ok(Estimated { value: found + rest.value(), standard_error, num_matvecs })
}

/// tr A by XTrace (Epperly, Tropp and Webber 2024, arXiv 2301.07825), from at most `products` products:
/// half of them multiply k random vectors ωᵢ, the other half a basis Q of these images. Each ωᵢ in
/// turn serves Hutchinson's estimate beside a basis made of all other images, and the
/// estimates' mean is taken. The vectors are uniform on a sphere, and scaled anew to what the basis
/// leaves of them, as the paper improves it.
///
/// The variance is about that of Hutchinson's estimate with k probes for A without its best
/// approximation of rank k − 1. The standard error takes no further products. With X_j the estimate
/// by ω_j and X_j∖i the same beside a basis without ω_i too, the variance of the mean is
/// Var(X)/k + (k − 1)/k Cov(X_i, X_j), of which the spread of the X_j shows the first part without
/// (1/k) Cov, and
///
/// Cov(X_i, X_j) = E (X_i − X_i∖j)(X_j − X_j∖i)
///
/// the rest: given all other vectors, X_j and X_j∖i both have the mean tr A, so that of the four
/// products of X_i = X_i∖j + (X_i − X_i∖j) and its like three have the mean (tr A)² or 0. Hence
/// s²/k plus the mean of that product over all pairs is an unbiased estimate of the variance;
/// a negative mean counts as 0. The paper's own error, √(s²/k), leaves the covariance out, which
/// estimates that share most of their basis have; the jackknife's (Epperly and Tropp,
/// arXiv 2207.06342) is that of k − 1 vectors and more, too large where each of them counts.
///
/// Where the images span the whole space, or are dependent, as for A of rank below k, the
/// result is exact. k³ host operations come beside those with k vectors.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{MatrixOperator, xtrace};
/// // Eigenvalues 1, ½, ¼, …, whose sum is 2: 20 products, where 100 dimensions are.
/// let a = (0..10_000).map(|i| if i % 101 == 0 { 0.5f64.powi(i / 101) } else { 0.0 });
/// let mut a = MatrixOperator::new(&Array::from_vec([100, 100], a.collect())?)?;
/// let found = xtrace(&mut a, 20, 1)?;
/// assert_eq!(format!("{:.2}", found.value), "2.00");
/// assert!((found.value - 2.0).abs() < 3.0 * found.standard_error);
/// assert!(found.standard_error < 0.02);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for fewer than 2 products,
/// [`Error::Iteration`](crate::Error::Iteration) when a product is not finite, or what the operator
/// reports.
pub fn xtrace(a: &mut dyn LinearOperator, products: usize, seed: u64) -> Result<Estimated> {
    const OF: &str = "XTrace";
    at_least(OF, PRODUCTS, products, (2, "at least 2"))?;
    let (n, before) = (a.dim(), a.num_matvecs());
    let k = (products / 2).min(n);
    let mut omega = vec![0.0; k * n];
    for (i, v) in omega.chunks_mut(n.max(1)).enumerate() {
        Probes::Gaussian.fill(seed, i, v);
        let length = norm(v);
        v.iter_mut().for_each(|x| *x *= (n as f64).sqrt() / length);
    }
    let y = multiply(OF, a, &omega, 0)?;
    let q = orthonormal(&y, n);
    let z = multiply(OF, a, &q, k)?;
    let num_matvecs = a.num_matvecs() - before;
    let total: f64 = rows(&q, n).zip(rows(&z, n)).map(|(q, z)| dot(q, z)).sum();
    // Dependent images of random vectors span all of A's range, each of them left out or not.
    if k == n || q.len() < y.len() {
        return Ok(Estimated { value: total, standard_error: 0.0, num_matvecs });
    }
    let parts = Parts::new(n, &omega, &y, &q, &z);
    let alone: Vec<f64> = (0..k).map(|j| parts.estimate(n, total, j, j)).collect();
    let mean: Mean = alone.iter().copied().collect();
    // What ωᵢ in the basis does to the estimate by ωⱼ.
    let gain = |i: usize, j: usize| alone[j] - parts.estimate(n, total, i, j);
    let covariance: Mean =
        (0..k).flat_map(|j| (0..j).map(move |i| gain(i, j) * gain(j, i))).collect();
    let variance = mean.standard_error().powi(2) + covariance.value().max(0.0);
    Ok(Estimated { value: mean.value(), standard_error: variance.sqrt(), num_matvecs })
}

/// What the estimates beside a basis Q with vectors left out are made of, all in coordinates of
/// Q. To leave out yᵢ is to leave out of span Q the direction sᵢ orthogonal to all other images.
struct Parts {
    /// sᵢ and QᵀAQ sᵢ.
    s: Vec<Vec<f64>>,
    hs: Vec<Vec<f64>>,
    /// Of each ωⱼ, what is along Q: w = Qᵀω; and of the rest r = ω − Qw: QᵀAr, rᵀAr and ‖r‖².
    along: Vec<Vec<f64>>,
    image: Vec<Vec<f64>>,
    form: Vec<f64>,
    square: Vec<f64>,
}

impl Parts {
    fn new(n: usize, omega: &[f64], y: &[f64], q: &[f64], z: &[f64]) -> Parts {
        let coordinates = |v: &[f64]| -> Vec<f64> { rows(q, n).map(|q| dot(q, v)).collect() };
        let (r, h): (Vec<_>, Vec<_>) =
            rows(y, n).map(coordinates).zip(rows(z, n).map(coordinates)).unzip();
        let s: Vec<Vec<f64>> = (0..r.len()).map(|i| left_out(&r, i)).collect();
        let hs = s.iter().map(|s| h.iter().map(|column| dot(column, s)).collect()).collect();
        let (along, image, form, square) = (vec![], vec![], vec![], vec![]);
        let mut parts = Parts { s, hs, along, image, form, square };
        for (omega, y) in rows(omega, n).zip(rows(y, n)) {
            let (w, mut rest, mut image) = (coordinates(omega), omega.to_vec(), y.to_vec());
            orthogonalise(&mut rest, rows(q, n));
            rows(z, n).zip(&w).for_each(|(z, w)| add(&mut image, -w, z));
            parts.along.push(w);
            parts.image.push(coordinates(&image));
            parts.form.push(dot(&rest, &image));
            parts.square.push(dot(&rest, &rest));
        }
        parts
    }

    /// The estimate by ωⱼ beside the basis of all images but i and j, `total` being tr QᵀAQ.
    fn estimate(&self, n: usize, total: f64, i: usize, j: usize) -> f64 {
        let along = |u: &[f64]| (dot(u, &self.along[j]), dot(u, &self.image[j]));
        let (u, hu) = (&self.s[j], &self.hs[j]);
        let (a, b) = along(u);
        let mut lost = dot(u, hu);
        let mut form = self.form[j] + a * (2.0 * b + a * lost);
        let mut square = self.square[j] + a * a;
        let left = n - self.s.len() + 1;
        if i != j {
            // A second direction, of sᵢ what is orthogonal to sⱼ.
            let part = dot(u, &self.s[i]);
            let (mut v, mut hv) = (self.s[i].clone(), self.hs[i].clone());
            add(&mut v, -part, u);
            add(&mut hv, -part, hu);
            let length = norm(&v);
            v.iter_mut().chain(&mut hv).for_each(|x| *x /= length);
            let (c, d) = along(&v);
            let own = dot(&v, &hv);
            lost += own;
            form += c * (2.0 * d + c * own + 2.0 * a * dot(&v, hu));
            square += c * c;
            return total - lost + (left + 1) as f64 * form / square;
        }
        total - lost + left as f64 * form / square
    }
}

fn rows(all: &[f64], dim: usize) -> std::slice::ChunksExact<'_, f64> {
    all.chunks_exact(dim.max(1))
}

/// The unit vector orthogonal to all columns of an upper triangular matrix but number i: a
/// multiple of column i of its inverse transposed.
fn left_out(r: &[Vec<f64>], i: usize) -> Vec<f64> {
    let mut s = vec![0.0; r.len()];
    s[i] = 1.0;
    for j in i + 1..r.len() {
        s[j] = -dot(&r[j][i..j], &s[i..j]) / r[j][j];
    }
    let length = norm(&s);
    s.iter_mut().for_each(|x| *x /= length);
    s
}
