//! Measures that are one direction, found on the host.

use super::directions::{DrawContext, Measure};
use crate::curvature::{HessianOperator, Lanczos, norm};
use crate::error::{Error, Result};
use crate::random::Draw;
use crate::state::State;
use burlap_autodiff::Array;

/// The direction ∇L/‖∇L‖, held fixed; zero where the gradient is.
#[derive(Clone, Debug, Default)]
pub struct GradientDirection {
    direction: Vec<f64>,
}

impl Measure for GradientDirection {
    fn name(&self) -> &str {
        "gradient direction"
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        self.direction = match context.gradient {
            Some(gradient) => gradient.to_f64_vec(),
            None => context.objective.value_grad(context.x, context.batch)?.1.to_f64_vec(),
        };
        let length = norm(&self.direction);
        if length > 0.0 {
            self.direction.iter_mut().for_each(|x| *x /= length);
        }
        Ok(())
    }

    fn draw(&self, _: Draw, _: usize) -> Option<(Vec<f64>, f64)> {
        Some((self.direction.clone(), 0.0))
    }
}

/// The eigenvector of the Hessian's largest eigenvalue, by Lanczos iterations that begin at
/// the former one. Held fixed, the gradient of ½vᵀHv is that of ½λ_max.
#[derive(Clone, Debug)]
pub struct TopEigenvector {
    lanczos: Lanczos,
    vector: Vec<f64>,
}

impl TopEigenvector {
    /// With the given iteration.
    pub fn new(lanczos: Lanczos) -> TopEigenvector {
        TopEigenvector { lanczos, vector: Vec::new() }
    }
}

impl Measure for TopEigenvector {
    fn name(&self) -> &str {
        "top eigenvector"
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        let mut operator = HessianOperator::new(context.objective, context.x, &[context.batch])?;
        let start = (self.vector.len() == context.objective.dim()).then_some(&self.vector[..]);
        let top = self.lanczos.top(&mut operator, 1, start, context.draw.seed)?;
        let Some(pair) = top.into_iter().next() else {
            return Err(Error::Iteration {
                of: "lanczos",
                problem: "there are no parameters".into(),
            });
        };
        self.vector = pair.vector;
        Ok(())
    }

    fn draw(&self, _: Draw, _: usize) -> Option<(Vec<f64>, f64)> {
        Some((self.vector.clone(), 0.0))
    }

    fn state(&self) -> State {
        let mut state = State::default();
        if !self.vector.is_empty() {
            state.arrays.insert("top eigenvector".into(), Array::vector(self.vector.clone()));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.vector =
            state.arrays.get("top eigenvector").map(Array::to_f64_vec).unwrap_or_default();
        Ok(())
    }
}
