//! Labels: the entry of each example's class, and rows of the identity.

use crate::error::{At, Error};
use crate::graph::{Along, Broadcast, Compare, Op, TakeAlong};
use crate::shape::Axes;
use crate::tape::{Var, record1, record2};
use crate::{DType, Shape};

impl Var {
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
            let chosen = tape.push(TakeAlong(along).into(), &[x, labels], column, dtype, at);
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
            let kept: Axes = (0..from.len() as u8).collect();
            let x = tape.push(Broadcast(kept).into(), &[x], shape.clone(), DType::U32, at);
            let all = tape.iota(classes, "one_hot", at)?;
            let all = tape.broadcast_to(all, &shape, at);
            let hot =
                tape.push(Op::Compare(Compare::Eq), &[x, all], shape.clone(), DType::Bool, at);
            Ok(tape.push(Op::Cast, &[hot], shape, dtype, at))
        })
    }
}
