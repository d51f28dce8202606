//! The Lanczos recurrence: an orthonormal basis in which an operator is tridiagonal.

use super::probes::not_finite;
use super::space::Space;
use super::vectors::norm;
use crate::error::Result;

/// The basis so far and the tridiagonal matrix on it, orthogonalised in full, twice (Golub and
/// Van Loan, Matrix Computations, 4th edition, section 10.3; twice is enough: Parlett, The
/// Symmetric Eigenvalue Problem, section 6.9).
#[derive(Debug)]
pub(super) struct Krylov<S: Space> {
    pub(super) space: S,
    /// The length of the vectors.
    dim: usize,
    /// Orthonormal vectors q₁, …, q_m.
    pub(super) basis: Vec<S::Vector>,
    /// qⱼᵀAqⱼ, for each that has been multiplied.
    pub(super) diagonal: Vec<f64>,
    /// qⱼᵀAqⱼ₊₁.
    pub(super) off: Vec<f64>,
    /// The root of the sum of squares of all qᵢᵀ(Aqⱼ) − Tᵢⱼ above the diagonal: 0 for a product
    /// without rounding, since A is symmetric.
    astray: f64,
    /// The longest remainder that was taken for 0.
    dropped: f64,
}

impl<S: Space> Krylov<S> {
    /// The basis of one vector, of any length but 0.
    pub(super) fn new(space: S, dim: usize, first: S::Vector) -> Result<Krylov<S>> {
        let mut krylov = Krylov {
            space,
            dim,
            basis: Vec::new(),
            diagonal: Vec::new(),
            off: Vec::new(),
            astray: 0.0,
            dropped: 0.0,
        };
        krylov.push(first)?;
        Ok(krylov)
    }

    /// Adds a vector of another length to the basis; it must be orthogonal to the others.
    pub(super) fn push(&mut self, mut v: S::Vector) -> Result<()> {
        let length = self.space.norm(&v)?;
        self.space.divide(&mut v, length)?;
        self.basis.push(v);
        Ok(())
    }

    /// The vector whose product is wanted next.
    pub(super) fn last(&self) -> &S::Vector {
        // There is a first one.
        &self.basis[self.basis.len() - 1]
    }

    /// Takes the product Aq_m, leaves of it what is orthogonal to the basis, and returns the
    /// length of that: 0 where the basis spans an invariant space.
    pub(super) fn absorb(&mut self, of: &'static str, image: &mut S::Vector) -> Result<f64> {
        let alpha = self.space.dot(self.last(), image)?;
        let mut above = self.space.orthogonalise(image, &self.basis)?;
        let beta = self.space.norm(image)?;
        if !alpha.is_finite() || !beta.is_finite() {
            return Err(not_finite(of, self.basis.len()));
        }
        above.pop();
        if let (Some(link), Some(known)) = (above.last_mut(), self.off.last()) {
            *link -= known;
        }
        self.astray = self.astray.hypot(norm(&above));
        self.diagonal.push(alpha);
        let rounding = f64::EPSILON * self.scale() * self.dim as f64;
        if beta > rounding {
            return Ok(beta);
        }
        self.dropped = self.dropped.max(beta);
        Ok(0.0)
    }

    /// How far from Tₘ the operator may be on the basis by the rounding of its products, whose
    /// relative error is `epsilon`: √n ε ‖A‖, for sums of n terms with errors of either sign; what
    /// the recurrence dropped; √n σ, where σ is the error of an element of the products, as
    /// their lack of symmetry shows it: each of the m(m − 1)/2 differences has the variance 2σ²;
    /// and the rounding of some m rotations of Tₘ itself, in double precision.
    pub(super) fn rounding(&self, epsilon: f64) -> f64 {
        let (n, m) = (self.dim as f64, self.diagonal.len() as f64);
        let sigma = if m > 1.0 { self.astray / (m * (m - 1.0)).sqrt() } else { 0.0 };
        let rotations = m * f64::EPSILON * self.scale();
        n.sqrt() * (epsilon * self.scale() + sigma) + self.dropped + rotations
    }

    /// The largest element of the tridiagonal matrix.
    pub(super) fn scale(&self) -> f64 {
        self.diagonal.iter().chain(&self.off).fold(0.0f64, |m, x| m.max(x.abs()))
    }
}
