//! The affine layer.

use burlap_autodiff::Var;

use crate::{Context, Error, Init, Module, Result, Scope};

/// y = x Wᵀ + b along the last axis: `[…, inputs]` → `[…, outputs]`.
///
/// The parameters are `weight` `[outputs, inputs]` and `bias` `[outputs]`, by default drawn as in
/// PyTorch, uniformly on ±1/√inputs. An input of another width is an error of the tape; sizes
/// of 0 are [`Error::LayerSize`] in [`Model::new`](crate::Model::new).
///
/// ```
/// use burlap_nn::{Init, Linear, Model};
///
/// let model = Model::new(Linear::new(784, 10))?;
/// assert_eq!(model.layout().total(), 7850);
///
/// let relu = Init::KaimingNormal { gain: 2f64.sqrt() };
/// let model = Model::new(Linear::new(784, 10).without_bias().with_weight_init(relu))?;
/// assert_eq!(model.layout().total(), 7840);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    weight: Init,
    bias: Option<Init>,
}

impl Linear {
    /// A layer of `inputs` → `outputs`, with a bias.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            weight: Init::linear_weight(),
            bias: Some(Init::linear_bias(inputs)),
        }
    }

    /// Leaves out the bias.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// Sets what the weight is drawn from.
    #[must_use]
    pub fn with_weight_init(mut self, init: Init) -> Self {
        self.weight = init;
        self
    }

    /// Sets what the bias is drawn from; there is one afterwards.
    #[must_use]
    pub fn with_bias_init(mut self, init: Init) -> Self {
        self.bias = Some(init);
        self
    }
}

impl Module for Linear {
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        if inputs == 0 || outputs == 0 {
            return Err(Error::LayerSize { path: scope.path().to_owned(), inputs, outputs });
        }
        scope.parameter("weight", [self.outputs, self.inputs], self.weight)?;
        match self.bias {
            Some(init) => scope.parameter("bias", [self.outputs], init),
            None => Ok(()),
        }
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        ctx.layer(x, || self.output(ctx, x))
    }
}

impl Linear {
    fn output(&self, ctx: &Context<'_>, x: Var) -> Var {
        let shape = x.shape();
        if shape.last() != Some(&self.inputs) {
            let problem =
                format!("{:?} takes {} values, its input is {shape}", ctx.path(), self.inputs);
            return x.fail("linear", problem);
        }
        let product = x.matmul(ctx.parameter("weight").t());
        match self.bias {
            Some(_) => product + ctx.parameter("bias"),
            None => product,
        }
    }
}
