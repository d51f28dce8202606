//! What can go wrong while recording, compiling and running, as typed errors.

use crate::{DType, Shape};
use std::fmt;
use std::panic::Location;

/// A result whose error is an [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The line of the user's code that an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At(pub &'static Location<'static>);

impl At {
    /// The caller's place: of the first function around that is not `#[track_caller]`.
    #[track_caller]
    pub fn caller() -> At {
        At(Location::caller())
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}

fn list(shapes: &[Shape]) -> String {
    let texts: Vec<String> = shapes.iter().map(ToString::to_string).collect();
    texts.join(" × ")
}

fn types(dtypes: &[DType]) -> String {
    let texts: Vec<String> = dtypes.iter().map(ToString::to_string).collect();
    texts.join(" × ")
}

fn numbered(classes: usize) -> String {
    match classes {
        0 => "there are no classes".into(),
        1 => "there is 1 class, 0".into(),
        _ => format!("there are {classes} classes, 0 to {}", classes - 1),
    }
}

/// An error of the engine: each variant carries what is needed to mend the cause.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Operands whose shapes do not fit together.
    #[error("{op}: {problem}: {} ({at})", list(.operands))]
    Shape {
        /// The operation.
        op: &'static str,
        /// What does not fit.
        problem: String,
        /// The operands' shapes.
        operands: Vec<Shape>,
        /// The place in the user's code.
        at: At,
    },
    /// Operands whose element types do not fit together.
    #[error("{op}: {problem}: {} ({at})", types(.operands))]
    DType {
        /// The operation.
        op: &'static str,
        /// What does not fit.
        problem: String,
        /// The operands' element types.
        operands: Vec<DType>,
        /// The place in the user's code.
        at: At,
    },
    /// A parameter of an operation that has no meaning for its operand.
    #[error("{op}: {problem} ({at})")]
    Parameter {
        /// The operation.
        op: &'static str,
        /// What is wrong with it.
        problem: String,
        /// The place in the user's code.
        at: At,
    },
    /// A variable of another tape, or of one that is gone.
    #[error("{op}: this variable belongs to another tape, or its tape is gone ({at})")]
    ForeignVar {
        /// The operation.
        op: &'static str,
        /// The place in the user's code.
        at: At,
    },
    /// An output that needs an input which is not among the program's inputs.
    #[error(
        "compile: an output depends on the input {name:?}, which is not among the inputs ({at})"
    )]
    UnlistedInput {
        /// The input's name.
        name: String,
        /// Where the input was declared.
        at: At,
    },
    /// An input array of the wrong shape or element type.
    #[error(
        "run: input {name:?} is {expected_dtype}{expected} but was given {found_dtype}{found} ({at})"
    )]
    Input {
        /// The input's name.
        name: String,
        /// Its declared element type.
        expected_dtype: DType,
        /// Its declared shape.
        expected: Shape,
        /// The element type of the given array.
        found_dtype: DType,
        /// The shape of the given array.
        found: Shape,
        /// Where the input was declared.
        at: At,
    },
    /// A number of inputs or outputs other than the program's.
    #[error("{what}: the program has {expected}, but {found} were given")]
    Count {
        /// Inputs or outputs.
        what: &'static str,
        /// How many the program has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// An output array of the wrong shape or element type.
    #[error(
        "run_into: output {index} is {expected_dtype}{expected} but was given {found_dtype}{found}"
    )]
    Output {
        /// Which output.
        index: usize,
        /// Its element type.
        expected_dtype: DType,
        /// Its shape.
        expected: Shape,
        /// The element type of the given array.
        found_dtype: DType,
        /// The shape of the given array.
        found: Shape,
    },
    /// An index beyond the end of the axis it selects from.
    #[error("{op}: index {index} at position {position} is beyond the axis of size {size} ({at})")]
    Index {
        /// The operation.
        op: &'static str,
        /// The index.
        index: u32,
        /// Its position among the indices, row-major.
        position: usize,
        /// The size of the axis.
        size: usize,
        /// The place in the user's code.
        at: At,
    },
    /// A label that is none of the classes.
    #[error("{op}: label {label} at position {position}, but {} ({at})", numbered(*.classes))]
    Label {
        /// The loss.
        op: &'static str,
        /// The label.
        label: u32,
        /// Its position among the labels, row-major.
        position: usize,
        /// The number of classes.
        classes: usize,
        /// The place in the user's code.
        at: At,
    },
    /// A NaN or an infinity, while the check for them was on.
    #[error("{op}: element {position} of the result, of shape {shape}, is {value} ({at})")]
    NonFinite {
        /// The operation that first produced it.
        op: &'static str,
        /// Position of the element, row-major.
        position: usize,
        /// The shape of the result.
        shape: Shape,
        /// The value.
        value: f64,
        /// The place in the user's code.
        at: At,
    },
    /// Memory that the system does not grant.
    #[error("{op}: there is no memory for {bytes} bytes of {what}")]
    Memory {
        /// What was asked for.
        op: &'static str,
        /// What it would hold.
        what: String,
        /// Its size.
        bytes: usize,
    },
    /// Data whose length does not fill the shape, or of another element type.
    #[error("array: {problem}")]
    Array {
        /// What is wrong.
        problem: String,
    },
    /// An array that is needed in another memory than the one that it lives in.
    #[error(
        "{op}: {what} is in the memory of {found}, not of {expected}; `Array::download` copies an \
         array to the host"
    )]
    Elsewhere {
        /// What needs it.
        op: &'static str,
        /// The array.
        what: String,
        /// Where it lives.
        found: &'static str,
        /// Where it should.
        expected: &'static str,
    },
    /// A backend that cannot be set up as asked.
    #[error("backend {backend}: {problem}")]
    Backend {
        /// The backend's name.
        backend: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A derivative or agreement check that failed.
    #[error("{check}: {problem} ({at})")]
    Check {
        /// The property that was checked.
        check: &'static str,
        /// How it failed: where, what was expected, and what was found.
        problem: String,
        /// The place in the user's code that asked for the check.
        at: At,
    },
}

/// The sentence of `Display`: what a program prints whose `main` returns the error.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Error {
    /// An index (with its position) beyond an axis, or a label beyond the classes where the indices
    /// are the labels of a loss.
    pub(crate) fn beyond(
        labels: Option<&'static str>,
        op: &'static str,
        (index, position): (u32, usize),
        size: usize,
        at: At,
    ) -> Error {
        match labels {
            Some(op) => Error::Label { op, label: index, position, classes: size, at },
            None => Error::Index { op, index, position, size, at },
        }
    }

    /// The same error, said of another place: a layer's mistakes are its user's.
    pub(crate) fn relocated(mut self, place: At) -> Error {
        if let Error::Shape { at, .. }
        | Error::DType { at, .. }
        | Error::Parameter { at, .. }
        | Error::ForeignVar { at, .. } = &mut self
        {
            *at = place;
        }
        self
    }
}
