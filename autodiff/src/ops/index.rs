//! Indexing: gather and take-along-axis, and their transposes, which scatter by adding.
//! Indices are `U32`; one beyond the axis is an error of the run, in the words of the loss where
//! they are labels.

use crate::error::{At, Error, Result};
use crate::graph::{Along, Compare, NodeId, Op};
use crate::tape::{TapeData, Var, node_of, record_many, record1, record2};
use crate::{DType, Shape};

pub(super) fn transpose(op: &Op, i: usize, args: &[Var], operand: &Shape, ct: Var) -> Option<Var> {
    if i != 0 {
        return None;
    }
    let at = node_of(args[0])?.at;
    let indices = args[1];
    let (name, opposite, shape) = match *op {
        Op::Gather(axis) => ("scatter_add", Op::ScatterAdd(axis), operand.clone()),
        Op::ScatterAdd(axis) => ("gather", Op::Gather(axis), operand.clone()),
        Op::TakeAlong(axis) => ("scatter_along", Op::ScatterAlong(axis), operand.clone()),
        Op::ScatterAlong(axis) => ("take_along", Op::TakeAlong(axis), operand.clone()),
        _ => return None,
    };
    Some(record2(ct, indices, name, at, |tape, ct, indices| {
        let dtype = tape.node(ct).dtype;
        Ok(tape.push(opposite, &[ct, indices], shape, dtype, at))
    }))
}

/// The shape that gathering along `axis` gives: the axis is replaced by the indices' axes.
fn gathered(from: &Shape, axis: usize, indices: &Shape) -> Shape {
    from[..axis].iter().chain(indices.iter()).chain(&from[axis + 1..]).copied().collect()
}

fn check(
    tape: &TapeData,
    op: &'static str,
    x: NodeId,
    indices: NodeId,
    axis: usize,
    at: At,
) -> Result<(Shape, Shape, DType)> {
    let ((from, dtype), (index, index_dtype)) = (tape.aval(x), tape.aval(indices));
    if index_dtype != DType::U32 {
        let problem = "the indices must be u32".into();
        return Err(Error::DType { op, problem, operands: vec![dtype, index_dtype], at });
    }
    if axis >= from.len() {
        return Err(Error::Parameter {
            op,
            problem: format!("there is no axis {axis} in the shape {from}"),
            at,
        });
    }
    Ok((from, index, dtype))
}

impl Var {
    /// The entries at `indices` along an axis, which is replaced by the axes of the
    /// indices: `x[…, indices, …]`.
    #[track_caller]
    pub fn gather(self, axis: usize, indices: Var) -> Var {
        let at = At::caller();
        record2(self, indices, "gather", at, |tape, x, indices| {
            let (from, index, dtype) = check(tape, "gather", x, indices, axis, at)?;
            let shape = gathered(&from, axis, &index);
            tape.check_size("gather", &shape, at)?;
            Ok(tape.push(Op::Gather(axis as u8), &[x, indices], shape, dtype, at))
        })
    }

    /// This value with `updates` added at `indices` along an axis; equal indices add up.
    /// The updates have the shape that `gather(axis, indices)` would give.
    #[track_caller]
    pub fn scatter_add(self, axis: usize, indices: Var, updates: Var) -> Var {
        let at = At::caller();
        let scattered = record_many(&[updates, indices, self], "scatter_add", at, |tape, nodes| {
            let (to, index, dtype) = check(tape, "scatter_add", nodes[2], nodes[1], axis, at)?;
            let (from, update_dtype) = tape.aval(nodes[0]);
            if update_dtype != dtype || dtype == DType::Bool {
                let problem = "updates and target must be of one numeric type".into();
                return Err(Error::DType {
                    op: "scatter_add",
                    problem,
                    operands: vec![dtype, update_dtype],
                    at,
                });
            }
            if from != gathered(&to, axis, &index) {
                let problem = format!("target, indices and updates do not fit along axis {axis}");
                return Err(Error::Shape {
                    op: "scatter_add",
                    problem,
                    operands: vec![to, index, from],
                    at,
                });
            }
            Ok(tape.push(Op::ScatterAdd(axis as u8), &nodes[..2], to, dtype, at))
        });
        self + scattered
    }

    /// One entry for each index: `y[…, j, …] = x[…, indices[…, j, …], …]`, where the
    /// indices have the operand's sizes except along `axis`.
    #[track_caller]
    pub fn take_along(self, axis: usize, indices: Var) -> Var {
        let at = At::caller();
        record2(self, indices, "take_along", at, |tape, x, indices| {
            let (from, index, dtype) = check(tape, "take_along", x, indices, axis, at)?;
            let fits = index.len() == from.len()
                && (0..from.len()).all(|a| a == axis || from[a] == index[a]);
            if !fits {
                let problem = format!("the sizes differ at another axis than {axis}");
                return Err(Error::Shape {
                    op: "take_along",
                    problem,
                    operands: vec![from, index],
                    at,
                });
            }
            Ok(tape.push(Op::TakeAlong((axis as u8).into()), &[x, indices], index, dtype, at))
        })
    }

    /// The entry at each example's label along the last axis: `[…, classes]` at labels `[…]` →
    /// `[…]`. For losses, whose mistakes are said in their own words.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let scores = tape.input("scores", DType::F64, [2, 3]);
    /// let labels = tape.input("labels", DType::U32, [2]);
    /// let chosen = scores.at_labels("hinge", labels);
    /// let program = tape.compile(&Cpu::new(), &[chosen])?;
    /// let scores = Array::from_vec([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// assert_eq!(program.run(&[&scores, &Array::vector([2u32, 0])])?[0].to_string(), "[3, 4]");
    /// let error = program.run(&[&scores, &Array::vector([2u32, 3])]).err().map(|e| e.to_string());
    /// assert!(error.is_some_and(|e| e.starts_with(
    ///     "hinge: label 3 at position 1, but there are 3 classes, 0 to 2"
    /// )));
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Label`] of the run for a label beyond the classes. On the tape: labels that are not
    /// `U32`, or of another shape than that of this value without its last axis.
    #[track_caller]
    pub fn at_labels(self, op: &'static str, labels: Var) -> Var {
        let at = At::caller();
        record2(self, labels, op, at, |tape, x, labels| {
            let ((from, dtype), (examples, label_dtype)) = (tape.aval(x), tape.aval(labels));
            if label_dtype != DType::U32 {
                let problem = format!("labels must be u32, not {label_dtype}");
                return Err(Error::Parameter { op, problem, at });
            }
            let Some(((&classes, rest), axis)) = from.split_last().zip(from.len().checked_sub(1))
            else {
                let problem = "a value for each class is needed, not a scalar".into();
                return Err(Error::Parameter { op, problem, at });
            };
            if examples[..] != *rest {
                let wanted: Shape = rest.iter().copied().collect();
                let problem = format!(
                    "labels of shape {examples} do not fit values of shape {from}, whose last axis are the \
                     {classes} classes: labels of shape {wanted} are needed"
                );
                return Err(Error::Parameter { op, problem, at });
            }
            let column: Shape = rest.iter().copied().chain([1]).collect();
            let labels = tape.push(Op::Reshape, &[labels], column.clone(), DType::U32, at);
            let along = Along { axis: axis as u8, labels: Some(op) };
            let chosen = tape.push(Op::TakeAlong(along), &[x, labels], column, dtype, at);
            Ok(tape.push(Op::Reshape, &[chosen], examples, dtype, at))
        })
    }

    /// Rows of the identity: for `U32` indices of shape `s`, a value of shape `[s…, classes]`
    /// that is 1 at the index and 0 elsewhere (all 0 for an index beyond).
    #[track_caller]
    pub fn one_hot(self, classes: usize, dtype: DType) -> Var {
        let at = At::caller();
        record1(self, "one_hot", at, |tape, x| {
            let (from, from_dtype) = tape.aval(x);
            if from_dtype != DType::U32 {
                let problem = "the indices must be u32".into();
                return Err(Error::DType {
                    op: "one_hot",
                    problem,
                    operands: vec![from_dtype],
                    at,
                });
            }
            let shape: Shape = from.iter().copied().chain([classes]).collect();
            tape.check_size("one_hot", &shape, at)?;
            let kept = (0..from.len() as u8).collect();
            let x = tape.push(Op::Broadcast(kept), &[x], shape.clone(), DType::U32, at);
            let all = tape.iota(classes, "one_hot", at)?;
            let all = tape.broadcast_to(all, &shape, at);
            let hot =
                tape.push(Op::Compare(Compare::Eq), &[x, all], shape.clone(), DType::Bool, at);
            Ok(tape.push(Op::Cast, &[hot], shape, dtype, at))
        })
    }
}
