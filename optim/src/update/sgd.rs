//! Stochastic gradient descent with momentum.

use super::{Update, UpdateRule};
use crate::error::{Error, Result, not_negative};
use crate::registry::{MethodSettings, RuleMember, Setting};
use crate::state::Stateful;
use burlap_autodiff::Var;

const DECAY: Setting = Setting::number("weight-decay", 0.0, "weight decay, added to the gradient");

pub(crate) const SGD: RuleMember = RuleMember {
    name: "sgd",
    paper: "Robbins and Monro 1951; Polyak 1964",
    formula: "m ← μ m + g; x ← x − η m",
    settings: &[Setting::number("momentum", 0.0, "factor μ of the previous momentum"), DECAY],
    build: |s| Ok(Box::new(of(s)?)),
};

pub(crate) const NESTEROV: RuleMember = RuleMember {
    name: "nesterov",
    paper: "Nesterov 1983; Sutskever et al. 2013",
    formula: "m ← μ m + g; x ← x − η (g + μ m)",
    settings: &[Setting::number("momentum", 0.9, "factor μ of the previous momentum"), DECAY],
    build: |s| Ok(Box::new(of(s)?.with_nesterov())),
};

fn of(s: &MethodSettings) -> Result<Sgd> {
    let decay = s.number("weight-decay")?;
    Ok(Sgd::new().with_momentum(s.number("momentum")?).with_weight_decay(decay))
}

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

impl Stateful for Sgd {
    fn state_names(&self) -> &[&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }
}

impl UpdateRule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
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
