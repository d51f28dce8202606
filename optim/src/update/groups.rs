//! Groups of parameters with settings of their own: rate, weight decay, clipping; frozen ones.

use super::{Update, UpdateRule};
use crate::error::{Error, Result, not_negative, positive};
use crate::parameters::Parameter;
use crate::state::forward_state;
use burlap_autodiff::Var;
use std::ops::Range;

/// Which parameters: by patterns of their names, or by their shapes.
///
/// In a pattern `*` stands for any letters, dots included, and a leading `*.` for nothing too:
/// `"*.bias"` is every bias, also that of a network of one layer.
///
/// ```
/// use burlap_optim::Selection;
/// let biases = Selection::from("*.bias");
/// assert!(biases.contains("encoder.0.bias", &[8]) && biases.contains("bias", &[8]));
/// assert!(!biases.contains("encoder.0.weight", &[8, 8]));
/// // Biases, and the scales of normalisations.
/// assert!(Selection::vectors().contains("norm.weight", &[8]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    All,
    Vectors,
    Names(Vec<String>),
}

impl Selection {
    /// All parameters.
    pub fn all() -> Selection {
        Selection(Kind::All)
    }

    /// Parameters of fewer than two axes: biases, and scales of normalisations.
    pub fn vectors() -> Selection {
        Selection(Kind::Vectors)
    }

    /// Whether a parameter of this name and shape is one of them.
    pub fn contains(&self, name: &str, shape: &[usize]) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::Vectors => shape.len() < 2,
            Kind::Names(patterns) => patterns.iter().any(|pattern| matches(pattern, name)),
        }
    }

    /// The patterns that match none of the names.
    fn unmatched(&self, layout: &[Parameter]) -> Option<&str> {
        let Kind::Names(patterns) = &self.0 else {
            return None;
        };
        let none = |pattern: &&String| !layout.iter().any(|p| matches(pattern, p.name()));
        patterns.iter().find(none).map(String::as_str)
    }
}

impl From<&str> for Selection {
    fn from(pattern: &str) -> Selection {
        Selection(Kind::Names(vec![pattern.to_owned()]))
    }
}

impl<const N: usize> From<[&str; N]> for Selection {
    fn from(patterns: [&str; N]) -> Selection {
        Selection(Kind::Names(patterns.map(str::to_owned).into()))
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::All => f.write_str("all parameters"),
            Kind::Vectors => f.write_str("vectors"),
            Kind::Names(patterns) => write!(f, "{patterns:?}"),
        }
    }
}

/// Whether a name is of a pattern's form.
fn matches(pattern: &str, name: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("*.")
        && matches(rest, name)
    {
        return true;
    }
    let mut parts = pattern.split('*');
    let (first, last) = (parts.next().unwrap_or(""), pattern.rsplit('*').next().unwrap_or(""));
    if !pattern.contains('*') {
        return pattern == name;
    }
    let Some(rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last) else {
        return false;
    };
    // Each part between two stars at its first place: none further to the right matches more.
    let between = pattern.matches('*').count() - 1;
    parts.take(between).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// Settings of some parameters; what is not set is as for all.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Group, Objective, Optimizer, Sgd, UpdateRule};
/// let loss = |x: Var, _: &[Var]| x.square().sum();
/// let objective = Objective::new(Cpu::new(), DType::F64, 3, loss)
///     .with_layout([("scale", vec![]), ("weight", vec![2])])?;
/// let rule = Sgd::new().with_group(Group::new("weight").with_rate_factor(0.5));
/// let mut optimizer = Optimizer::of(rule, &objective)?;
/// let mut x = Array::vector([1.0, 1.0, 1.0]);
/// optimizer.step(&mut x, &Array::vector([1.0, 1.0, 1.0]), 0.5)?;
/// assert_eq!(x.to_string(), "[0.5, 0.75, 0.75]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    selection: Selection,
    rate_factor: Option<f64>,
    weight_decay: Option<f64>,
    clipping: Option<f64>,
    frozen: bool,
}

impl Group {
    /// A group without settings of its own.
    pub fn new(selection: impl Into<Selection>) -> Group {
        Group {
            selection: selection.into(),
            rate_factor: None,
            weight_decay: None,
            clipping: None,
            frozen: false,
        }
    }

    /// Multiplies the schedule's learning rate.
    #[must_use]
    pub fn with_rate_factor(mut self, factor: f64) -> Group {
        self.rate_factor = Some(factor);
        self
    }

    /// The weight decay in place of the rule's.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Group {
        self.weight_decay = Some(decay);
        self
    }

    /// Scales the gradient of these parameters together down to a Euclidean norm, where its own is
    /// larger.
    #[must_use]
    pub fn with_clipping(mut self, norm: f64) -> Group {
        self.clipping = Some(norm);
        self
    }

    /// Leaves these parameters as they are; their gradients count in no norm.
    #[must_use]
    pub fn frozen(mut self) -> Group {
        self.frozen = true;
        self
    }

    fn check(&self, rule: &str) -> Result<()> {
        let of = format!("{rule}, group of {}", self.selection);
        self.rate_factor.map_or(Ok(()), |f| not_negative(&of, "the rate's factor", f))?;
        self.weight_decay.map_or(Ok(()), |w| not_negative(&of, "weight decay", w))?;
        self.clipping.map_or(Ok(()), |norm| positive(&of, "clipping norm", norm))
    }
}

/// A rule with [groups](Group) of parameters.
#[derive(Debug)]
pub struct Grouped {
    rule: Box<dyn UpdateRule>,
    groups: Vec<Group>,
}

impl Grouped {
    pub(super) fn new(rule: impl UpdateRule + 'static, group: Group) -> Grouped {
        let mut groups = rule.groups().to_vec();
        groups.push(group);
        Grouped { rule: Box::new(rule), groups }
    }
}

forward_state!([] Grouped, |grouped| grouped.rule);

impl UpdateRule for Grouped {
    fn name(&self) -> &'static str {
        self.rule.name()
    }

    fn record(&self, update: &Update<'_>) -> (Var, Vec<Var>) {
        self.rule.record(update)
    }

    fn check(&self) -> Result<()> {
        self.rule.check()?;
        self.groups.iter().try_for_each(|group| group.check(self.name()))
    }

    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn with_group(mut self, group: Group) -> Grouped {
        self.groups.push(group);
        self
    }
}

/// Neighbouring parameters with the same settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) range: Range<usize>,
    /// Those within the range, with their places in it.
    pub(super) layout: Vec<Parameter>,
    pub(super) rate_factor: f64,
    pub(super) weight_decay: Option<f64>,
    /// The place among the groups of the one that clips, and its norm.
    pub(super) clipping: Option<(usize, f64)>,
    pub(super) frozen: bool,
}

impl Segment {
    fn new(range: Range<usize>, layout: Vec<Parameter>) -> Segment {
        Segment {
            range,
            layout,
            rate_factor: 1.0,
            weight_decay: None,
            clipping: None,
            frozen: false,
        }
    }

    fn set(&mut self, number: usize, group: &Group) {
        self.rate_factor = group.rate_factor.unwrap_or(self.rate_factor);
        self.weight_decay = group.weight_decay.or(self.weight_decay);
        self.clipping = group.clipping.map(|norm| (number, norm)).or(self.clipping);
        self.frozen |= group.frozen;
    }

    fn is_like(&self, other: &Segment) -> bool {
        let settings = |s: &Segment| (s.rate_factor, s.weight_decay, s.clipping, s.frozen);
        settings(self) == settings(other)
    }

    /// The part of a vector of all parameters.
    pub(super) fn of(&self, all: Var) -> Var {
        match all.shape().count() == self.range.len() {
            true => all,
            false => all.slice_axis(0, self.range.start, self.range.end),
        }
    }
}

/// The segments of `dim` parameters, in their order.
pub(super) fn segments(
    rule: &dyn UpdateRule,
    layout: &[Parameter],
    dim: usize,
) -> Result<Vec<Segment>> {
    let groups = rule.groups();
    let of_all = |group: &Group| group.selection == Selection::all();
    if layout.is_empty() || groups.iter().all(of_all) {
        if let Some(group) = groups.iter().find(|group| !of_all(group)) {
            return Err(Error::Setting {
                of: rule.name().into(),
                name: "a group",
                value: format!("that of {}", group.selection),
                expected: "of all parameters where their names are not known \
                           (Objective::with_layout tells them)",
            });
        }
        let mut all = Segment::new(0..dim, layout.to_vec());
        groups.iter().enumerate().for_each(|(i, group)| all.set(i, group));
        return Ok(vec![all]);
    }
    if let Some(pattern) = groups.iter().find_map(|group| group.selection.unmatched(layout)) {
        let names: Vec<&str> = layout.iter().map(Parameter::name).collect();
        return Err(Error::Unknown {
            what: "parameter",
            name: pattern.to_owned(),
            known: names.join(", "),
        });
    }
    let mut segments: Vec<Segment> = Vec::new();
    for parameter in layout {
        let mut one = Segment::new(parameter.range(), Vec::new());
        for (i, group) in groups.iter().enumerate() {
            if group.selection.contains(parameter.name(), parameter.shape()) {
                one.set(i, group);
            }
        }
        match segments.last_mut().filter(|last| last.is_like(&one)) {
            Some(last) => last.range.end = one.range.end,
            None => segments.push(one),
        }
        if let Some(last) = segments.last_mut() {
            last.layout.push(parameter.moved(last.range.start));
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("*.bias", "fc1.bias", true),
            ("*.bias", "bias", true),
            ("*.bias", "a.b.bias", true),
            ("*.bias", "fc1.bias2", false),
            ("*.bias", "unbias", false),
            ("*bias", "unbias", true),
            ("fc1.*", "fc1.weight", true),
            ("fc1.*", "fc10.weight", false),
            ("fc1", "fc1.weight", false),
            ("*", "anything", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("ab*ba", "aba", false),
            ("*norm*", "block.norm1.weight", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
