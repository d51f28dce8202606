//! Batches in parts: what is linear in the loss, averaged over parts by their sizes.

use crate::error::{Result, positive_count};
use crate::objective::Objective;
use burlap_autodiff::{Array, DType, Element, Program};
use std::rc::Rc;

/// A part of a batch, and its share of the examples.
pub(crate) type Part = (Vec<Array>, f64);

/// The number of examples: the leading axis of a batch's first array.
pub(crate) fn examples(batch: &[Array]) -> Option<usize> {
    batch.first()?.shape().first().copied()
}

/// The examples of the given numbers. An array without an axis of examples stays whole.
pub(crate) fn take(batch: &[Array], indices: &[usize]) -> Result<Vec<Array>> {
    fn rows<T: Element>(array: &Array, indices: &[usize]) -> Result<Array> {
        let width = array.len() / array.shape()[0];
        let from = array.as_slice::<T>()?;
        let values: Vec<T> =
            indices.iter().flat_map(|i| &from[i * width..][..width]).copied().collect();
        let mut shape = array.shape().to_vec();
        shape[0] = indices.len();
        Ok(Array::from_vec(&shape[..], values)?)
    }
    let count = examples(batch);
    let one = |array: &Array| match array.shape().first() {
        Some(&n) if Some(n) == count && n > 0 => match array.dtype() {
            DType::F32 => rows::<f32>(array, indices),
            DType::F64 => rows::<f64>(array, indices),
            DType::U32 => rows::<u32>(array, indices),
            DType::Bool => rows::<bool>(array, indices),
        },
        _ => Ok(array.clone()),
    };
    batch.iter().map(one).collect()
}

/// Parts of at most `size` examples, in their order; the batch itself where it is no longer.
pub(crate) fn split(batch: &[Array], size: usize) -> Result<Vec<Part>> {
    let Some(n) = examples(batch).filter(|n| *n > size) else {
        return Ok(vec![(batch.to_vec(), 1.0)]);
    };
    let part = |first: usize| {
        let indices: Vec<usize> = (first..n.min(first + size)).collect();
        Ok((take(batch, &indices)?, indices.len() as f64 / n as f64))
    };
    (0..n).step_by(size).map(part).collect()
}

/// `sums` += `share` · `parts`, element by element; begins with zeros where there are none.
/// Arrays that hold no floating-point numbers are those of the last part.
pub(crate) fn add_share(sums: &mut Vec<Array>, share: f64, parts: Vec<Array>) -> Result<()> {
    if sums.is_empty() {
        sums.extend(parts.iter().map(|p| Array::zeros(p.dtype(), p.shape().clone())));
    }
    for (sum, part) in sums.iter_mut().zip(parts) {
        match part.dtype() {
            DType::F64 => {
                let sum = sum.as_mut_slice::<f64>()?;
                sum.iter_mut().zip(part.as_slice::<f64>()?).for_each(|(s, p)| *s += share * p);
            }
            DType::F32 => {
                let part = part.as_slice::<f32>()?;
                let sum = sum.as_mut_slice::<f32>()?;
                sum.iter_mut().zip(part).for_each(|(s, p)| *s += (share * f64::from(*p)) as f32);
            }
            _ => *sum = part,
        }
    }
    Ok(())
}

impl Objective {
    /// Evaluates batches in pieces of at most so many examples, one after the other, and
    /// averages by their sizes: gradient accumulation, in the memory of one piece. Losses,
    /// gradients, Hessian-vector products, curvatures and their gradients are those of the whole
    /// batch up to rounding, for losses that are means over examples; every method perturbs
    /// by the gradient of the whole batch.
    ///
    /// The leading axis of a batch's first array counts the examples. Arrays whose leading axis
    /// is another, such as the key of a random mask, go to each piece as they are.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |x: Var, batch: &[Var]| (x.at(0) * batch[0]).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_pieces(2)?;
    /// let batch = [Array::vector([1.0, 2.0, 4.0])];
    /// let (loss, gradient) = objective.value_grad(&Array::vector([1.0]), &batch)?;
    /// assert!((loss - 7.0).abs() < 1e-14);
    /// assert_eq!(gradient.to_string(), "[14]");
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a size of 0.
    pub fn with_pieces(mut self, size: usize) -> Result<Objective> {
        positive_count("objective", "the size of pieces", size)?;
        self.piece = Some(size);
        Ok(self)
    }

    /// Whether a batch is evaluated in one piece.
    pub(crate) fn is_whole(&self, batch: &[Array]) -> bool {
        self.piece.is_none_or(|size| examples(batch).is_none_or(|n| n <= size))
    }

    /// The pieces of a batch.
    pub(crate) fn pieces(&self, batch: &[Array]) -> Result<Vec<Part>> {
        split(batch, self.piece.unwrap_or(usize::MAX))
    }

    /// Runs a program whose outputs are linear in the loss, of which the first is a finite
    /// scalar, piece by piece, and averages.
    pub(crate) fn averaged(
        &self,
        of: &str,
        x: &Array,
        batch: &[Array],
        rest: &[&Array],
        program: impl Fn(&[Array]) -> Result<Rc<Program>>,
    ) -> Result<(f64, Vec<Array>)> {
        if self.is_whole(batch) {
            return self.run_checked(of, &*program(batch)?, x, batch, rest);
        }
        let (mut first, mut sums) = (0.0, Vec::new());
        for (piece, share) in self.pieces(batch)? {
            let (value, outputs) = self.run_checked(of, &*program(&piece)?, x, &piece, rest)?;
            first += share * value;
            add_share(&mut sums, share, outputs)?;
        }
        Ok((first, sums))
    }
}
