//! Saved runs: parameters, momenta, step and seeds, with the settings they belong to.

use super::error::{Error, Result};
use super::experiment::TrainingArgs;
use super::method_args::MethodArgs;
use crate::nn::Checkpoint;
use crate::optim::{Member, State, Training};
use std::collections::BTreeMap;
use std::path::Path;

/// The settings that must agree for a run to go on as if it had not stopped.
fn settings(name: &str, a: &TrainingArgs) -> Result<BTreeMap<String, String>> {
    let settings = [
        ("data", a.data.data.clone()),
        ("model", a.model.clone()),
        ("optimizer", Member::named(name)?.name.to_owned()),
        ("settings", a.method.saved(name)?),
        ("lr", a.lr.to_string()),
        ("momentum", a.momentum.to_string()),
        ("weight-decay", a.weight_decay.to_string()),
        ("epochs", a.epochs.to_string()),
        ("batch", a.batch.to_string()),
        ("seed", a.seed.to_string()),
        ("label-noise", a.data.label_noise.to_string()),
        ("fraction", a.data.fraction.to_string()),
        ("normalize", a.data.normalize.map_or("default".into(), |n| n.to_string())),
        ("schedule", format!("{:?}", a.schedule).to_lowercase()),
        ("drop-last", a.drop_last.to_string()),
    ]
    .map(|(k, v)| (k.to_owned(), v));
    Ok(settings.into())
}

/// A setting of a saved run in its present form.
fn present(key: &str, value: &str, method: &str) -> Result<String> {
    Ok(match key {
        "optimizer" => Member::named(value).map_or(value, |member| member.name).to_owned(),
        "settings" => match MethodArgs::from_first_releases(value) {
            Some(former) => former.saved(method)?,
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    })
}

/// Marks whole numbers of the state among the metadata.
const NUMBER: &str = "number:";

pub(super) fn save(
    path: &Path,
    name: &str,
    args: &TrainingArgs,
    training: &Training,
) -> Result<()> {
    let state = training.state();
    let mut checkpoint =
        Checkpoint { arrays: state.arrays.into_iter().collect(), metadata: settings(name, args)? };
    for (name, value) in state.numbers {
        checkpoint.metadata.insert(format!("{NUMBER}{name}"), value.to_string());
    }
    checkpoint.save(path)?;
    Ok(())
}

pub(super) fn resume(
    path: &Path,
    name: &str,
    args: &TrainingArgs,
    training: &mut Training,
) -> Result<()> {
    let fail = |problem| Err(Error::SavedRun { path: path.to_owned(), problem });
    let checkpoint = Checkpoint::load(path)?;
    for (key, now) in settings(name, args)? {
        let then = checkpoint.metadata.get(&key);
        match then.map(|then| present(&key, then, name)).transpose()? {
            Some(then) if then == now => {}
            Some(then) => return fail(format!("saved with --{key} {then}, resumed with {now}")),
            None => return fail(format!("not a saved run, it has no {key}")),
        }
    }
    let mut state = State { arrays: checkpoint.arrays.into_iter().collect(), ..State::default() };
    for (key, value) in &checkpoint.metadata {
        if let Some(name) = key.strip_prefix(NUMBER) {
            let Ok(number) = value.parse() else {
                return fail(format!("{name} is {value:?}, not a number"));
            };
            state.numbers.insert(name.to_owned(), number);
        }
    }
    training.restore(&state)?;
    Ok(())
}
