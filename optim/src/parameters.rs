//! The names and shapes of the parameters in the flat vector.

use crate::error::{Error, Result};
use crate::objective::Objective;
use burlap_autodiff::Shape;
use std::collections::BTreeSet;
use std::ops::Range;

/// One parameter of the flat vector: its name, its shape, its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    name: String,
    shape: Shape,
    range: Range<usize>,
}

impl Parameter {
    /// The dotted name, such as `fc1.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The place of its elements in the vector, row-major.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The same in a vector that begins at `start` of this one.
    pub(crate) fn moved(&self, start: usize) -> Parameter {
        let range = self.range.start - start..self.range.end - start;
        Parameter { range, ..self.clone() }
    }
}

impl Objective {
    /// The same with names and shapes of the parameters, in their order in the flat vector: what
    /// [groups](crate::Group) of an update rule are chosen by.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the shapes have as many elements together as there are
    /// parameters, and for a name that is given twice.
    pub fn with_layout<N: Into<String>, S: Into<Shape>>(
        mut self,
        parameters: impl IntoIterator<Item = (N, S)>,
    ) -> Result<Objective> {
        let fail = |value: String, expected: &'static str| {
            let (of, name) = ("objective".into(), "the parameters' layout");
            Err(Error::Setting { of, name, value, expected })
        };
        let (mut layout, mut names, mut end) = (Vec::new(), BTreeSet::new(), 0usize);
        for (name, shape) in parameters {
            let (name, shape) = (name.into(), shape.into());
            if !names.insert(name.clone()) {
                return fail(format!("one with {name:?} twice"), "of names that differ");
            }
            let start = end;
            end = end.saturating_add(shape.count());
            layout.push(Parameter { name, shape, range: start..end });
        }
        if end != self.dim() {
            let value = format!("of {end} elements for {} parameters", self.dim());
            return fail(value, "of as many elements as there are parameters");
        }
        self.layout = layout.into();
        Ok(self)
    }

    /// The parameters, where they [are known](Objective::with_layout).
    pub fn layout(&self) -> &[Parameter] {
        &self.layout
    }
}
