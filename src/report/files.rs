//! Files that are there whole or not at all, and folders of them.

use anyhow::{Context, Result, anyhow};
use burlap::nn::files;
use std::fs;
use std::path::Path;

/// Writes a file by way of a temporary one beside it, making its folder if it is not there.
///
/// # Errors
/// What the file system reports, with the name of the file; that it is no regular one, or read-only.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        make(folder)?;
    }
    Ok(files::replace(path, |out| out.write_all(bytes))?)
}

/// Makes a folder and sees whether files of these names can be written there, so that work is not
/// done in vain.
///
/// # Errors
/// What the file system reports, with the name of the folder or the file.
pub fn writable_folder<N: AsRef<Path>>(
    folder: &Path,
    names: impl IntoIterator<Item = N>,
) -> Result<()> {
    make(folder)?;
    names.into_iter().try_for_each(|name| Ok(files::check_replaceable(folder.join(name))?))
}

fn make(folder: &Path) -> Result<()> {
    let said = || format!("cannot write into {}", folder.display());
    if folder.exists() && !folder.is_dir() {
        return Err(anyhow!("it is no folder").context(said()));
    }
    fs::create_dir_all(folder).with_context(said)
}
