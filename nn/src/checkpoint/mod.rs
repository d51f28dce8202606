//! Named arrays in a file.

mod error;
mod format;

pub use error::CheckpointError;

use std::collections::BTreeMap;
use std::path::Path;

use burlap_autodiff::Array;

use crate::Result;
use crate::files::{self, FileError};

/// Named arrays and a map of strings, as they are kept in a safetensors file.
///
/// The parameters of a model go in under their names, so that other programs can read them;
/// the state of an optimizer goes beside them in a section of its own.
///
/// ```
/// use burlap_autodiff::{Array, DType};
/// use burlap_nn::{Checkpoint, Linear, Model};
///
/// let model = Model::new(Linear::new(3, 2))?;
/// let params = model.init(1, DType::F32);
///
/// let mut saved = Checkpoint::default();
/// saved.insert_section("model", model.layout().split(&params)?);
/// saved.insert("optimizer.velocity", Array::zeros(DType::F32, params.shape()));
/// saved.metadata.insert("epoch".into(), "3".into());
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("model.safetensors");
/// saved.save(&path)?;
///
/// let loaded = Checkpoint::load(&path)?;
/// assert_eq!(model.layout().join(&loaded.section("model"))?, params);
/// assert_eq!(loaded.metadata["epoch"], "3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The arrays, each under a name of its own.
    pub arrays: Vec<(String, Array)>,
    /// What else is to be remembered.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Appends an array.
    pub fn insert(&mut self, name: impl Into<String>, array: Array) {
        self.arrays.push((name.into(), array));
    }

    /// Appends arrays, each under its name with `section` and a dot before it.
    pub fn insert_section(&mut self, section: &str, arrays: Vec<(String, Array)>) {
        for (name, array) in arrays {
            self.insert(format!("{section}.{name}"), array);
        }
    }

    /// The array of that name, or `None`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Array> {
        let (_, array) = self.arrays.iter().find(|(known, _)| known == name)?;
        Some(array)
    }

    /// The arrays whose names start with `section` and a dot, under the rest of their names.
    #[must_use]
    pub fn section(&self, section: &str) -> Vec<(String, Array)> {
        let inside = |(name, array): &(String, Array)| {
            let rest = name.strip_prefix(section)?.strip_prefix('.')?;
            Some((rest.to_owned(), array.clone()))
        };
        self.arrays.iter().filter_map(inside).collect()
    }

    /// Writes the file, all or nothing, by [`files::replace`]: what was there before stays whole
    /// until the new contents are on the disk, and stays for good if that fails.
    ///
    /// Equal checkpoints give equal bytes. Arrays that live on a device are downloaded.
    ///
    /// # Errors
    ///
    /// A [`CheckpointError`]: a name occurs twice or is reserved, or the file cannot be written; that
    /// it could be is told by [`files::check_replaceable`]; or an array cannot be downloaded.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let host = self.on_host(path)?;
        let (header, arrays) = format::encode(&host, path)?;
        files::replace(path, |out| {
            out.write_all(&header)?;
            arrays.iter().try_for_each(|array| out.write_all(&format::bytes(array)))
        })
        .map_err(CheckpointError::from)?;
        Ok(())
    }

    fn on_host(&self, path: &Path) -> Result<Checkpoint, CheckpointError> {
        let one = |(name, array): &(String, Array)| match array.download() {
            Ok(host) => Ok((name.clone(), host)),
            Err(cause) => {
                let (path, name, cause) = (path.to_owned(), name.clone(), Box::new(cause));
                Err(CheckpointError::Download { path, name, cause })
            }
        };
        let arrays = self.arrays.iter().map(one).collect::<Result<_, CheckpointError>>()?;
        Ok(Checkpoint { arrays, metadata: self.metadata.clone() })
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// Arrays come in the order of the file: by size of an element, those of 8 bytes first,
    /// and then as they were saved. The checksum in the file must be that of the contents, so what is
    /// loaded is what was saved.
    ///
    /// # Errors
    ///
    /// A [`CheckpointError`] that names the file: it cannot be read, is of another kind, truncated or
    /// damaged, has no checksum, or is of a later release.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        read(path.as_ref(), Checked::Always)
    }

    /// Reads a safetensors file of another writer, whose elements are all `F32`, `F64`, `U32` or
    /// `BOOL`. Only damage that breaks the format is found; a checksum is compared where there is one.
    ///
    /// # Errors
    ///
    /// A [`CheckpointError`] that names the file: it cannot be read, is of another kind, truncated or
    /// damaged, or holds elements of another type.
    pub fn load_foreign(path: impl AsRef<Path>) -> Result<Self> {
        read(path.as_ref(), Checked::WherePresent)
    }
}

/// Whether a file must have a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    Always,
    WherePresent,
}

fn read(path: &Path, checked: Checked) -> Result<Checkpoint> {
    let mut file = files::open(path).map_err(CheckpointError::from)?;
    let failed = |cause| CheckpointError::from(FileError::reading(path, cause));
    let length = file.metadata().map_err(failed)?.len();
    Ok(format::decode(&mut file, length, path, checked)?)
}
