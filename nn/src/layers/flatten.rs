//! From images to rows.

use burlap_autodiff::Var;

use crate::{Context, Module, Result, Scope};

/// Joins all axes but the first: `[n, a, b, …]` → `[n, a·b·…]`; values of fewer than two axes are
/// left as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flatten;

impl Module for Flatten {
    fn declare(&self, _: &mut Scope<'_>) -> Result<()> {
        Ok(())
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        ctx.layer(x, || self.output(x))
    }
}

impl Flatten {
    fn output(&self, x: Var) -> Var {
        match *x.shape() {
            [n, ref rest @ ..] if !rest.is_empty() => x.reshape([n, rest.iter().product()]),
            _ => x,
        }
    }
}
