//! Whole networks.

use burlap_autodiff::Var;

use crate::{Activation, Context, Error, Linear, Module, Result, Scope, Sequential};

/// A multilayer perceptron: a [`Linear`] layer between each size and the next, with the
/// activation between layers and none after the last.
///
/// Its children are called by position as in PyTorch: `0.weight`, `0.bias`, `2.weight`, …
///
/// ```
/// use burlap_nn::{Activation, Model, mlp};
///
/// let model = Model::new(mlp(&[64, 128, 10], Activation::Relu)?)?;
/// assert_eq!(model.layout().total(), 64 * 128 + 128 + 128 * 10 + 10);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::TooFewSizes`] for fewer than two sizes.
pub fn mlp(sizes: &[usize], activation: Activation) -> Result<Sequential> {
    if sizes.len() < 2 {
        return Err(Error::TooFewSizes { found: sizes.len() });
    }
    let mut net = Sequential::new();
    for (i, pair) in sizes.windows(2).enumerate() {
        if i > 0 {
            net = net.then(activation);
        }
        net = net.then(Linear::new(pair[0], pair[1]));
    }
    Ok(net)
}

/// The fully connected network for MNIST: six layers with ReLU between them, the second and
/// third of which share their parameters.
///
/// fc1 inputs → 128, fc2 128 → 128 applied twice, fc3 and fc4 128 → 128, fc5 128 → outputs;
/// the output is logits. By default 784 inputs and 10 outputs.
///
/// ```
/// use burlap_nn::{Model, SimpleNet};
///
/// let model = Model::new(SimpleNet::default())?;
/// assert_eq!(model.layout().total(), 784 * 128 + 128 + 3 * (128 * 128 + 128) + 128 * 10 + 10);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct SimpleNet {
    layers: Sequential,
}

impl SimpleNet {
    const HIDDEN: usize = 128;

    /// The network for other numbers of inputs and outputs.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self::with_activation(inputs, outputs, Activation::Relu)
    }

    /// The same layers with another activation than relu between them.
    #[must_use]
    pub fn with_activation(inputs: usize, outputs: usize, activation: Activation) -> Self {
        let hidden = || Linear::new(Self::HIDDEN, Self::HIDDEN);
        let layers = Sequential::new()
            .named("fc1", Linear::new(inputs, Self::HIDDEN))
            .then(activation)
            .named("fc2", hidden())
            .then(activation)
            .reuse("fc2")
            .then(activation)
            .named("fc3", hidden())
            .then(activation)
            .named("fc4", hidden())
            .then(activation)
            .named("fc5", Linear::new(Self::HIDDEN, outputs));
        Self { layers }
    }
}

impl Default for SimpleNet {
    fn default() -> Self {
        Self::new(784, 10)
    }
}

impl Module for SimpleNet {
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
        self.layers.declare(scope)
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        self.layers.forward(ctx, x)
    }
}
