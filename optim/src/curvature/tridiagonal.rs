//! Eigenvalues of symmetric tridiagonal matrices.

use crate::error::{Error, Result};

/// The eigenvalues of the symmetric tridiagonal matrix with this diagonal and the elements `off`
/// beside it, ascending, by QR steps with Wilkinson's shift (Golub and Van Loan, Matrix
/// Computations, 4th edition, section 8.3). Each of `rows` is multiplied by the orthogonal matrix
/// whose columns are the eigenvectors: the rows of the identity become the rows of this matrix, and
/// a single one of them costs a square, not a cube, of the size.
pub(super) fn eigenvalues(
    diagonal: &[f64],
    off: &[f64],
    rows: &mut [Vec<f64>],
) -> Result<Vec<f64>> {
    let mut d = diagonal.to_vec();
    let mut e = off[..d.len().saturating_sub(1)].to_vec();
    let mut last = e.len();
    // Two or three steps an eigenvalue are usual.
    let mut left = 60 * d.len();
    while last > 0 {
        for i in 0..last {
            if e[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs()) {
                e[i] = 0.0;
            }
        }
        if e[last - 1] == 0.0 {
            last -= 1;
            continue;
        }
        let first = (0..last).rev().find(|&i| e[i] == 0.0).map_or(0, |i| i + 1);
        left -= 1;
        if left == 0 {
            let problem = "eigenvalues of the tridiagonal matrix did not converge".into();
            return Err(Error::Iteration { of: "lanczos", problem });
        }
        step(&mut d, &mut e, first, last, rows);
    }
    let mut order: Vec<usize> = (0..d.len()).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    for row in rows {
        *row = order.iter().map(|&i| row[i]).collect();
    }
    Ok(order.iter().map(|&i| d[i]).collect())
}

/// One QR step on the block `first..=last`: rotations that chase an element off the three
/// diagonals down.
fn step(d: &mut [f64], e: &mut [f64], first: usize, last: usize, rows: &mut [Vec<f64>]) {
    // The eigenvalue of the last 2 × 2 block that is nearer to its last element.
    let beside = e[last - 1];
    let half = 0.5 * (d[last - 1] - d[last]) / beside;
    let shift = d[last] - beside / (half + half.hypot(1.0).copysign(half));
    let (mut x, mut z) = (d[first] - shift, e[first]);
    for k in first..last {
        let r = x.hypot(z);
        let (c, s) = if r > 0.0 { (x / r, z / r) } else { (1.0, 0.0) };
        if k > first {
            e[k - 1] = r;
        }
        let (a, b, g) = (d[k], e[k], d[k + 1]);
        d[k] = c * c * a + 2.0 * c * s * b + s * s * g;
        d[k + 1] = s * s * a - 2.0 * c * s * b + c * c * g;
        e[k] = c * s * (g - a) + (c * c - s * s) * b;
        if k + 1 < last {
            (x, z) = (e[k], s * e[k + 1]);
            e[k + 1] *= c;
        }
        for row in &mut *rows {
            (row[k], row[k + 1]) = (c * row[k] + s * row[k + 1], c * row[k + 1] - s * row[k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::eigenvalues;
    use nalgebra::{DMatrix, SymmetricEigen};

    fn identity(n: usize) -> Vec<Vec<f64>> {
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect()
    }

    #[test]
    fn they_are_those_of_the_dense_matrix_and_the_vectors_diagonalise_it() {
        // Links of 0, of rounding and of other sizes; elements of very different sizes.
        let links = [0.0, 1e-17, 1e-9, 0.3, 2.0];
        for n in 1..40 {
            for scale in [1.0, 1e150, 1e-150] {
                let size = |i: usize| scale * 10f64.powi(-((i % 4) as i32));
                let diagonal: Vec<f64> = (0..n).map(|i| (i as f64 * 1.7).sin() * size(i)).collect();
                let off: Vec<f64> = (1..n).map(|i| links[i * i % 5] * size(i)).collect();
                let t = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
                    0 => diagonal[i],
                    1 => off[i.min(j)],
                    _ => 0.0,
                });
                let mut rows = identity(n);
                let found = eigenvalues(&diagonal, &off, &mut rows).unwrap_or_default();
                assert!(found.is_sorted());
                let mut expected =
                    SymmetricEigen::new(t.clone() / scale).eigenvalues.as_slice().to_vec();
                expected.sort_by(f64::total_cmp);
                assert_eq!(found.len(), n);
                for (a, b) in found.iter().zip(&expected) {
                    // Rounding of n rotations, each of 1e-16 of the norm, which is below 5.
                    assert!((a / scale - b).abs() < 1e-14 * (n as f64 + 5.0), "{n}: {a} {b}");
                }
                let z = DMatrix::from_fn(n, n, |i, j| rows[i][j]);
                let d = DMatrix::from_fn(n, n, |i, j| if i == j { found[i] / scale } else { 0.0 });
                assert!((&z * d * z.transpose() - t / scale).amax() < 1e-13, "{n}");
                assert!((z.transpose() * &z - DMatrix::identity(n, n)).amax() < 1e-13, "{n}");
            }
        }
    }
}
