//! Where directions come from: μ.

use crate::curvature::{HessianOperator, Lanczos};
use crate::error::{Error, Result, positive};
use crate::objective::Objective;
use crate::random::Draw;
use crate::state::State;
use burlap_autodiff::{Array, Var};
use rand_distr::{Distribution, Exp1, StandardNormal, StandardUniform};

/// What a measure may look at before it draws.
#[derive(Debug)]
pub struct DrawContext<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// The parameters.
    pub x: &'a Array,
    /// The batch.
    pub batch: &'a [Array],
    /// ∇L(x), where it is known already.
    pub gradient: Option<&'a Array>,
    /// Names the draws of this step.
    pub draw: Draw,
}

/// A measure μ on directions, which draws samples.
pub trait Measure {
    /// The name.
    fn name(&self) -> &str;

    /// Looks at the point at which directions will be drawn.
    ///
    /// # Errors
    /// What evaluating the objective reports.
    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Fills `out` with one sample and returns the logarithm of its weight dμ/dp: 0 when it is
    /// drawn from μ itself. Equal draws give equal samples.
    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64;

    /// The direction v as a formula of the parameters and the sample; the sample itself by
    /// default.
    fn direction(&self, x: Var, sample: Var) -> Var {
        let _ = x;
        sample
    }

    /// Checks the measure's settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for one outside its range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What must be kept to go on, such as the vector that a next iteration begins with.
    fn state(&self) -> State {
        State::default()
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Error::State`] when it does not fit.
    fn restore(&mut self, state: &State) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

impl Measure for Box<dyn Measure> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        (**self).prepare(context)
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        (**self).draw(draw, out)
    }

    fn direction(&self, x: Var, sample: Var) -> Var {
        (**self).direction(x, sample)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn state(&self) -> State {
        (**self).state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        (**self).restore(state)
    }
}

fn normal(draw: Draw, out: &mut [f64]) {
    draw.fill(out, |stream| StandardNormal.sample(stream));
}

fn scale(out: &mut [f64], factor: f64) {
    out.iter_mut().for_each(|x| *x *= factor);
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// N(0, σ²I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// The standard deviation σ.
    pub sigma: f64,
}

impl Gaussian {
    /// N(0, I).
    pub const STANDARD: Gaussian = Gaussian { sigma: 1.0 };
}

impl Measure for Gaussian {
    fn name(&self) -> &str {
        "gaussian"
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        normal(draw, out);
        if self.sigma != 1.0 {
            scale(out, self.sigma);
        }
        0.0
    }

    fn check(&self) -> Result<()> {
        positive("gaussian", "sigma", self.sigma)
    }
}

/// The uniform distribution on the unit sphere of the whole parameter space.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sphere;

fn sphere(draw: Draw, out: &mut [f64]) {
    normal(draw, out);
    let length = norm(out);
    // All zero with probability 0 only.
    if length > 0.0 {
        scale(out, 1.0 / length);
    }
}

impl Measure for Sphere {
    fn name(&self) -> &str {
        "sphere"
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        sphere(draw, out);
        0.0
    }
}

/// The uniform distribution in the unit ball.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ball;

impl Measure for Ball {
    fn name(&self) -> &str {
        "ball"
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        sphere(draw, out);
        // The radius is U^(1/d) = exp(−E/d) with E exponential; the stream is beyond those that
        // fill vectors.
        let e: f64 = Exp1.sample(&mut draw.stream(0x00ff_ffff));
        scale(out, (-e / out.len().max(1) as f64).exp());
        0.0
    }
}

/// Independent signs ±1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rademacher;

impl Measure for Rademacher {
    fn name(&self) -> &str {
        "rademacher"
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        draw.fill(out, |stream| {
            let positive: bool = StandardUniform.sample(stream);
            if positive { 1.0 } else { -1.0 }
        });
        0.0
    }
}

/// The cube [−h, h]ᵈ, with Lebesgue measure (total mass (2h)ᵈ) or normalised to mass 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cube {
    /// Half the side, h.
    pub half_side: f64,
    /// Whether the mass is 1.
    pub normalised: bool,
}

impl Measure for Cube {
    fn name(&self) -> &str {
        "cube"
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        let h = self.half_side;
        draw.fill(out, |stream| {
            let u: f64 = StandardUniform.sample(stream);
            h * (2.0 * u - 1.0)
        });
        if self.normalised { 0.0 } else { out.len() as f64 * (2.0 * h).ln() }
    }

    fn check(&self) -> Result<()> {
        positive("cube", "half side", self.half_side)
    }
}

/// Lebesgue measure on the whole space, sampled from N(0, σ²I): the weights are the inverse
/// density. σ² should be of the size of the Hessian's inverse eigenvalues, and must exceed
/// half the largest of them for the weights to have a variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// The standard deviation σ of the samples.
    pub sigma: f64,
}

impl Measure for Importance {
    fn name(&self) -> &str {
        "lebesgue"
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        normal(draw, out);
        let square: f64 = out.iter().map(|x| x * x).sum();
        scale(out, self.sigma);
        0.5 * square
            + 0.5 * out.len() as f64 * (std::f64::consts::TAU * self.sigma * self.sigma).ln()
    }

    fn check(&self) -> Result<()> {
        positive("lebesgue", "sigma", self.sigma)
    }
}

/// Another measure pushed forward by v ↦ |x| ⊙ v: what S measures then does not change when
/// a parameter's scale does and the loss is invariant to that.
pub struct ScaledByParameters(pub Box<dyn Measure>);

impl Measure for ScaledByParameters {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn prepare(&mut self, context: &DrawContext<'_>) -> Result<()> {
        self.0.prepare(context)
    }

    fn draw(&self, draw: Draw, out: &mut [f64]) -> f64 {
        self.0.draw(draw, out)
    }

    fn direction(&self, x: Var, sample: Var) -> Var {
        x.abs() * self.0.direction(x, sample)
    }

    fn check(&self) -> Result<()> {
        self.0.check()
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.0.restore(state)
    }
}

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
            scale(&mut self.direction, 1.0 / length);
        }
        Ok(())
    }

    fn draw(&self, _: Draw, out: &mut [f64]) -> f64 {
        out.copy_from_slice(&self.direction);
        0.0
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

    fn draw(&self, _: Draw, out: &mut [f64]) -> f64 {
        out.copy_from_slice(&self.vector);
        0.0
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
