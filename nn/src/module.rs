//! What a network is: a declaration of parameters and a recording of formulas.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use burlap_autodiff::{At, Shape, Var};

use crate::init::{self, Init, Sampler};
use crate::{Error, Layout, Result};

/// A part of a network: it declares its parameters and records what it computes from them.
///
/// A module holds sizes and options, never numbers, and does not know where it stands: names
/// are relative to the [`Scope`] or [`Context`] it is given, which must be used alike in both
/// methods.
///
/// ```
/// use burlap_autodiff::Var;
/// use burlap_nn::{Context, Linear, Model, Module, Result, Scope};
///
/// /// x + tanh(fc(x)).
/// struct Residual {
///     fc: Linear,
/// }
///
/// impl Module for Residual {
///     fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
///         self.fc.declare(&mut scope.child("fc"))
///     }
///
///     fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
///         x + self.fc.forward(&ctx.child("fc"), x).tanh()
///     }
/// }
///
/// let model = Model::new(Residual { fc: Linear::new(3, 3) })?;
/// assert!(model.layout().names().eq(["fc.weight", "fc.bias"]));
/// # Ok::<(), burlap_nn::Error>(())
/// ```
pub trait Module: Send + Sync {
    /// Declares the parameters.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with names, sizes or first values.
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()>;

    /// Records the output for the input `x`.
    ///
    /// An input that does not fit becomes an error of the tape, which `compile` returns.
    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var;
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
        (**self).declare(scope)
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        (**self).forward(ctx, x)
    }
}

/// The parameters declared so far.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) layout: Layout,
    /// One for each entry of the layout.
    pub(crate) samplers: Vec<Sampler>,
    pub(crate) buffers: Vec<Buffer>,
}

/// An array of a network that training changes and no gradient does.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// The first value of all elements.
    pub(crate) first: f64,
}

/// The place in the tree of names where a module declares its parameters.
#[derive(Debug)]
pub struct Scope<'a> {
    declared: &'a mut Declared,
    path: String,
}

impl<'a> Scope<'a> {
    pub(crate) fn root(declared: &'a mut Declared) -> Self {
        Self { declared, path: String::new() }
    }

    /// The dotted path of this place, empty at the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The place of a child.
    #[must_use]
    pub fn child(&mut self, name: &str) -> Scope<'_> {
        Scope { path: joined(&self.path, name), declared: self.declared }
    }

    /// Declares a parameter of this module, with what its first values are drawn from.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateName`](crate::Error::DuplicateName),
    /// [`Error::BadName`](crate::Error::BadName),
    /// [`Error::TooLarge`](crate::Error::TooLarge), and
    /// [`Error::Init`](crate::Error::Init) for a distribution that does not fit the shape.
    pub fn parameter(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<()> {
        let (name, shape) = (joined(&self.path, name), shape.into());
        let sampler = init.sampler(&name, &shape)?;
        self.check_buffers(&name)?;
        self.declared.layout.push(name, shape)?;
        self.declared.samplers.push(sampler);
        Ok(())
    }

    /// Declares a buffer of this module: an array of the parameters' type, such as a running mean,
    /// that passes in training [change](Context::update_buffer) and no gradient does.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateName`](crate::Error::DuplicateName) for the name of another buffer or a
    /// parameter, [`Error::BadName`](crate::Error::BadName),
    /// [`Error::TooLarge`](crate::Error::TooLarge).
    pub fn buffer(&mut self, name: &str, shape: impl Into<Shape>, first: f64) -> Result<()> {
        let (name, shape) = (joined(&self.path, name), shape.into());
        self.check_buffers(&name)?;
        if self.declared.layout.get(&name).is_some() {
            return Err(Error::DuplicateName { name });
        }
        // What is wrong with a parameter's name or shape is wrong with a buffer's.
        Layout::new([(name.clone(), shape.clone())])?;
        self.declared.buffers.push(Buffer { name, shape, first });
        Ok(())
    }

    fn check_buffers(&self, name: &str) -> Result<()> {
        match self.declared.buffers.iter().any(|buffer| buffer.name == name) {
            true => Err(Error::DuplicateName { name: name.to_owned() }),
            false => Ok(()),
        }
    }
}

/// One recording of a network, shared by all its modules.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    flat: Var,
    /// Who recorded the pass: mistakes of burlap's own layers are said of that line.
    at: At,
    declared: &'a Declared,
    key: Option<Var>,
    /// The present values of the declared buffers; none where they were not given.
    buffers: RefCell<Vec<Var>>,
    /// The random streams in use.
    streams: RefCell<BTreeSet<u32>>,
    /// Parameters asked for before: a shared layer has one variable for each.
    parameters: RefCell<BTreeMap<String, Var>>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        declared: &'a Declared,
        flat: Var,
        at: At,
        buffers: &[Var],
        key: Option<Var>,
    ) -> Self {
        let (streams, parameters) = (RefCell::default(), RefCell::default());
        let buffers = RefCell::new(buffers.to_vec());
        Self { flat, at, declared, key, buffers, streams, parameters }
    }

    /// The buffers after the pass.
    pub(crate) fn into_buffers(self) -> Vec<Var> {
        self.buffers.into_inner()
    }

    /// Whether a module asked for random numbers.
    pub(crate) fn is_random(&self) -> bool {
        !self.streams.borrow().is_empty()
    }
}

/// What a module records with: its parameters, and randomness in training.
#[derive(Debug)]
pub struct Context<'a> {
    pass: &'a Pass<'a>,
    path: String,
}

impl<'a> Context<'a> {
    pub(crate) fn root(pass: &'a Pass<'a>) -> Self {
        Self { pass, path: String::new() }
    }

    /// The dotted path of this place, empty at the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The place of a child.
    #[must_use]
    pub fn child(&self, name: &str) -> Context<'a> {
        Context { pass: self.pass, path: joined(&self.path, name) }
    }

    /// Records a layer of this library: calls through `dyn Module` lose the caller, so mistakes inside are
    /// those of the line that applied the model. Layers of one's own keep their lines.
    pub(crate) fn layer(&self, x: Var, record: impl FnOnce() -> Var) -> Var {
        x.record_at(self.pass.at, record)
    }

    /// A parameter of this module, in its own shape.
    ///
    /// A name that the module did not declare is an error of the tape.
    #[track_caller]
    #[must_use]
    pub fn parameter(&self, name: &str) -> Var {
        let (flat, layout) = (self.pass.flat, &self.pass.declared.layout);
        let name = joined(&self.path, name);
        if let Some(&known) = self.pass.parameters.borrow().get(&name) {
            return known;
        }
        let view = flat.record_at(At::caller(), || {
            let view = layout.view(flat, &name);
            view.unwrap_or_else(|error| flat.fail("parameter", error.to_string()))
        });
        self.pass.parameters.borrow_mut().insert(name, view);
        view
    }

    /// The present value of a buffer of this module: the one that the pass began with, or the last
    /// that was [set](Self::update_buffer).
    ///
    /// A name that the module did not declare is an error of the tape, and so is a pass to which no
    /// buffers were given ([`Model::forward`](crate::Model::forward) of a network with some).
    #[track_caller]
    #[must_use]
    pub fn buffer(&self, name: &str) -> Var {
        let name = joined(&self.path, name);
        let place = self.pass.declared.buffers.iter().position(|buffer| buffer.name == name);
        let values = self.pass.buffers.borrow();
        match (place, place.and_then(|place| values.get(place))) {
            (_, Some(&value)) => value,
            (Some(_), None) => self.pass.flat.fail(
                "buffer",
                format!("{name:?} has no value: record with Model::forward_with_buffers"),
            ),
            (None, None) => self.pass.flat.fail("buffer", format!("{name:?} was not declared")),
        }
    }

    /// Sets a buffer of this module, in training; in evaluation nothing is changed.
    ///
    /// A value of another shape or type is an error of the tape.
    #[track_caller]
    pub fn update_buffer(&self, name: &str, value: Var) {
        let former = self.buffer(name);
        if !self.training() {
            return;
        }
        let fits = value.shape() == former.shape() && value.dtype() == former.dtype();
        let value = match fits {
            true => value.stop_gradient(),
            false => former.fail("buffer", format!("{name:?} of shape {}", value.shape())),
        };
        let name = joined(&self.path, name);
        let place = self.pass.declared.buffers.iter().position(|buffer| buffer.name == name);
        let mut values = self.pass.buffers.borrow_mut();
        if let Some(present) = place.and_then(|place| values.get_mut(place)) {
            *present = value;
        }
    }

    /// Whether the network is recorded for training: with a random key.
    #[must_use]
    pub fn training(&self) -> bool {
        self.pass.key.is_some()
    }

    /// The key and a stream of its own for each call, or `None` in evaluation.
    ///
    /// The stream is a function of the path and of how often it was asked for at this path,
    /// so that every pass that is recorded with one key sees the same random numbers.
    #[must_use]
    pub fn random(&self) -> Option<(Var, u32)> {
        let key = self.pass.key?;
        let hash = init::hash(&self.path);
        let mut stream = (hash ^ (hash >> 32)) as u32;
        let mut used = self.pass.streams.borrow_mut();
        while !used.insert(stream) {
            stream = stream.wrapping_add(1);
        }
        Some((key, stream))
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
