//! Symmetric linear operators, given by their products with vectors.

use crate::error::{Error, Result};
use crate::objective::Objective;
use burlap_autodiff::{Array, Bound};

/// A symmetric linear operator.
pub trait LinearOperator {
    /// The number of rows.
    fn dim(&self) -> usize;

    /// `out` = A `v`; both have [`dim`](LinearOperator::dim) elements.
    ///
    /// # Errors
    /// What computing the product reports.
    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()>;

    /// How many products have been computed.
    fn products(&self) -> usize;
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

/// The Hessian ∇²L(x) of an objective, averaged over batches by their sizes. The primal work
/// is done once; each product is exact.
#[derive(Debug)]
pub struct HessianOperator {
    parts: Vec<(Bound, f64)>,
    dim: usize,
    like: Array,
    outputs: Vec<Array>,
    products: usize,
}

impl HessianOperator {
    /// At the point x, over batches. A batch's weight is the first size of its first array
    /// (1 where there is none).
    ///
    /// # Errors
    /// What compiling and running report; [`Error::NonFiniteLoss`].
    pub fn new(objective: &Objective, x: &Array, batches: &[&[Array]]) -> Result<HessianOperator> {
        objective.check_vector("hessian", x)?;
        if batches.is_empty() {
            return Err(Error::Setting {
                of: "hessian".into(),
                name: "the number of batches",
                value: "0".into(),
                expected: "at least 1 (an empty one, for a loss without data)",
            });
        }
        let size = |batch: &[Array]| {
            batch.first().and_then(|a| a.shape().first().copied()).unwrap_or(1).max(1) as f64
        };
        let total: f64 = batches.iter().map(|b| size(b)).sum();
        let mut parts = Vec::with_capacity(batches.len());
        for batch in batches {
            let program = objective.program("hessian-vector product alone", batch, |r| {
                let v = r.vector("v");
                vec![r.loss(r.x).hvp(r.x, v)]
            })?;
            objective.value(x, batch)?;
            let leading: Vec<&Array> = std::iter::once(x).chain(batch.iter()).collect();
            parts.push((program.bind(&leading)?, size(batch) / total));
        }
        let like = Array::zeros(objective.dtype(), [objective.dim()]);
        Ok(HessianOperator {
            parts,
            dim: objective.dim(),
            outputs: vec![like.clone()],
            like,
            products: 0,
        })
    }
}

impl LinearOperator for HessianOperator {
    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.products += 1;
        self.like.fill_from_f64(v);
        out.fill(0.0);
        for (bound, weight) in &self.parts {
            bound.run_into(&[&self.like], &mut self.outputs)?;
            for (out, h) in out.iter_mut().zip(self.outputs[0].to_f64_vec()) {
                *out += weight * h;
            }
        }
        Ok(())
    }

    fn products(&self) -> usize {
        self.products
    }
}
