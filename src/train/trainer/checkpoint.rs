//! The file in which a run is kept: everything that the next step reads.

use crate::autodiff::Array;
use crate::nn::Checkpoint;
use crate::optim::State;
use crate::train::data::described;
use crate::train::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Marks what must be the same for a run to go on.
const SAME: &str = "same:";

/// Marks whole numbers.
const NUMBER: &str = "number:";

/// Arrays, numbers and texts of a run, with the file that they are of.
#[derive(Debug)]
pub(super) struct Saved {
    path: PathBuf,
    arrays: BTreeMap<String, Array>,
    texts: BTreeMap<String, String>,
}

impl Saved {
    pub(super) fn new(path: &Path) -> Saved {
        Saved { path: path.to_owned(), arrays: BTreeMap::new(), texts: BTreeMap::new() }
    }

    pub(super) fn load(path: &Path) -> Result<Saved> {
        let Checkpoint { arrays, metadata } = Checkpoint::load(path)?;
        Ok(Saved { path: path.to_owned(), arrays: arrays.into_iter().collect(), texts: metadata })
    }

    /// Writes the file, all or nothing.
    pub(super) fn write(self) -> Result<()> {
        let host = |(name, array): (String, Array)| Ok((name, array.download()?));
        let arrays = self.arrays.into_iter().map(host).collect::<Result<_>>()?;
        let checkpoint = Checkpoint { arrays, metadata: self.texts };
        Ok(checkpoint.save(&self.path)?)
    }

    pub(super) fn fail<T>(&self, problem: String) -> Result<T> {
        Err(Error::Checkpoint { path: self.path.clone(), problem })
    }

    pub(super) fn put(&mut self, name: &str, array: Array) {
        self.arrays.insert(name.to_owned(), array);
    }

    pub(super) fn put_number(&mut self, name: &str, number: u64) {
        self.texts.insert(format!("{NUMBER}{name}"), number.to_string());
    }

    pub(super) fn put_float(&mut self, name: &str, value: f64) {
        self.put(name, Array::scalar(value));
    }

    pub(super) fn put_text(&mut self, name: &str, text: String) {
        self.texts.insert(name.to_owned(), text);
    }

    pub(super) fn put_state(&mut self, part: &str, state: State) {
        for (name, array) in state.arrays {
            self.put(&format!("{part}.{name}"), array);
        }
        for (name, number) in state.numbers {
            self.put_number(&format!("{part}.{name}"), number);
        }
    }

    pub(super) fn put_same(&mut self, what: &str, value: String) {
        self.texts.insert(format!("{SAME}{what}"), value);
    }

    /// Checks that a run with these properties is the one that was saved.
    pub(super) fn check_same(&self, now: &[(&'static str, String)]) -> Result<()> {
        for (what, now) in now {
            let Some(saved) = self.texts.get(&format!("{SAME}{what}")) else {
                return self.fail(format!("is no checkpoint of a training: {what} is missing"));
            };
            if saved != now {
                let (path, saved, now) = (self.path.clone(), shortened(saved), shortened(now));
                return Err(Error::OtherRun { path, what, saved, now });
            }
        }
        Ok(())
    }

    pub(super) fn array(&self, name: &str) -> Option<&Array> {
        self.arrays.get(name)
    }

    /// The array of a name, where there is one, of the type and shape of another.
    pub(super) fn array_like(&self, name: &str, like: &Array) -> Result<Option<Array>> {
        match self.arrays.get(name) {
            Some(found) if found.dtype() != like.dtype() || found.shape() != like.shape() => {
                let (found, like) = (described(found), described(like));
                self.fail(format!("{name:?} is {found}, not {like}"))
            }
            found => Ok(found.cloned()),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<u64> {
        let text = self.texts.get(&format!("{NUMBER}{name}"));
        match text.and_then(|text| text.parse().ok()) {
            Some(number) => Ok(number),
            None => self.fail(format!("there is no number {name:?}")),
        }
    }

    /// Whether there is a number of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.texts.contains_key(&format!("{NUMBER}{name}"))
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        self.arrays.get(name)?.item().ok()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The arrays and numbers whose names begin with `part` and a dot.
    pub(super) fn state(&self, part: &str) -> State {
        let numbers = self.texts.iter().filter_map(|(name, text)| {
            Some((name.strip_prefix(NUMBER)?.to_owned(), text.parse().ok()?))
        });
        let state = State { arrays: self.arrays.clone(), numbers: numbers.collect() };
        state.part(part)
    }
}

/// A description that fits a sentence.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
