//! Distributions of one direction, found on the host at the point.

use super::directions::{DirectionDistribution, DrawContext, HostDraw};
use crate::curvature::{HessianOperator, Lanczos, norm};
use crate::error::{Error, Result};
use crate::state::Stateful;
use burlap_autodiff::{Array, DType};

/// The state of one direction in double precision.
fn direction(dim: usize) -> Vec<Array> {
    vec![Array::zeros(DType::F64, [dim])]
}

/// The first state array as a sample of weight 1.
fn held(at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
    Some((at.state.first()?.to_f64_vec(), 0.0))
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
        let mut direction = match context.gradient {
            Some(gradient) => gradient.to_f64_vec(),
            None => context.objective.value_grad(context.x, context.batch)?.1.to_f64_vec(),
        };
        let length = norm(&direction);
        if length > 0.0 {
            direction.iter_mut().for_each(|x| *x /= length);
        }
        state[0] = Array::vector(direction);
        Ok(())
    }

    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        held(at)
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
        let mut operator = HessianOperator::new(context.objective, context.x, &[context.batch])?;
        let previous = (!context.first).then(|| state[0].to_f64_vec());
        let top = self.lanczos.top(&mut operator, 1, previous.as_deref(), context.draw.seed)?;
        let Some(pair) = top.into_iter().next() else {
            return Err(Error::Iteration {
                of: "lanczos",
                problem: "there are no parameters".into(),
            });
        };
        state[0] = Array::vector(pair.vector);
        Ok(())
    }

    fn draw(&self, at: &HostDraw<'_>) -> Option<(Vec<f64>, f64)> {
        held(at)
    }
}
