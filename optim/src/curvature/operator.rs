//! Symmetric linear operators, given by their products with vectors.

use crate::error::{Error, Result};
use burlap_autodiff::Array;

/// A symmetric linear operator.
pub trait LinearOperator {
    /// The number of rows.
    fn dim(&self) -> usize;

    /// `out` = A `v`; both have [`dim`](LinearOperator::dim) elements.
    ///
    /// # Errors
    /// [`Error::Vector`] for other lengths, or what computing the product reports.
    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()>;

    /// `out`ᵢ = A `vectors`ᵢ for k rows of [`dim`](LinearOperator::dim) elements each, one behind
    /// the other: k products, which an operator may compute together.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator};
    /// let a = Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?;
    /// let mut a = MatrixOperator::new(&a)?;
    /// let mut out = [0.0; 6];
    /// a.apply_many(&[1.0, 0.0, 0.0, 1.0, 1.0, -1.0], &mut out)?;
    /// assert_eq!((out, a.products()), ([2.0, 1.0, 1.0, 3.0, 1.0, -2.0], 3));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Vector`] where the lengths differ or are no multiple of the dimension, or what
    /// computing a product reports.
    fn apply_many(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        let dim = self.dim();
        check_rows(dim, vectors, out)?;
        let rows = vectors.chunks_exact(dim.max(1));
        rows.zip(out.chunks_exact_mut(dim.max(1))).try_for_each(|(v, out)| self.apply(v, out))
    }

    /// How many rows [`apply_many`](LinearOperator::apply_many) computes together: who has more
    /// loses nothing by offering so many at a time.
    fn block(&self) -> usize {
        1
    }

    /// How many products have been computed.
    fn products(&self) -> usize;
}

/// Checks the lengths of one vector and its image.
pub(super) fn check_one(dim: usize, v: &[f64], out: &[f64]) -> Result<()> {
    if v.len() == dim && out.len() == dim {
        return Ok(());
    }
    Err(Error::Vector {
        of: "product".into(),
        expected: format!("{dim} elements and room for {dim}"),
        found: format!("{} and {}", v.len(), out.len()),
    })
}

/// Checks the lengths of several vectors and their images.
pub(super) fn check_rows(dim: usize, vectors: &[f64], out: &[f64]) -> Result<()> {
    // Of a dimension of 0 the only multiple is 0.
    if vectors.len() == out.len() && (vectors.is_empty() || vectors.len().is_multiple_of(dim)) {
        return Ok(());
    }
    Err(Error::Vector {
        of: "products".into(),
        expected: format!("rows of {dim} elements and room for as many"),
        found: format!("{} and {}", vectors.len(), out.len()),
    })
}

/// A dense symmetric matrix, row by row.
#[derive(Clone, Debug)]
pub struct MatrixOperator {
    elements: Vec<f64>,
    dim: usize,
    products: usize,
}

impl MatrixOperator {
    /// From an array of shape `[n, n]`.
    ///
    /// # Errors
    /// [`Error::Vector`] for another shape.
    pub fn new(matrix: &Array) -> Result<MatrixOperator> {
        match matrix.shape()[..] {
            [n, m] if n == m => {
                Ok(MatrixOperator { elements: matrix.to_f64_vec(), dim: n, products: 0 })
            }
            _ => Err(Error::Vector {
                of: "matrix".into(),
                expected: "a square matrix".into(),
                found: matrix.shape().to_string(),
            }),
        }
    }
}

impl LinearOperator for MatrixOperator {
    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        check_one(self.dim, v, out)?;
        self.products += 1;
        for (out, row) in out.iter_mut().zip(self.elements.chunks(self.dim.max(1))) {
            *out = row.iter().zip(v).map(|(a, b)| a * b).sum();
        }
        Ok(())
    }

    fn products(&self) -> usize {
        self.products
    }
}
