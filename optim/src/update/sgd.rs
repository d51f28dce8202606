//! Stochastic gradient descent with momentum.

use super::{Update, UpdateRule};
use crate::error::{Error, Result, not_negative};
use burlap_autodiff::Var;

/// x ← x − η d with g ← ∇L + w x, m ← μ m + g, and d = m, or g + μ m with Nesterov's
/// momentum: PyTorch's convention, with zero dampening.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
}

impl Sgd {
    /// Without momentum or weight decay.
    pub fn new() -> Sgd {
        Sgd::default()
    }

    /// The factor μ of the former momentum, 0 by default.
    #[must_use]
    pub fn with_momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// The factor w of the parameters that is added to the gradient, 0 by default.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Sgd {
        self.weight_decay = decay;
        self
    }

    /// Nesterov's momentum.
    #[must_use]
    pub fn with_nesterov(mut self) -> Sgd {
        self.nesterov = true;
        self
    }
}

impl UpdateRule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn state_names(&self) -> &[&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    fn record(&self, u: &Update<'_>) -> (Var, Vec<Var>) {
        let gradient = u.decayed_gradient(self.weight_decay);
        let Some(&former) = u.state.first() else {
            return (u.parameters - u.rate * gradient, Vec::new());
        };
        let momentum = self.momentum * former + gradient;
        let direction = if self.nesterov { gradient + self.momentum * momentum } else { momentum };
        (u.parameters - u.rate * direction, vec![momentum])
    }

    fn check(&self) -> Result<()> {
        not_negative("sgd", "momentum", self.momentum)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::Setting {
                of: "sgd".into(),
                name: "momentum",
                value: "0".into(),
                expected: "positive for Nesterov's form",
            });
        }
        not_negative("sgd", "weight decay", self.weight_decay)
    }
}
