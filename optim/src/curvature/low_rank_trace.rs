//! Traces by Hutch++ and XTrace: exact on a low-rank part, random on what is left.

use super::LinearOperator;
use super::probes::{Estimated, Mean, Probes, at_least, each_product, multiply};
use super::vectors::{add, dot, norm, orthogonalise, orthonormal};
use crate::error::Result;

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
    let (n, before) = (a.dim(), a.products());
    let sketch = (products / 3).min(n);
    let mut s = vec![0.0; sketch * n];
    s.chunks_mut(n.max(1)).enumerate().for_each(|(i, v)| probes.fill(seed, i, v));
    let q = orthonormal(&multiply(OF, a, &s)?, n);
    let rank = q.len() / n.max(1);
    let found: f64 = rows(&q, n).zip(rows(&multiply(OF, a, &q)?, n)).map(|(q, z)| dot(q, z)).sum();
    let mut rest = Mean::default();
    if rank < n {
        let draw = |i: usize, v: &mut [f64]| {
            probes.fill(seed, sketch + i, v);
            orthogonalise(v, rows(&q, n));
        };
        each_product(OF, a, products - sketch - rank, draw, |v, image| rest.push(dot(v, image)))?;
    }
    let standard_error = if rank < n { rest.standard_error() } else { 0.0 };
    let products = a.products() - before;
    Ok(Estimated { value: found + rest.value(), standard_error, products })
}

/// tr A by XTrace (Epperly, Tropp and Webber 2024, arXiv 2301.07825), from at most `products` products:
/// half of them multiply random vectors ωᵢ, the other half a basis Q of these images. Each ωᵢ in
/// turn serves Hutchinson's estimate beside a basis made of all others, and the estimates'
/// mean is taken. The vectors are uniform on a sphere, and scaled anew to what the basis
/// leaves of them, as in section 2.3 there.
///
/// The standard error is the paper's: the spread of the k estimates over √k, as if they were
/// independent, which they nearly are. The variance is below that of Hutch++ with as many products:
/// nearly that of Hutchinson's estimate, by k, for A without its best approximation of rank k − 1.
/// Where the images span the whole space, or are dependent, as for A of rank below k, the
/// result is exact.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{MatrixOperator, xtrace};
/// // Eigenvalues 1, ½, ¼, …, whose sum is 2: 20 products, where 100 dimensions are.
/// let a = (0..10_000).map(|i| if i % 101 == 0 { 0.5f64.powi(i / 101) } else { 0.0 });
/// let mut a = MatrixOperator::new(&Array::from_vec([100, 100], a.collect())?)?;
/// let found = xtrace(&mut a, 20, 1)?;
/// assert!((found.value - 2.0).abs() < 0.02);
/// assert!(found.standard_error < 0.01);
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
    let (n, before) = (a.dim(), a.products());
    let k = (products / 2).min(n);
    let mut omega = vec![0.0; k * n];
    for (i, v) in omega.chunks_mut(n.max(1)).enumerate() {
        Probes::Gaussian.fill(seed, i, v);
        let length = norm(v);
        v.iter_mut().for_each(|x| *x *= (n as f64).sqrt() / length);
    }
    let y = multiply(OF, a, &omega)?;
    let q = orthonormal(&y, n);
    let z = multiply(OF, a, &q)?;
    let products = a.products() - before;
    let total: f64 = rows(&q, n).zip(rows(&z, n)).map(|(q, z)| dot(q, z)).sum();
    // Dependent images of random vectors span all of A's range, each of them left out or not.
    if k == n || q.len() < y.len() {
        return Ok(Estimated { value: total, standard_error: 0.0, products });
    }
    // R and QᵀAQ, column by column.
    let columns = |images: &[f64]| -> Vec<Vec<f64>> {
        rows(images, n).map(|image| rows(&q, n).map(|q| dot(q, image)).collect()).collect()
    };
    let (r, h) = (columns(&y), columns(&z));
    let estimates = (0..k).map(|i| {
        // Leaving out yᵢ leaves out of span Q the direction Qs orthogonal to all other images.
        let s = left_out(&r, i);
        let hs: Vec<f64> = h.iter().map(|column| dot(column, &s)).collect();
        let lost = dot(&s, &hs);
        // What Q leaves of ωᵢ, its image, and what is along Qs.
        let (mut rest, mut image) = (rows(&omega, n).nth(i).unwrap_or(&[]).to_vec(), vec![]);
        image.extend(rows(&y, n).nth(i).unwrap_or(&[]));
        let w: Vec<f64> = rows(&q, n).map(|q| dot(q, &rest)).collect();
        orthogonalise(&mut rest, rows(&q, n));
        rows(&z, n).zip(&w).for_each(|(z, w)| add(&mut image, -w, z));
        let along = dot(&s, &w);
        let image_along: f64 = rows(&q, n).zip(&s).map(|(q, s)| s * dot(q, &image)).sum();
        let form = dot(&rest, &image) + along * (2.0 * image_along + along * lost);
        let square = dot(&rest, &rest) + along * along;
        total - lost + (n - k + 1) as f64 * form / square
    });
    let mean: Mean = estimates.collect();
    Ok(Estimated { value: mean.value(), standard_error: mean.standard_error(), products })
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
