//! How is a layer of one's own written? x + tanh(fc(norm(x))), with a layer normalisation that has
//! parameters; and are its derivatives right?
//!
//! `cargo run --release --example own_layer`

use burlap::autodiff::testing::assert_hessian;
use burlap::nn::{Context, Init, Module, Scope};
use burlap::prelude::*;

/// (x − mean)/√(variance + ε) along the last axis, times a scale, plus a shift.
struct LayerNorm(usize);

impl Module for LayerNorm {
    fn declare(&self, scope: &mut Scope<'_>) -> burlap::nn::Result<()> {
        scope.parameter("scale", [self.0], Init::Constant(1.0))?;
        scope.parameter("shift", [self.0], Init::Zeros)
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        let last = [x.rank() - 1];
        let mean = x.mean_axes(&last).keepdims(&last, &x.shape());
        let variance = x.variance(&last, 0).keepdims(&last, &x.shape());
        (x - mean) / (variance + 1e-5).sqrt() * ctx.parameter("scale") + ctx.parameter("shift")
    }
}

/// A module is made of others by their names.
struct Residual(LayerNorm, Linear);

impl Module for Residual {
    fn declare(&self, scope: &mut Scope<'_>) -> burlap::nn::Result<()> {
        self.0.declare(&mut scope.child("norm"))?;
        self.1.declare(&mut scope.child("fc"))
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        let inner = self.0.forward(&ctx.child("norm"), x);
        x + self.1.forward(&ctx.child("fc"), inner).tanh()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::new(Residual(LayerNorm(3), Linear::new(3, 3)))?;
    println!("{}", model.layout());
    let start = model.init(1, DType::F64);
    let x = Array::from_vec([2, 3], vec![0.1, 0.7, -0.3, 1.0, -2.0, 0.4])?;
    // Gradient and Hessian of ‖f(x; p)‖² with respect to all 18 parameters p.
    assert_hessian(|p| model.forward(p, p.literal(&x)).square().sum(), start.to_f64_vec());
    println!("its gradient and Hessian are right");
    Ok(())
}
