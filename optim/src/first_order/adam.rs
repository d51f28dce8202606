//! Adam and AdamW.

use super::{Update, UpdateRule};
use crate::error::{Result, below_one, not_negative, positive};
use burlap_autodiff::Var;

/// The settings that both forms share.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moments {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Moments {
    fn check(&self, of: &str) -> Result<()> {
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            below_one(of, name, beta)?;
        }
        positive(of, "epsilon", self.epsilon)?;
        not_negative(of, "weight decay", self.weight_decay)
    }

    /// The step m̂/(√v̂ + ε) and the new moments.
    fn direction(&self, u: &Update<'_>, gradient: Var) -> (Var, Vec<Var>) {
        let m = self.beta1 * u.state[0] + (1.0 - self.beta1) * gradient;
        let v = self.beta2 * u.state[1] + (1.0 - self.beta2) * gradient * gradient;
        // 1 − βᵗ by expm1: in single precision the difference would lose its digits.
        let correction = |beta: f64| -(u.step * beta.ln()).expm1();
        let unbiased = |x: Var, beta: f64| if beta == 0.0 { x } else { x / correction(beta) };
        let direction = unbiased(m, self.beta1) / (unbiased(v, self.beta2).sqrt() + self.epsilon);
        (direction, vec![m, v])
    }
}

macro_rules! adam {
    ($(#[$doc:meta])* $type:ident, $name:literal, $decay:literal, |$this:ident, $u:ident| $body:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $type(Moments);

        impl Default for $type {
            fn default() -> $type {
                $type(Moments { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: $decay })
            }
        }

        impl $type {
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

            /// The weight decay.
            #[must_use]
            pub fn with_weight_decay(mut self, decay: f64) -> $type {
                self.0.weight_decay = decay;
                self
            }
        }

        impl UpdateRule for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn state_names(&self) -> &[&'static str] {
                &["first moment", "second moment"]
            }

            fn record(&self, $u: &Update<'_>) -> (Var, Vec<Var>) {
                let $this = &self.0;
                $body
            }

            fn check(&self) -> Result<()> {
                self.0.check($name)
            }
        }
    };
}

adam! {
    /// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1); weight decay is added to the
    /// gradient, 0 by default.
    Adam, "adam", 0.0, |this, u| {
        let (direction, state) = this.direction(u, u.decayed_gradient(this.weight_decay));
        (u.parameters - u.rate * direction, state)
    }
}

adam! {
    /// AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2): parameters shrink by the
    /// learning rate times the weight decay, 0.01 by default.
    AdamW, "adamw", 0.01, |this, u| {
        let (direction, state) = this.direction(u, u.gradient);
        (u.parameters - u.rate * (direction + this.weight_decay * u.parameters), state)
    }
}
