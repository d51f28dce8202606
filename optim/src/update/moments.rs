//! First and second moments of gradients: what Adam and AdamW share.
//!
//! As formulas they have derivatives, those of hypergradients and of learning through steps. For
//! an element whose gradients have all been exactly 0, v̂ = 0 and √v̂ has an infinite slope, but of
//! a gradient g the step is m̂/(√v̂ + ε) = a g/(c |g| + ε): at g = 0 its derivative is a/ε, the
//! same from both sides, as if √v̂ stayed 0. That is what is recorded. The second derivative jumps
//! from 2ac/ε² to −2ac/ε² there; ours is the mean of both, 0, as that of |g| at 0 is.

use super::Update;
use crate::error::{Result, below_one, not_negative, positive};
use crate::registry::Setting;
use burlap_autodiff::{DType, Var};

/// The settings that both forms share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) epsilon: f64,
    pub(super) epsilon_root: f64,
    pub(super) weight_decay: f64,
}

/// √v for v ≥ 0, whose derivatives where v is 0, or too small for them, are 0 in place of
/// infinite.
fn root(v: Var) -> Var {
    let least = match v.dtype() {
        DType::F32 => f64::from(f32::MIN_POSITIVE),
        // Moments are no masks and no indices.
        DType::F64 | DType::U32 | DType::Bool => f64::MIN_POSITIVE,
    };
    let small = v.lt(least);
    // The root that is left out has finite derivatives too: infinite ones would be NaN times 0.
    small.select(v.sqrt().stop_gradient(), small.select(1.0, v).sqrt())
}

impl Moments {
    pub(super) fn check(&self, of: &str) -> Result<()> {
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            below_one(of, name, beta)?;
        }
        positive(of, "epsilon", self.epsilon)?;
        not_negative(of, "epsilon root", self.epsilon_root)?;
        not_negative(of, "weight decay", self.weight_decay)
    }

    /// The step m̂/(√(v̂ + ε_root) + ε) and the new moments.
    pub(super) fn direction(&self, u: &Update<'_>, gradient: Var) -> (Var, Vec<Var>) {
        let m = self.beta1 * u.state[0] + (1.0 - self.beta1) * gradient;
        let v = self.beta2 * u.state[1] + (1.0 - self.beta2) * gradient * gradient;
        // 1 − βᵗ by expm1: in single precision the difference would lose its digits.
        let correction = |beta: f64| -(u.step * beta.ln()).expm1();
        let unbiased = |x: Var, beta: f64| if beta == 0.0 { x } else { x / correction(beta) };
        let mut square = unbiased(v, self.beta2);
        if self.epsilon_root > 0.0 {
            square += self.epsilon_root;
        }
        let direction = unbiased(m, self.beta1) / (root(square) + self.epsilon);
        (direction, vec![m, v])
    }
}

/// The settings in the registry.
pub(super) const fn settings(decay: f64) -> [Setting; 4] {
    [
        Setting::number("beta1", 0.9, "decay rate of the first moment"),
        Setting::number("beta2", 0.999, "decay rate of the second moment"),
        Setting::number("epsilon", 1e-8, "what is added to the root of the second moment"),
        Setting::number("weight-decay", decay, "weight decay"),
    ]
}

/// A rule with the settings of [`Moments`], and the formula of its step.
macro_rules! moments_rule {
    ($(#[$doc:meta])* $type:ident, $name:literal, $decay:literal, |$this:ident, $u:ident| $body:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $type(Moments);

        impl Default for $type {
            fn default() -> $type {
                $type(Moments {
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-8,
                    epsilon_root: 0.0,
                    weight_decay: $decay,
                })
            }
        }

        impl $type {
            pub(crate) const SETTINGS: &[$crate::registry::Setting] =
                &$crate::update::moments::settings($decay);

            pub(crate) fn build(
                s: &$crate::MethodSettings,
            ) -> $crate::Result<Box<dyn $crate::UpdateRule>> {
                let number = |name: &str| s.number(name);
                let rule = $type::new()
                    .with_betas(number("beta1")?, number("beta2")?)
                    .with_epsilon(number("epsilon")?)
                    .with_weight_decay(number("weight-decay")?);
                Ok(Box::new(rule))
            }

            /// β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸ and the default weight decay.
            pub fn new() -> $type {
                $type::default()
            }

            /// The decay rates of the first and second moments.
            #[must_use]
            pub fn with_betas(mut self, beta1: f64, beta2: f64) -> $type {
                self.0.beta1 = beta1;
                self.0.beta2 = beta2;
                self
            }

            /// What is added to the root of the second moment.
            #[must_use]
            pub fn with_epsilon(mut self, epsilon: f64) -> $type {
                self.0.epsilon = epsilon;
                self
            }

            /// What is added to the second moment under the root, ε_root in
            /// m̂/(√(v̂ + ε_root) + ε), 0 by default: a positive one makes the step a smooth function
            /// of the gradient (as `eps_root` of Optax, for derivatives through optimizer steps).
            #[must_use]
            pub fn with_epsilon_root(mut self, epsilon_root: f64) -> $type {
                self.0.epsilon_root = epsilon_root;
                self
            }

            /// The weight decay.
            #[must_use]
            pub fn with_weight_decay(mut self, decay: f64) -> $type {
                self.0.weight_decay = decay;
                self
            }
        }

        impl $crate::Stateful for $type {
            fn state_names(&self) -> &[&'static str] {
                &["first moment", "second moment"]
            }
        }

        impl $crate::update::UpdateRule for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn record(
                &self,
                $u: &$crate::update::Update<'_>,
            ) -> (burlap_autodiff::Var, Vec<burlap_autodiff::Var>) {
                let $this = &self.0;
                $body
            }

            fn check(&self) -> $crate::Result<()> {
                self.0.check($name)
            }
        }
    };
}

pub(super) use moments_rule;
