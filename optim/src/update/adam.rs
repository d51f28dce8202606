//! Adam.

use super::moments::{Moments, moments_rule};
use crate::registry::RuleMember;

pub(crate) const ADAM: RuleMember = RuleMember {
    name: "adam",
    paper: "arXiv 1412.6980",
    formula: "x ← x − η m̂/(√v̂ + ε)",
    settings: Adam::SETTINGS,
    build: Adam::build,
};

moments_rule! {
    /// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1); weight decay is added to the
    /// gradient, 0 by default.
    Adam, "adam", 0.0, |this, u| {
        let (direction, state) = this.direction(u, u.decayed_gradient(this.weight_decay));
        (u.parameters - u.rate * direction, state)
    }
}
