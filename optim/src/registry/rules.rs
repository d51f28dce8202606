//! The registry of update rules: one row a rule.

use super::settings::{MethodSettings, Resolution, Setting};
use crate::error::{Error, Result};
use crate::update::{UpdateRule, adam, adamw, lion, sgd};
use std::fmt;

/// The update rules that have names, a row each.
pub static UPDATE_RULES: &[RuleMember] =
    &[sgd::SGD, sgd::NESTEROV, adam::ADAM, adamw::ADAMW, lion::LION];

/// An update rule of the registry.
#[derive(Clone, Copy)]
pub struct RuleMember {
    /// The name.
    pub name: &'static str,
    /// The source.
    pub paper: &'static str,
    /// The update as a formula of the gradient g, the parameters x and the learning rate η.
    pub formula: &'static str,
    /// The settings.
    pub settings: &'static [Setting],
    pub(crate) build: fn(&MethodSettings) -> Result<Box<dyn UpdateRule>>,
}

impl fmt::Debug for RuleMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.name, self.formula, self.paper)
    }
}

#[doc = "An update rule by its name, one of [`UPDATE_RULES`]."]
#[doc = ""]
#[doc = include_str!("rules.md")]
/// ```
/// use burlap_optim::{MethodSettings, UpdateRule, update_rule};
/// let rule = update_rule("adamw", &MethodSettings::new().with("weight-decay", 0.1))?;
/// assert_eq!(rule.name(), "adamw");
/// let error = update_rule("adam", &MethodSettings::new().with("momentum", 0.9)).unwrap_err();
/// assert!(error.to_string().starts_with("adam: momentum is 0.9, but must be left out"));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unknown`] for another name; [`Error::Setting`] for a setting out of range, and
/// [`Error::UnknownSetting`] for one that the rule does not have.
pub fn update_rule(name: &str, settings: &MethodSettings) -> Result<Box<dyn UpdateRule>> {
    let Some(member) = UPDATE_RULES.iter().find(|member| member.name == name) else {
        let known = UPDATE_RULES.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
        return Err(Error::Unknown { what: "update rule", name: name.into(), known });
    };
    let resolution = Resolution::new(name, member.settings.iter(), settings)?;
    if let Some((setting, value)) = resolution.refused.into_iter().next() {
        let (of, value) = (name.into(), value.to_string());
        return Err(Error::UnknownSetting { of, name: setting, value });
    }
    let rule = (member.build)(&resolution.effective)?;
    rule.check()?;
    Ok(rule)
}

/// The table of all update rules in Markdown: name, formula, settings with defaults, source.
pub fn update_rules_table() -> String {
    let rows = UPDATE_RULES.iter().map(|m| (m.name, m.formula, m.settings, m.paper));
    super::table("update", rows)
}
