//! AdamW.

use super::moments::{Moments, moments_rule};
use crate::registry::RuleMember;

pub(crate) const ADAMW: RuleMember = RuleMember {
    name: "adamw",
    paper: "arXiv 1711.05101",
    formula: "x ← x − η (m̂/(√v̂ + ε) + w x)",
    settings: AdamW::SETTINGS,
    build: AdamW::build,
};

moments_rule! {
    /// AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2): parameters shrink by the
    /// learning rate times the weight decay, 0.01 by default.
    AdamW, "adamw", 0.01, |this, u| {
        let (direction, state) = this.direction(u, u.gradient);
        let decay = u.weight_decay(this.weight_decay);
        (u.parameters - u.rate * (direction + decay * u.parameters), state)
    }
}
