//! Distributions of one direction, found at the point.

use super::directions::{DirectionDistribution, DrawContext};
use crate::curvature::{Lanczos, top_eigenvector, unit_vector};
use crate::error::{Error, Result};
use crate::state::Stateful;
use burlap_autodiff::{Array, DType};

/// The state of one direction in double precision.
fn direction(dim: usize) -> Vec<Array> {
    vec![Array::zeros(DType::F64, [dim])]
}

/// The direction ∇L/‖∇L‖, held fixed; zero where the gradient is zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct GradientDirection;

impl Stateful for GradientDirection {
    fn state_names(&self) -> &[&'static str] {
        &["gradient direction"]
    }

    fn zeros(&self, _: DType, dim: usize) -> Vec<Array> {
        direction(dim)
    }
}

impl DirectionDistribution for GradientDirection {
    fn name(&self) -> &str {
        "gradient direction"
    }

    fn prepare(&self, context: &DrawContext<'_>, state: &mut [Array]) -> Result<()> {
        state[0] = match context.gradient {
            Some(gradient) => unit_vector(context.objective, gradient)?,
            None => {
                let gradient = context.objective.value_grad(context.x, context.batch)?.1;
                unit_vector(context.objective, &gradient)?
            }
        };
        Ok(())
    }

    fn held<'a>(&self, state: &'a [Array]) -> Option<&'a Array> {
        state.first()
    }
}

/// The eigenvector of the Hessian's largest eigenvalue, by Lanczos iterations that begin at
/// the previous one. Held fixed, the gradient of ½vᵀHv is that of ½λ_max.
#[derive(Clone, Copy, Debug)]
pub struct TopEigenvector {
    lanczos: Lanczos,
}

impl TopEigenvector {
    /// With the given iteration.
    pub fn new(lanczos: Lanczos) -> TopEigenvector {
        TopEigenvector { lanczos }
    }
}

impl Stateful for TopEigenvector {
    fn state_names(&self) -> &[&'static str] {
        &["top eigenvector"]
    }

    fn zeros(&self, _: DType, dim: usize) -> Vec<Array> {
        direction(dim)
    }
}

impl DirectionDistribution for TopEigenvector {
    fn name(&self) -> &str {
        "top eigenvector"
    }

    fn prepare(&self, context: &DrawContext<'_>, state: &mut [Array]) -> Result<()> {
        let point = (context.objective, context.x, context.batch);
        let previous = (!context.first).then_some(&state[0]);
        let top = top_eigenvector(&self.lanczos, point, previous, context.draw.seed)?;
        let Some((vector, _)) = top else {
            return Err(Error::Iteration {
                of: "lanczos",
                problem: "there are no parameters".into(),
            });
        };
        state[0] = vector;
        Ok(())
    }

    fn held<'a>(&self, state: &'a [Array]) -> Option<&'a Array> {
        state.first()
    }
}
