//! Files that are there whole or not at all.

use super::{FileError, writable};
use crate::init::hash;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Links that are followed, one to the other.
const LINKS: usize = 40;

/// Writes a file beside `path`, and puts it in its place once it is complete and on the disk: a reader
/// sees the old contents or the new.
///
/// A link is followed: what it leads to is replaced. An existing file keeps its permissions. What a
/// killed process left of writing the same file is removed, if no living one is writing it.
///
/// # Errors
///
/// [`FileError::NotRegular`], [`FileError::ReadOnly`], [`FileError::NoFolder`],
/// [`FileError::Links`], or [`FileError::Write`] for what the operating system or `write` reports;
/// what was there is unchanged then.
pub fn replace(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let path = path.as_ref();
    let target = Target::of(path)?;
    target.remove_left_over();
    let written = target.begin().and_then(|file| target.put(file, write));
    written.map_err(|cause| FileError::Write { path: path.to_owned(), cause })
}

/// Whether [`replace`] could write there now, so that work is not done in vain. Nothing is changed.
///
/// # Errors
///
/// As [`replace`].
pub fn check_replaceable(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    let begun = Target::of(path)?.begun();
    begun.map(drop).map_err(|cause| FileError::Write { path: path.to_owned(), cause })
}

/// A file to be replaced, at the end of all links.
struct Target {
    path: PathBuf,
    folder: PathBuf,
    /// How the names of files beside it begin that are to take its place.
    prefix: String,
    /// Those of the file that is there.
    permissions: Option<Permissions>,
}

impl Target {
    fn of(given: &Path) -> Result<Target, FileError> {
        let path = followed(given)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let failed = |cause| FileError::Write { path: given.to_owned(), cause };
        let permissions = match fs::metadata(&path) {
            Ok(metadata) => {
                writable(given, &metadata)?;
                // Asks the system, which knows of more than permissions.
                OpenOptions::new().write(true).open(&path).map_err(failed)?;
                Some(metadata.permissions())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if folder.is_dir() => return Err(failed(error)),
            Err(_) => None,
        };
        if !folder.is_dir() {
            return Err(FileError::NoFolder { path: given.to_owned(), folder });
        }
        let name = path.file_name().map(OsString::from);
        let Some(name) = name.filter(|_| !ends_with_separator(&path)) else {
            return Err(FileError::NotRegular { path: given.to_owned(), found: "a folder" });
        };
        Ok(Target { prefix: prefix(&name.to_string_lossy()), path, folder, permissions })
    }

    /// A new file beside the target.
    fn begun(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&self.prefix).suffix(SUFFIX).rand_bytes(RANDOM);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As for any new file, less the umask; the default is for the owner only.
            builder.permissions(Permissions::from_mode(0o666));
        }
        // Removed again when dropped before `persist`. The name in the message would be one that
        // nobody knows.
        builder.tempfile_in(&self.folder).map_err(|error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => error.kind().into(),
        })
    }

    /// The same, locked: its lock says that its writer lives.
    fn begin(&self) -> io::Result<NamedTempFile> {
        const ATTEMPTS: usize = 16;
        for _ in 0..ATTEMPTS {
            let file = self.begun()?;
            match file.as_file().try_lock() {
                // Between its making and its lock another process may have taken it for left over.
                Ok(()) if file.path().exists() => return Ok(file),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                // Where there are no locks, nobody removes anything.
                Err(TryLockError::Error(_)) => return Ok(file),
            }
        }
        Err(io::Error::other("other processes remove the file that is to take its place"))
    }

    fn put(
        &self,
        file: NamedTempFile,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = BufWriter::new(file.as_file());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        if let Some(permissions) = &self.permissions {
            file.as_file().set_permissions(permissions.clone())?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The renaming is on the disk only with the folder; not every system can open one.
        if cfg!(unix) {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes what processes that were killed left of writing this file. What cannot be removed
    /// does no harm, so nothing is reported.
    fn remove_left_over(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let regular = entry.file_type().is_ok_and(|found| found.is_file());
            if !regular || !self.is_ours(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let Ok(file) = File::open(entry.path()) else { continue };
            if file.try_lock().is_ok() {
                // Under the lock, so that a writer that has just made it sees it gone.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether a name is one of [`Target::begun`].
    fn is_ours(&self, name: &str) -> bool {
        let random = name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
        random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|b| b.is_ascii_alphanumeric()))
    }
}

const SUFFIX: &str = ".tmp";

/// Random letters of a name.
const RANDOM: usize = 6;

/// How names begin that belong to one file: as it, shortened, with a hash of the whole name.
fn prefix(name: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = name.chars().take(SHOWN).collect();
    format!(".{shown}-{:016x}-", hash(name))
}

/// The path at the end of all links, whether or not there is something.
fn followed(given: &Path) -> Result<PathBuf, FileError> {
    let mut path = given.to_owned();
    for _ in 0..LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let to = fs::read_link(&path).map_err(|cause| FileError::reading(given, cause))?;
                // An absolute one takes the place of the whole.
                path = path.parent().map(|folder| folder.join(&to)).unwrap_or(to);
            }
            _ => return Ok(path),
        }
    }
    Err(FileError::Links { path: given.to_owned() })
}

fn ends_with_separator(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&byte| std::path::is_separator(byte.into()))
}
