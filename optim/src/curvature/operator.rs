//! Symmetric linear operators, given by their products with vectors.

use super::algebra::{Affine, Observed, Restricted, Sum};
use crate::error::{Error, Result};
use burlap_autodiff::Array;
use std::ops::Range;

/// A symmetric linear operator.
///
/// Operators are composed by [`scaled`](LinearOperator::scaled), [`shifted`](LinearOperator::shifted),
/// [`plus`](LinearOperator::plus) and [`restricted`](LinearOperator::restricted), which take
/// them by value; a mutable reference to an operator is one too, for those that are needed afterwards.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_optim::curvature::{LinearOperator, MatrixOperator};
/// let mut a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
/// // ½A + 10 I
/// let mut b = (&mut a).scaled(0.5)?.shifted(10.0)?;
/// let mut out = [0.0; 2];
/// b.apply(&[1.0, 0.0], &mut out)?;
/// assert_eq!((out, a.num_matvecs()), ([11.0, 0.5], 1));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
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
    /// a.matmat(&[1.0, 0.0, 0.0, 1.0, 1.0, -1.0], &mut out)?;
    /// assert_eq!((out, a.num_matvecs()), ([2.0, 1.0, 1.0, 3.0, 1.0, -2.0], 3));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Vector`] where the lengths differ or are no multiple of the dimension, or what
    /// computing a product reports.
    fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        let dim = self.dim();
        check_rows(dim, vectors, out)?;
        let rows = vectors.chunks_exact(dim.max(1));
        rows.zip(out.chunks_exact_mut(dim.max(1))).try_for_each(|(v, out)| self.apply(v, out))
    }

    /// The block size: the number of vectors that [`matmat`](LinearOperator::matmat) multiplies at
    /// once; larger inputs are split.
    fn block(&self) -> usize {
        1
    }

    /// The relative rounding error of a product's elements: what is smaller, beside the largest
    /// eigenvalue, cannot be told from zero.
    fn epsilon(&self) -> f64 {
        f64::EPSILON
    }

    /// The number of products computed so far, of the operators that this one consists of: a product
    /// with a sum of two counts as two.
    fn num_matvecs(&self) -> usize;

    /// c A.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator};
    /// let a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
    /// let mut out = [0.0; 2];
    /// a.scaled(-2.0)?.apply(&[0.0, 1.0], &mut out)?;
    /// assert_eq!(out, [-2.0, -6.0]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a factor that is not finite.
    fn scaled(self, factor: f64) -> Result<Affine<Self>>
    where
        Self: Sized,
    {
        Affine::scaled(self, factor)
    }

    /// A + c I.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator};
    /// let a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
    /// let mut out = [0.0; 2];
    /// a.shifted(0.5)?.apply(&[0.0, 1.0], &mut out)?;
    /// assert_eq!(out, [1.0, 3.5]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a shift that is not finite.
    fn shifted(self, shift: f64) -> Result<Affine<Self>>
    where
        Self: Sized,
    {
        Affine::shifted(self, shift)
    }

    /// A + B.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator};
    /// let a = MatrixOperator::new(&Array::from_vec([2, 2], vec![2.0, 1.0, 1.0, 3.0])?)?;
    /// let b = MatrixOperator::new(&Array::from_vec([2, 2], vec![0.0, 5.0, 5.0, 0.0])?)?;
    /// let mut sum = a.plus(b)?;
    /// let mut out = [0.0; 2];
    /// sum.apply(&[0.0, 1.0], &mut out)?;
    /// assert_eq!((out, sum.num_matvecs()), ([6.0, 3.0], 2));
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Vector`] for another number of rows.
    fn plus<B: LinearOperator>(self, other: B) -> Result<Sum<Self, B>>
    where
        Self: Sized,
    {
        Sum::new(self, other)
    }

    /// The principal submatrix of the rows and columns in a range: of a curvature, the block of a
    /// layer. A product is one with the whole operator.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// use burlap_optim::curvature::{HessianOperator, LinearOperator};
    /// let loss = |x: Var, _: &[Var]| x.at(0) * x.at(1) * x.at(2) + x.at(2).square();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 3, loss);
    /// let hessian = HessianOperator::new(&objective, &Array::vector([1.0, 2.0, 3.0]), &[&[]])?;
    /// // ∂²L/∂x₁∂x₂ = x₀, ∂²L/∂x₂² = 2.
    /// let mut layer = hessian.restricted(1..3)?;
    /// let mut out = [0.0; 2];
    /// layer.apply(&[0.0, 1.0], &mut out)?;
    /// assert_eq!(out, [1.0, 2.0]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`restricted_to`](LinearOperator::restricted_to).
    fn restricted(self, range: Range<usize>) -> Result<Restricted<Self>>
    where
        Self: Sized,
    {
        self.restricted_to(std::iter::once(range))
    }

    /// The principal submatrix of the rows and columns in several ranges, in the order given:
    /// of a curvature, the block of several layers.
    ///
    /// ```
    /// use burlap_autodiff::Array;
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator};
    /// let a = vec![1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 5.0, 6.0];
    /// let a = MatrixOperator::new(&Array::from_vec([3, 3], a)?)?;
    /// let mut out = [0.0; 2];
    /// a.restricted_to([2..3, 0..1])?.apply(&[1.0, 0.0], &mut out)?;
    /// assert_eq!(out, [6.0, 3.0]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for a range that ends before it begins or beyond the last row, or for
    /// ranges that share a row.
    fn restricted_to(
        self,
        ranges: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<Restricted<Self>>
    where
        Self: Sized,
    {
        Restricted::new(self, ranges.into_iter().collect())
    }

    /// The same operator, which tells of its progress: `report` is given the number of
    /// products that have been asked for so far, after each block of them. What each algorithm asks
    /// for altogether is written there.
    ///
    /// ```
    /// use burlap_autodiff::{Array, DType};
    /// use burlap_optim::curvature::{LinearOperator, MatrixOperator, Probes, trace};
    /// let a = MatrixOperator::new(&Array::eye(DType::F64, 3))?;
    /// let mut done = 0;
    /// trace(&mut a.observed(|products| done = products), Probes::Rademacher, 20, 1)?;
    /// assert_eq!(done, 20);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    fn observed<F: FnMut(usize)>(self, report: F) -> Observed<Self, F>
    where
        Self: Sized,
    {
        Observed::new(self, report)
    }
}

/// An operator by reference or in a box is one.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<A: LinearOperator + ?Sized> LinearOperator for $pointer {
            fn dim(&self) -> usize {
                (**self).dim()
            }

            fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
                (**self).apply(v, out)
            }

            fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
                (**self).matmat(vectors, out)
            }

            fn block(&self) -> usize {
                (**self).block()
            }

            fn epsilon(&self) -> f64 {
                (**self).epsilon()
            }

            fn num_matvecs(&self) -> usize {
                (**self).num_matvecs()
            }
        }
    )*};
}

forward!(&mut A, Box<A>);

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
    num_matvecs: usize,
}

impl MatrixOperator {
    /// From an array of shape `[n, n]`.
    ///
    /// # Errors
    /// [`Error::Vector`] for another shape.
    pub fn new(matrix: &Array) -> Result<MatrixOperator> {
        match matrix.shape()[..] {
            [n, m] if n == m => {
                Ok(MatrixOperator { elements: matrix.to_f64_vec(), dim: n, num_matvecs: 0 })
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
        self.num_matvecs += 1;
        for (out, row) in out.iter_mut().zip(self.elements.chunks(self.dim.max(1))) {
            *out = row.iter().zip(v).map(|(a, b)| a * b).sum();
        }
        Ok(())
    }

    fn num_matvecs(&self) -> usize {
        self.num_matvecs
    }
}
