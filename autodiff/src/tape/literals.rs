//! Numbers that the tape makes itself, of sizes that come from outside.

use super::TapeData;
use crate::error::{At, Error, Result};
use crate::graph::NodeId;
use crate::{Array, DType, Shape};

/// Bytes of a literal that the tape makes itself, at most: 1 GiB.
const LARGEST_LITERAL: usize = 1 << 30;

impl TapeData {
    /// The indices 0, 1, …, n − 1.
    pub(crate) fn iota(&mut self, n: usize, op: &'static str, at: At) -> Result<NodeId> {
        if n > u32::MAX as usize {
            return Err(Error::Parameter {
                op,
                problem: format!("{n} indices do not fit u32"),
                at,
            });
        }
        let mut indices = Self::room(DType::U32, Shape::from(n), op, at)?;
        indices.as_mut_slice::<u32>()?.iter_mut().zip(0..).for_each(|(to, i)| *to = i);
        Ok(self.literal(indices, at))
    }

    /// The identity matrix.
    pub(crate) fn eye(
        &mut self,
        n: usize,
        dtype: DType,
        op: &'static str,
        at: At,
    ) -> Result<NodeId> {
        let mut eye = Self::room(dtype, Shape::from([n, n]), op, at)?;
        eye.fill_diagonal();
        Ok(self.literal(eye, at))
    }

    /// Room for numbers that the tape makes itself, and keeps.
    fn room(dtype: DType, shape: Shape, op: &'static str, at: At) -> Result<Array> {
        let bytes = shape.count().saturating_mul(dtype.size());
        if bytes <= LARGEST_LITERAL
            && let Ok(array) = Array::allocate(dtype, shape.clone())
        {
            return Ok(array);
        }
        let problem = format!(
            "it records the literal {dtype}{shape}, of {bytes} bytes; there is memory for at most \
             {LARGEST_LITERAL}"
        );
        Err(Error::Parameter { op, problem, at })
    }
}
