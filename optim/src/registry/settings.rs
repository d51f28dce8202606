//! Settings of methods: names, values, defaults.

use crate::error::{Error, Result};
use crate::gradient::penalty::Estimator;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SettingValue {
    /// A real number.
    Number(f64),
    /// A whole number.
    Count(u64),
    /// An estimator of curvatures.
    Estimator(Estimator),
    /// Ranges of the parameter vector.
    Ranges(Vec<Range<usize>>),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Number(number) => number.fmt(f),
            SettingValue::Count(count) => count.fmt(f),
            SettingValue::Estimator(estimator) => f.write_str(estimator.name()),
            SettingValue::Ranges(ranges) => write!(f, "{ranges:?}"),
        }
    }
}

impl From<f64> for SettingValue {
    fn from(number: f64) -> SettingValue {
        SettingValue::Number(number)
    }
}

impl From<u64> for SettingValue {
    fn from(count: u64) -> SettingValue {
        SettingValue::Count(count)
    }
}

impl From<usize> for SettingValue {
    fn from(count: usize) -> SettingValue {
        SettingValue::Count(count as u64)
    }
}

impl From<Estimator> for SettingValue {
    fn from(estimator: Estimator) -> SettingValue {
        SettingValue::Estimator(estimator)
    }
}

impl From<Vec<Range<usize>>> for SettingValue {
    fn from(ranges: Vec<Range<usize>>) -> SettingValue {
        SettingValue::Ranges(ranges)
    }
}

/// The kind of value that a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// A real number.
    Number,
    /// A whole number.
    Count,
    /// The name of an estimator.
    Estimator,
    /// Ranges of the parameter vector.
    Ranges,
}

impl SettingKind {
    /// The kind in words.
    pub fn name(self) -> &'static str {
        match self {
            SettingKind::Number => "a number",
            SettingKind::Count => "a whole number",
            SettingKind::Estimator => "an estimator",
            SettingKind::Ranges => "ranges of parameters",
        }
    }

    /// The value as one of this kind: a whole number is a number, too.
    fn accept(self, value: &SettingValue) -> Option<SettingValue> {
        use SettingValue::{Count, Number, Ranges};
        match (self, value) {
            (SettingKind::Number, Count(count)) => Some(Number(*count as f64)),
            (SettingKind::Number, Number(_))
            | (SettingKind::Count, Count(_))
            | (SettingKind::Estimator, SettingValue::Estimator(_))
            | (SettingKind::Ranges, Ranges(_)) => Some(value.clone()),
            _ => None,
        }
    }
}

/// The default of a setting.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// None: the setting is off.
    Off,
    Number(f64),
    Count(u64),
    Estimator(Estimator),
    /// A function of the estimator, with its text in documents.
    ByEstimator(&'static str, fn(Estimator) -> SettingValue),
}

/// A setting of a method: its name, meaning and default.
#[derive(Clone, Copy)]
pub struct Setting {
    /// The name, as on a command line.
    pub name: &'static str,
    /// The name under which the first releases knew it, where it is another one.
    pub former_name: Option<&'static str>,
    /// The meaning, a few words.
    pub help: &'static str,
    /// The kind of value.
    pub kind: SettingKind,
    pub(crate) default: Default,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.help)
    }
}

impl Setting {
    const fn new(
        name: &'static str,
        kind: SettingKind,
        default: Default,
        help: &'static str,
    ) -> Setting {
        Setting { name, former_name: None, help, kind, default }
    }

    pub(crate) const fn number(name: &'static str, default: f64, help: &'static str) -> Setting {
        Setting::new(name, SettingKind::Number, Default::Number(default), help)
    }

    pub(crate) const fn count(name: &'static str, default: u64, help: &'static str) -> Setting {
        Setting::new(name, SettingKind::Count, Default::Count(default), help)
    }

    pub(crate) const fn estimator(
        name: &'static str,
        default: Estimator,
        help: &'static str,
    ) -> Setting {
        Setting::new(name, SettingKind::Estimator, Default::Estimator(default), help)
    }

    /// A setting whose default depends on the estimator, which must come before it.
    pub(crate) const fn by_estimator(
        name: &'static str,
        kind: SettingKind,
        (text, default): (&'static str, fn(Estimator) -> SettingValue),
        help: &'static str,
    ) -> Setting {
        Setting::new(name, kind, Default::ByEstimator(text, default), help)
    }

    /// A setting that is off unless it is given.
    pub(crate) const fn off(name: &'static str, kind: SettingKind, help: &'static str) -> Setting {
        Setting::new(name, kind, Default::Off, help)
    }

    /// The same setting, known by another name in the first releases.
    pub(crate) const fn formerly(mut self, name: &'static str) -> Setting {
        self.former_name = Some(name);
        self
    }

    /// The default as a text; empty where the setting is off.
    pub fn default_text(&self) -> String {
        match self.default {
            Default::Off => String::new(),
            Default::Number(number) => number.to_string(),
            Default::Count(count) => count.to_string(),
            Default::Estimator(estimator) => estimator.name().to_owned(),
            Default::ByEstimator(text, _) => text.to_owned(),
        }
    }

    fn default_value(&self, resolved: &MethodSettings) -> Option<SettingValue> {
        Some(match self.default {
            Default::Off => return None,
            Default::Number(number) => number.into(),
            Default::Count(count) => count.into(),
            Default::Estimator(estimator) => estimator.into(),
            Default::ByEstimator(_, default) => {
                default(resolved.estimator().unwrap_or(Estimator::Exact))
            }
        })
    }
}

/// Settings of a method by their names; one that is absent has the method's default. The
/// [table](fn@crate::method) tells which method has which settings.
///
/// ```
/// use burlap_optim::MethodSettings;
/// let settings = MethodSettings::new().with("rho", 0.1).with("every", 5u64).with_seed(3);
/// assert_eq!(settings.to_string(), "every 5, rho 0.1");
/// # assert_eq!(settings.number("rho")?, 0.1);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Clone, Debug, std::default::Default, PartialEq)]
pub struct MethodSettings {
    values: BTreeMap<String, SettingValue>,
    seed: u64,
}

impl fmt::Display for MethodSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |(name, value): (&String, &SettingValue)| format!("{name} {value}");
        f.write_str(&self.values.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

impl MethodSettings {
    /// All defaults, and the seed 0.
    pub fn new() -> MethodSettings {
        MethodSettings::default()
    }

    /// The same with a value for a setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<SettingValue>) -> MethodSettings {
        self.set(name, value);
        self
    }

    /// The same with a value for a setting, or as before where there is none.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<SettingValue>>) -> MethodSettings {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with another seed of random draws.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> MethodSettings {
        self.seed = seed;
        self
    }

    /// Sets a value.
    pub fn set(&mut self, name: &str, value: impl Into<SettingValue>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// The seed of random draws.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The value of a setting; none where it is absent.
    pub fn get(&self, name: &str) -> Option<&SettingValue> {
        self.values.get(name)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SettingValue)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The estimator, where there is one.
    pub fn estimator(&self) -> Option<Estimator> {
        match self.get("estimator") {
            Some(SettingValue::Estimator(estimator)) => Some(*estimator),
            _ => None,
        }
    }

    /// The number of a setting.
    ///
    /// # Errors
    /// [`Error::Unknown`] where it is absent or no number.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.get(name) {
            Some(SettingValue::Number(number)) => Ok(*number),
            _ => Err(self.absent(name)),
        }
    }

    /// The whole number of a setting.
    ///
    /// # Errors
    /// [`Error::Unknown`] where it is absent or no whole number.
    pub fn count(&self, name: &str) -> Result<u64> {
        match self.get(name) {
            Some(SettingValue::Count(count)) => Ok(*count),
            _ => Err(self.absent(name)),
        }
    }

    fn absent(&self, name: &str) -> Error {
        let known = self.values.keys().cloned().collect::<Vec<_>>().join(", ");
        Error::Unknown { what: "setting", name: name.to_owned(), known }
    }
}

/// The settings of a method after its defaults, and the given ones that it does not have.
pub(super) struct Resolution {
    pub(super) effective: MethodSettings,
    /// The given settings among these, under their present names.
    pub(super) applicable: MethodSettings,
    pub(super) refused: Vec<(String, SettingValue)>,
}

impl Resolution {
    /// Given settings, under present or former names, and defaults.
    pub(super) fn new<'a>(
        label: &str,
        settings: impl Iterator<Item = &'a Setting>,
        given: &MethodSettings,
    ) -> Result<Resolution> {
        let empty = MethodSettings::new().with_seed(given.seed);
        let (mut effective, mut applicable) = (empty.clone(), empty);
        let mut rest = given.values.clone();
        for setting in settings {
            let present = rest.remove(setting.name);
            // A former name may be another setting's present one.
            let former = setting.former_name.filter(|_| present.is_none());
            let value = match present.or_else(|| former.and_then(|name| rest.remove(name))) {
                None => setting.default_value(&effective),
                Some(value) => {
                    let Some(value) = setting.kind.accept(&value) else {
                        return Err(Error::Setting {
                            of: label.to_owned(),
                            name: setting.name,
                            value: value.to_string(),
                            expected: setting.kind.name(),
                        });
                    };
                    applicable.set(setting.name, value.clone());
                    Some(value)
                }
            };
            if let Some(value) = value {
                effective.set(setting.name, value);
            }
        }
        Ok(Resolution { effective, applicable, refused: rest.into_iter().collect() })
    }
}
