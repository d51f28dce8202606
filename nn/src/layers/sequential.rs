//! Layers one after the other.

use std::fmt;

use burlap_autodiff::Var;

use crate::{Context, Error, Module, Result, Scope};

/// Modules applied one after the other.
///
/// A child that is given no name is called by its position, `0`, `1`, …, as in PyTorch. A named
/// child can be applied again later; both places then share one set of parameters.
///
/// ```
/// use burlap_nn::{Activation, Linear, Model, Sequential};
///
/// let net = Sequential::new()
///     .named("embed", Linear::new(4, 8))
///     .named("block", Linear::new(8, 8))
///     .then(Activation::Tanh)
///     .reuse("block")
///     .then(Linear::new(8, 2));
/// let model = Model::new(net)?;
/// assert!(model.layout().names().eq([
///     "embed.weight", "embed.bias", "block.weight", "block.bias", "4.weight", "4.bias"
/// ]));
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential {
    children: Vec<(String, Box<dyn Module>)>,
    steps: Vec<Step>,
}

/// What is applied at one position.
#[derive(Debug)]
enum Step {
    /// A child, by its place among the children.
    Child(usize),
    /// A name that no child had; an error once parameters are declared.
    Unknown(String),
}

impl Sequential {
    /// No modules: the identity.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a module that is called by its position.
    #[must_use]
    pub fn then(self, module: impl Module + 'static) -> Self {
        let name = self.steps.len().to_string();
        self.named(name, module)
    }

    /// Appends a module under a name.
    ///
    /// A name that another child has already is [`Error::DuplicateName`] in
    /// [`Model::new`](crate::Model::new).
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, module: impl Module + 'static) -> Self {
        self.steps.push(Step::Child(self.children.len()));
        self.children.push((name.into(), Box::new(module)));
        self
    }

    /// Applies a child again, with the same parameters.
    ///
    /// A name that no child has yet is [`Error::UnknownName`] in
    /// [`Model::new`](crate::Model::new).
    #[must_use]
    pub fn reuse(mut self, name: &str) -> Self {
        let child = self.children.iter().position(|(known, _)| known == name);
        self.steps.push(match child {
            Some(index) => Step::Child(index),
            None => Step::Unknown(name.to_owned()),
        });
        self
    }
}

impl Module for Sequential {
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
        for step in &self.steps {
            if let Step::Unknown(name) = step {
                return Err(Error::UnknownName {
                    name: name.clone(),
                    known: self.children.iter().map(|(name, _)| name.clone()).collect(),
                });
            }
        }
        for (index, (name, module)) in self.children.iter().enumerate() {
            if name.is_empty() {
                return Err(Error::BadName { name: String::new() });
            }
            // Also for children without parameters, which would go unnoticed.
            if self.children[..index].iter().any(|(other, _)| other == name) {
                return Err(Error::DuplicateName { name: scope.child(name).path().to_owned() });
            }
            module.declare(&mut scope.child(name))?;
        }
        Ok(())
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        self.steps.iter().fold(x, |x, step| match step {
            Step::Child(index) => {
                let (name, module) = &self.children[*index];
                module.forward(&ctx.child(name), x)
            }
            Step::Unknown(_) => x,
        })
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.children.iter().map(|(name, _)| name);
        f.debug_struct("Sequential")
            .field("children", &names.collect::<Vec<_>>())
            .field("steps", &self.steps)
            .finish()
    }
}
