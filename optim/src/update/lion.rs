//! Lion.

use super::{Update, UpdateRule};
use crate::error::{Result, below_one, not_negative};
use crate::registry::{RuleMember, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

pub(crate) const LION: RuleMember = RuleMember {
    name: "lion",
    paper: "arXiv 2302.06675",
    formula: "x ← x − η (sign(β₁ m + (1 − β₁) g) + w x); m ← β₂ m + (1 − β₂) g",
    settings: &[
        Setting::number("beta1", 0.9, "weight of the momentum in the step"),
        Setting::number("beta2", 0.99, "decay rate of the momentum"),
        Setting::number("weight-decay", 0.0, "weight decay, times the learning rate"),
    ],
    build: |s| {
        let rule = Lion::new().with_betas(s.number("beta1")?, s.number("beta2")?);
        Ok(Box::new(rule.with_weight_decay(s.number("weight-decay")?)))
    },
};

/// Lion, the sign of an interpolated momentum (Chen et al. 2023, arXiv 2302.06675, algorithm 2):
/// x ← x − η (sign(β₁ m + (1 − β₁) g) + w x), m ← β₂ m + (1 − β₂) g.
///
/// Each element moves by η, so rates are 3 to 10 times smaller, and weight decays as much larger, than
/// for AdamW. An element whose interpolated momentum is exactly 0 moves by its decay alone.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType};
/// use burlap_optim::{Lion, Optimizer};
/// let mut optimizer = Optimizer::new(Lion::new(), &Cpu::new(), DType::F64, 3)?;
/// let mut x = Array::vector([1.0, 1.0, 1.0]);
/// optimizer.step(&mut x, &Array::vector([3.0, -0.1, 0.0]), 0.25)?;
/// assert_eq!(x.to_string(), "[0.75, 1.25, 1]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    beta1: f64,
    beta2: f64,
    weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Lion {
        Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl Lion {
    /// β₁ = 0.9, β₂ = 0.99, no weight decay.
    pub fn new() -> Lion {
        Lion::default()
    }

    /// The momentum's weight β₁ in the step, and its decay rate β₂.
    #[must_use]
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Lion {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// The weight decay w, 0 by default.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Lion {
        self.weight_decay = decay;
        self
    }
}

impl Stateful for Lion {
    fn state_names(&self) -> &[&'static str] {
        &["momentum"]
    }
}

impl UpdateRule for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn record(&self, u: &Update<'_>) -> (Var, Vec<Var>) {
        let mixed = |beta: f64| beta * u.state[0] + (1.0 - beta) * u.gradient;
        let sign = mixed(self.beta1).sign();
        let step = match u.weight_decay(self.weight_decay) {
            0.0 => sign,
            decay => sign + decay * u.parameters,
        };
        (u.parameters - u.rate * step, vec![mixed(self.beta2)])
    }

    fn check(&self) -> Result<()> {
        below_one("lion", "beta1", self.beta1)?;
        below_one("lion", "beta2", self.beta2)?;
        not_negative("lion", "weight decay", self.weight_decay)
    }
}
