//! Files that are there whole or not at all, and the folders that hold them.

use super::{Error, Result};
use crate::nn::files;
use std::path::Path;
use std::{fs, io};

/// Replaces a file by way of a temporary one beside it, making its folder where there is none.
///
/// # Errors
/// [`Error::Folder`] and [`Error::File`], such as a path that is no regular file or read-only.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        make(folder)?;
    }
    Ok(files::replace(path, |out| out.write_all(bytes))?)
}

/// Makes a folder and checks that files of these names can be written there, before the work that
/// they are to hold.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let folder = dir.path().join("out");
/// burlap::report::writable_folder(&folder, ["report.html"])?;
/// std::fs::create_dir(folder.join("report.html"))?;
/// assert!(burlap::report::writable_folder(&folder, ["report.html"]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Folder`] and [`Error::File`], with the name of the folder or the file.
pub fn writable_folder<N: AsRef<Path>>(
    folder: &Path,
    names: impl IntoIterator<Item = N>,
) -> Result<()> {
    make(folder)?;
    names.into_iter().try_for_each(|name| Ok(files::check_replaceable(folder.join(name))?))
}

fn make(folder: &Path) -> Result<()> {
    let made = match folder.exists() && !folder.is_dir() {
        true => Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no folder")),
        false => fs::create_dir_all(folder),
    };
    made.map_err(|cause| Error::Folder { folder: folder.to_owned(), cause })
}
