//! Algebra of host vectors: little beside the products, in doubles, in one order.

/// aᵀb.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums beside one another, which a processor adds at a time.
    let mut sums = [0.0; 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `to` += `factor` · `from`.
pub(super) fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += factor * f);
}

/// ‖v‖, also where squares overflow or underflow.
pub(crate) fn norm(v: &[f64]) -> f64 {
    let square = dot(v, v);
    if square.is_normal() && square < f64::MAX {
        return square.sqrt();
    }
    let largest = v.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() || v.iter().any(|x| x.is_nan()) {
        return square.sqrt();
    }
    largest * v.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
}

/// Takes from `v` its parts along orthonormal vectors, twice, so that rounding leaves nothing
/// of them. Returns the parts.
pub(super) fn orthogonalise<'a>(
    v: &mut [f64],
    basis: impl Iterator<Item = &'a [f64]> + Clone,
) -> Vec<f64> {
    let mut take = |b: &[f64]| {
        let part = dot(b, v);
        add(v, -part, b);
        part
    };
    let parts = basis.clone().map(&mut take).collect();
    basis.for_each(|b| {
        take(b);
    });
    parts
}

/// Orthonormal vectors that span rows of `dim` elements, made of them in their order. A row that
/// lies in the span of those before it up to rounding adds none.
pub(super) fn orthonormal(rows: &[f64], dim: usize) -> Vec<f64> {
    let dim = dim.max(1);
    let mut basis: Vec<f64> = Vec::with_capacity(rows.len());
    for row in rows.chunks_exact(dim) {
        let mut v = row.to_vec();
        orthogonalise(&mut v, basis.chunks_exact(dim));
        let length = norm(&v);
        // A row's rounding grows with the number of terms of the sums that made it.
        if length > 1e-14 * (dim as f64).sqrt() * norm(row) {
            v.iter_mut().for_each(|x| *x /= length);
            // What was left of a nearly dependent row was rounded: orthogonal only now.
            orthogonalise(&mut v, basis.chunks_exact(dim));
            let length = norm(&v);
            v.iter_mut().for_each(|x| *x /= length);
            basis.extend(v);
        }
    }
    basis
}
