//! Named arrays in a file.

mod error;
mod format;

pub use error::CheckpointError;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use burlap_autodiff::Array;

use crate::Result;

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

    /// Writes the file, all or nothing: what was there before stays whole until the new
    /// contents are on the disk, and stays for good if that fails.
    ///
    /// Equal checkpoints give equal bytes.
    ///
    /// # Errors
    ///
    /// A [`CheckpointError`]: a name occurs twice or is reserved, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (header, arrays) = format::encode(self, path)?;
        replace(path, |out| {
            out.write_all(&header)?;
            arrays.iter().try_for_each(|array| out.write_all(&format::bytes(array)))
        })
        .map_err(|source| CheckpointError::Write { path: path.to_owned(), source })?;
        Ok(())
    }

    /// Reads a safetensors file.
    ///
    /// Arrays come in the order of the file: by size of an element, those of 8 bytes first,
    /// and then as they were saved. Files that were not written by [`save`](Self::save) may
    /// be read too, if all their elements are `F32`, `F64`, `U32` or `BOOL`.
    ///
    /// # Errors
    ///
    /// A [`CheckpointError`] that names the file: it cannot be read, is truncated or damaged
    /// ([`save`](Self::save) adds a checksum), or holds elements of another type.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let contents = fs::read(path)
            .map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
        Ok(format::decode(&contents, path)?)
    }
}

/// Writes a file beside `path`, and puts it in its place once it is complete and on the disk.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".checkpoint-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file, less the umask; the default is for the owner only.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // Removed again when dropped before `persist`.
    let file = builder.tempfile_in(dir)?;
    let mut out = BufWriter::new(file.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The renaming is on the disk only with the folder; not every system can open one.
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
