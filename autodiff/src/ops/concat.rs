//! Values side by side.

use super::batching::{Batched, Batching};
use super::example::{
    Example, Examples,
    Sample::{Mask, Real},
    example,
};
use super::plain::{Operands, flat, positions};
use super::primitive::{Fact, Linear, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::Concat;
use crate::tape::{Tape, Var, record_many, with_tape};
use crate::work::Lowering;
use crate::{DType, Shape};

impl Primitive for Concat {
    fn derivative(&self) -> Fact<'_> {
        Fact::Linear(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(Concat(self.0 + 1))
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (axis, out) = (self.0 as usize, &of.node.shape);
        let mut result = vec![0.0; out.count()];
        let mut start = 0;
        for i in 0..of.node.args.len() {
            for (mut p, &x) in positions(of.shape(i)).zip(of.value(i)) {
                p[axis] += start;
                result[flat(out, &p)] = x;
            }
            start += of.shape(i)[axis];
        }
        Ok(result)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::SideBySide(self.0 as usize)
    }
}

impl Linear for Concat {
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Option<Var> {
        let mut transposed = None;
        let wanted: Vec<bool> = (0..args.len()).map(|j| j == i).collect();
        self.transposes(args, &wanted, ct, &mut |_, t| transposed = Some(t));
        transposed
    }

    /// Each part begins where the last one ended.
    fn transposes(&self, args: &[Var], wanted: &[bool], ct: Var, give: &mut dyn FnMut(usize, Var)) {
        let (axis, mut start) = (self.0 as usize, 0);
        for (i, arg) in args.iter().enumerate() {
            let end = start + arg.shape()[axis];
            if wanted[i] {
                give(i, ct.slice_axis(axis, start, end));
            }
            start = end;
        }
    }
}

impl Examples for Concat {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3]), Real(&[2, 1]), Real(&[2, 2])], |a| a[0].join(&a[1..], 1)),
            example(&[Mask(&[2]), Mask(&[3])], |a| a[0].join(&a[1..], 0)),
        ]
    }
}

impl Var {
    /// This value followed by others along an existing axis; their other sizes must agree.
    #[track_caller]
    pub fn join(self, others: &[Var], axis: usize) -> Var {
        let at = At::caller();
        let parts: Vec<Var> = std::iter::once(self).chain(others.iter().copied()).collect();
        record_concat(&parts, axis, at)
    }
}

impl Tape {
    /// Joins values along an existing axis; their other sizes must agree.
    #[track_caller]
    pub fn concat(&self, parts: &[Var], axis: usize) -> Var {
        self.joined(parts, axis, At::caller())
    }

    /// Stacks values of one shape along a new axis.
    #[track_caller]
    pub fn stack(&self, parts: &[Var], axis: usize) -> Var {
        let at = At::caller();
        let parts: Vec<Var> = parts.iter().map(|p| p.expand_dims_at(axis, "stack", at)).collect();
        self.joined(&parts, axis, at)
    }

    fn joined(&self, parts: &[Var], axis: usize, at: At) -> Var {
        if parts.is_empty() {
            let error =
                Error::Parameter { op: "concat", problem: "there is nothing to join".into(), at };
            return with_tape(self.id(), |t| t.fail(error, Shape::scalar(), DType::F64))
                .map_or(Var::dead(), |node| Var::new(self.id(), node));
        }
        record_concat(parts, axis, at)
    }
}

/// Joins at least one value along an axis.
pub(crate) fn record_concat(parts: &[Var], axis: usize, at: At) -> Var {
    record_many(parts, "concat", at, |tape, nodes| {
        let (first, dtype) = tape.aval(nodes[0]);
        let mut shape = first.clone();
        if axis >= first.len() {
            let problem = format!("there is no axis {axis} in the shape {first}");
            return Err(Error::Parameter { op: "concat", problem, at });
        }
        shape[axis] = 0;
        for &node in nodes {
            let (mut other, other_dtype) = tape.aval(node);
            if other_dtype != dtype {
                let problem = "the element types differ".into();
                return Err(Error::DType {
                    op: "concat",
                    problem,
                    operands: vec![dtype, other_dtype],
                    at,
                });
            }
            let size = other.get(axis).copied();
            if let (Some(size), true) = (size, other.len() == first.len()) {
                shape[axis] = shape[axis].saturating_add(size);
                other[axis] = first[axis];
            }
            if other != first {
                let problem = format!("the sizes differ at another axis than {axis}");
                return Err(Error::Shape {
                    op: "concat",
                    problem,
                    operands: vec![first, tape.aval(node).0],
                    at,
                });
            }
        }
        tape.check_size("concat", &shape, at)?;
        Ok(tape.push(Concat(axis as u8).into(), nodes, shape, dtype, at))
    })
}
