//! Batch normalisation.

use burlap_autodiff::Var;

use crate::{Context, Error, Init, Module, Result, Scope};

/// y = (x − μ)/√(σ² + ε) · weight + bias for each of the last axis' features (Ioffe & Szegedy 2015,
/// arXiv 1502.03167), as PyTorch's `BatchNorm1d` on `[n, features]`.
///
/// In training μ and σ² are mean and variance over the batch, and the buffers `running_mean` and
/// `running_var` go by the momentum (0.1) towards μ and n/(n − 1) σ²; in evaluation they are these
/// buffers. Derivatives go through μ and σ². A batch of one example has no variance: in training it is
/// an error of the tape.
///
/// ```
/// use burlap_autodiff::DType;
/// use burlap_nn::{Activation, BatchNorm1d, Linear, Model, Sequential};
///
/// let net = Sequential::new()
///     .named("fc", Linear::new(4, 8))
///     .named("norm", BatchNorm1d::new(8))
///     .then(Activation::Relu);
/// let model = Model::new(net)?;
/// assert!(model.layout().names().eq(["fc.weight", "fc.bias", "norm.weight", "norm.bias"]));
/// let buffers = model.buffers(DType::F32);
/// assert_eq!(buffers.iter().map(|b| b.0.as_str()).collect::<Vec<_>>(), ["norm.running_mean", "norm.running_var"]);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm1d {
    features: usize,
    momentum: f64,
    epsilon: f64,
}

impl BatchNorm1d {
    /// For so many features, with momentum 0.1 and ε = 10⁻⁵.
    #[must_use]
    pub fn new(features: usize) -> Self {
        Self { features, momentum: 0.1, epsilon: 1e-5 }
    }

    /// The part of a batch's statistics in the running ones.
    ///
    /// # Errors
    ///
    /// [`Error::Fraction`] unless 0 ≤ momentum < 1.
    pub fn with_momentum(mut self, momentum: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::Fraction { what: "the momentum of statistics", found: momentum });
        }
        self.momentum = momentum;
        Ok(self)
    }

    /// What is added to variances.
    ///
    /// # Errors
    ///
    /// [`Error::Positive`] unless it is positive and finite.
    pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self> {
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(Error::Positive { what: "epsilon", found: epsilon });
        }
        self.epsilon = epsilon;
        Ok(self)
    }
}

impl Module for BatchNorm1d {
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
        scope.parameter("weight", [self.features], Init::Constant(1.0))?;
        scope.parameter("bias", [self.features], Init::Zeros)?;
        scope.buffer("running_mean", [self.features], 0.0)?;
        scope.buffer("running_var", [self.features], 1.0)
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        ctx.layer(x, || self.output(ctx, x))
    }
}

impl BatchNorm1d {
    fn output(&self, ctx: &Context<'_>, x: Var) -> Var {
        const OP: &str = "batch_norm";
        let shape = x.shape();
        let [n, features] = shape[..] else {
            return x.fail(OP, format!("{:?} takes [n, features], not {shape}", ctx.path()));
        };
        if features != self.features {
            let (path, expected) = (ctx.path(), self.features);
            return x.fail(OP, format!("{path:?} has {expected} features, its input is {shape}"));
        }
        let (mean, variance) = if ctx.training() {
            if n < 2 {
                let problem = "a batch of one example has no variance (Loader::drop_last leaves \
                               out such a last batch)";
                return x.fail(OP, format!("{:?}: {problem}", ctx.path()));
            }
            let (mean, variance) = (x.mean_axes(&[0]), x.variance(&[0], 0));
            let unbiased = n as f64 / (n - 1) as f64 * variance;
            for (name, new) in [("running_mean", mean), ("running_var", unbiased)] {
                let old = ctx.buffer(name);
                ctx.update_buffer(name, (1.0 - self.momentum) * old + self.momentum * new);
            }
            (mean, variance)
        } else {
            (ctx.buffer("running_mean"), ctx.buffer("running_var"))
        };
        (x - mean) / (variance + self.epsilon).sqrt() * ctx.parameter("weight")
            + ctx.parameter("bias")
    }
}
