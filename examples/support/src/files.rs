//! Files that are there whole or not at all.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Writes a file by way of a temporary one beside it, making its folder if it is not there.
///
/// # Errors
/// What the file system reports, with the name of the file.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let said = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(said)?;
    }
    let mut name = path.file_name().with_context(said)?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What failed is told; that a rest may remain is not worth hiding it.
        let _ = fs::remove_file(&part);
    }
    written.with_context(said)
}

/// Makes a folder and sees whether files can be made in it, so that work is not done in vain.
///
/// # Errors
/// What the file system reports, with the name of the folder.
pub fn writable_folder(folder: &Path) -> Result<()> {
    let probe = folder.join(format!(".{}.probe", std::process::id()));
    let tried = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, b""))
        .and_then(|()| fs::remove_file(&probe));
    tried.with_context(|| format!("cannot write into {}", folder.display()))
}
