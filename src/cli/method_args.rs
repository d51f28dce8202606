//! The flags of the methods' settings, which are those of the library's registry.

use super::error::{Error, Result};
use super::numbers;
use crate::nn::Layout;
use crate::optim::{
    Estimator, METHODS, Member, MethodSettings, Setting, SettingKind, SettingValue,
};
use clap::{Arg, ArgMatches, Command};
use std::ops::Range;

/// The flags of the methods' settings: defaults are those of each method, and settings that a method
/// does not have are passed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodArgs {
    /// The given settings, under present or former names.
    pub given: MethodSettings,
    /// Beginnings of the names of the parameters that are perturbed.
    pub layers: Option<Vec<String>>,
}

/// The help of a flag that takes names of methods: those of the registry.
pub fn methods_help() -> String {
    let names: Vec<&str> = METHODS.iter().map(|member| member.name).collect();
    format!("One or more of {}", names.join(", "))
}

/// Ranges of parameters are given by the layers' names.
fn settings() -> impl Iterator<Item = (&'static Member, &'static Setting)> {
    let all = METHODS.iter().flat_map(|m| m.all_settings().map(move |setting| (m, setting)));
    all.filter(|(_, setting)| setting.kind != SettingKind::Ranges)
}

/// The words of all settings, each with a setting that it names; former ones last.
fn words() -> Vec<(&'static str, &'static Setting)> {
    let present = settings().map(|(_, setting)| (setting.name, setting));
    let former = settings().filter_map(|(_, setting)| Some((setting.former_name?, setting)));
    let mut words: Vec<(&str, &Setting)> = Vec::new();
    for (word, setting) in present.chain(former) {
        if words.iter().all(|(other, _)| *other != word) {
            words.push((word, setting));
        }
    }
    words
}

/// The meanings of a setting with the defaults of the methods that have it.
fn help(name: &str) -> String {
    let mut meanings: Vec<(&str, Vec<(String, &str)>)> = Vec::new();
    for (member, setting) in settings().filter(|(_, setting)| setting.name == name) {
        let default = (setting.default_text(), member.name);
        match meanings.iter_mut().find(|(help, _)| *help == setting.help) {
            Some((_, defaults)) => defaults.push(default),
            None => meanings.push((setting.help, vec![default])),
        }
    }
    let one = |(help, defaults): &(&str, Vec<(String, &str)>)| {
        let first = &defaults[0].0;
        let alike = defaults.len() > 1 && defaults.iter().all(|(default, _)| default == first);
        match (alike, first.as_str()) {
            (true, "") => (*help).to_owned(),
            (true, default) => format!("{help} (default {default})"),
            _ => {
                let all: Vec<String> =
                    defaults.iter().map(|(default, name)| format!("{name} {default}")).collect();
                format!("{help} ({})", all.join(", "))
            }
        }
    };
    let mut text = meanings.iter().map(one).collect::<Vec<_>>().join("; ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn parse(kind: SettingKind, text: &str) -> std::result::Result<SettingValue, String> {
    match kind {
        SettingKind::Number => numbers::finite(text).map(SettingValue::from),
        SettingKind::Count => numbers::whole_u64(1..=numbers::MANY_U64)(text).map(Into::into),
        SettingKind::Estimator => {
            Estimator::from_name(text).map(Into::into).map_err(|error| error.to_string())
        }
        other => Err(format!("{} cannot be given here", other.name())),
    }
}

impl clap::Args for MethodArgs {
    fn augment_args(command: Command) -> Command {
        let flag = |(word, setting): (&'static str, &'static Setting)| {
            let kind = setting.kind;
            // `--rho -1` is a value out of range and not an unknown flag.
            let arg = Arg::new(word)
                .long(word)
                .value_name("VALUE")
                .allow_hyphen_values(kind != SettingKind::Estimator)
                .value_parser(move |text: &str| parse(kind, text));
            if word == setting.name {
                arg.help(help(word))
            } else {
                arg.help("A former name of other settings").hide(true)
            }
        };
        let layers = Arg::new("layers")
            .long("layers")
            .value_name("NAMES")
            .value_delimiter(',')
            .num_args(1)
            .help(
                "Only perturb these layers: beginnings of parameter names, such as fc1 or 0.weight",
            );
        command.args(words().into_iter().map(flag)).arg(layers)
    }

    fn augment_args_for_update(command: Command) -> Command {
        MethodArgs::augment_args(command)
    }
}

impl clap::FromArgMatches for MethodArgs {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<MethodArgs, clap::Error> {
        let mut args = MethodArgs::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        for (word, _) in words() {
            if let Some(value) = matches.get_one::<SettingValue>(word) {
                self.given.set(word, value.clone());
            }
        }
        if let Some(layers) = matches.get_many::<String>("layers") {
            self.layers = Some(layers.cloned().collect());
        }
        Ok(())
    }
}

impl MethodArgs {
    /// As the library's settings, for the parameters of a network.
    ///
    /// # Errors
    /// For an unknown layer.
    pub fn settings(&self, seed: u64, layout: &Layout) -> Result<MethodSettings> {
        let ranges = self.layers.as_deref().map(|names| ranges(names, layout)).transpose()?;
        Ok(self.given.clone().with_some("ranges", ranges).with_seed(seed))
    }

    /// The settings that a method has as a text, for saved runs.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn saved(&self, method: &str) -> Result<String> {
        let layers = self.layers.iter().map(|names| format!("layers {}", names.join(",")));
        let settings = self.given.applicable_to(method)?;
        let settings = settings.iter().map(|(name, value)| format!("{name} {value}"));
        Ok(settings.chain(layers).collect::<Vec<_>>().join("; "))
    }

    /// From a text of the first releases, which saved the debug form of their flags.
    pub fn from_first_releases(text: &str) -> Option<MethodArgs> {
        let fields = text.strip_prefix("MethodArgs { ")?.strip_suffix(" }")?;
        let (fields, layers) = fields.split_once(", layers: ")?;
        let some = |value: &str| {
            Some(value.strip_prefix("Some(")?.strip_suffix(')')?.trim_matches('"').to_owned())
        };
        let (mut args, words) = (MethodArgs::default(), words());
        for field in fields.split(", ") {
            let (name, value) = field.split_once(": ")?;
            let name = name.replace('_', "-");
            let (word, setting) = words.iter().find(|(word, _)| *word == name)?;
            if let Some(value) = some(value) {
                args.given.set(word, parse(setting.kind, &value).ok()?);
            }
        }
        if let Some(names) = some(layers) {
            let names = names.strip_prefix('[')?.strip_suffix(']')?;
            let name = |name: &str| name.trim_matches('"').to_owned();
            args.layers = Some(names.split(", ").map(name).collect());
        }
        Some(args)
    }
}

/// The ranges of the parameters whose names begin so.
fn ranges(names: &[String], layout: &Layout) -> Result<Vec<Range<usize>>> {
    let known = || layout.names().collect::<Vec<_>>().join(", ");
    for name in names {
        if !layout.names().any(|n| n.starts_with(name.as_str())) {
            return Err(Error::Usage(format!("--layers {name}: the network has {}", known())));
        }
    }
    let chosen = |name: &str| names.iter().any(|n| name.starts_with(n.as_str()));
    Ok(layout.entries().iter().filter(|e| chosen(e.name())).map(|e| e.range()).collect())
}
