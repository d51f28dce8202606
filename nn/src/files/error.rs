//! What can be wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not read or written. What the operating system said is part of the sentence, so it
/// is not told as a cause once more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is nothing of that name.
    #[error("{}: no such file", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// Something that is not a regular file: reading could be without end, and writing would
    /// replace it.
    #[error("{}: is {found}, but a regular file is needed", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        found: &'static str,
    },
    /// A file that its permissions keep from being changed.
    #[error("{}: is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The folder of a file to be written is not there, or no folder.
    #[error("{}: cannot be written: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// A link to a link, and so on without end.
    #[error("{}: too many links lead to one another", path.display())]
    Links {
        /// The file.
        path: PathBuf,
    },
    /// A file that is longer than what is read of it.
    #[error("{}: more than {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The number of bytes that are read at most.
        most: u64,
    },
    /// The operating system could not read the file.
    #[error("{}: cannot be read: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The operating system could not write the file; one that was there is unchanged.
    #[error("{}: cannot be written: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

impl FileError {
    pub(crate) fn reading(path: &Path, cause: io::Error) -> FileError {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::NotFound => FileError::NotFound { path },
            _ => FileError::Read { path, cause },
        }
    }
}
