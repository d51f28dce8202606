//! Reading and replacing files: the one way in which this library opens any.
//!
//! Only regular files are read or replaced: a device or a pipe could be without end, or be lost.
//! Readers bound what they take, and [`replace`] leaves the old contents or the new, whole.

mod error;
mod kind;
mod replace;

pub use error::FileError;
pub(crate) use kind::{HEAD, IDX, LONGEST_HEADER, SAFETENSORS, recognised};
pub use replace::{check_replaceable, replace};

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file for reading; links are followed.
///
/// # Errors
///
/// [`FileError::NotFound`], [`FileError::NotRegular`] for a folder, a device, a pipe or a socket,
/// and [`FileError::Read`] for what the operating system refuses.
pub fn open(path: impl AsRef<Path>) -> Result<File, FileError> {
    let path = path.as_ref();
    let failed = |cause| FileError::reading(path, cause);
    // Before opening, which would wait for the writer of a pipe.
    regular(path, &fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    regular(path, &file.metadata().map_err(failed)?)?;
    Ok(file)
}

/// Opens a regular file for reading and for appending, or starts an empty one.
///
/// # Errors
///
/// As [`open`], and [`FileError::ReadOnly`].
pub fn open_to_append(path: impl AsRef<Path>) -> Result<File, FileError> {
    let path = path.as_ref();
    let failed = |cause| FileError::Write { path: path.to_owned(), cause };
    match fs::metadata(path) {
        Ok(metadata) => writable(path, &metadata)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let open = OpenOptions::new().read(true).append(true).create(true).open(path);
    let file = open.map_err(failed)?;
    regular(path, &file.metadata().map_err(failed)?)?;
    Ok(file)
}

/// The contents of a regular file of at most `most` bytes.
///
/// ```
/// use burlap_nn::files;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("notes");
/// files::replace(&path, |out| out.write_all(b"three words here"))?;
/// assert_eq!(files::read(&path, 100)?, b"three words here");
/// assert!(files::read(&path, 10).is_err_and(|e| e.to_string().ends_with("more than 10 bytes")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`open`], and [`FileError::TooLarge`].
pub fn read(path: impl AsRef<Path>, most: u64) -> Result<Vec<u8>, FileError> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    let taken = open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes);
    taken.map_err(|cause| FileError::reading(path, cause))?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge { path: path.to_owned(), most });
    }
    Ok(bytes)
}

/// Refuses what is not a regular file.
fn regular(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(FileError::NotRegular { path: path.to_owned(), found: kind::of(metadata.file_type()) })
}

/// Refuses what is not a regular file, or may not be changed.
fn writable(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    regular(path, metadata)?;
    if metadata.permissions().readonly() {
        return Err(FileError::ReadOnly { path: path.to_owned() });
    }
    Ok(())
}
