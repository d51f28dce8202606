//! What can be wrong with a checkpoint.

use std::path::PathBuf;

use crate::files::FileError;
use crate::memory::OutOfMemory;

/// What went wrong while saving or loading a [`Checkpoint`](crate::Checkpoint).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has no contents.
    #[error("{}: is empty, not a safetensors file", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another kind.
    #[error("{}: is {found}, but a safetensors file is expected", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        found: &'static str,
    },
    /// The contents are larger than the memory of this machine.
    #[error("{}: {short}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// How much is needed, and how much there is.
        short: OutOfMemory,
    },
    /// There is no checksum, so damage would go unnoticed.
    #[error(
        "{}: has no checksum: it is damaged, or not one of Checkpoint::save (then \
         Checkpoint::load_foreign reads it)",
        path.display()
    )]
    Unchecked {
        /// The file.
        path: PathBuf,
    },
    /// A file of a later release.
    #[error("{}: the format has the version {found:?}, only {known:?} is known", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: String,
        /// The version that is read.
        known: &'static str,
    },
    /// An array that lives on a device and cannot be copied to the host.
    #[error("{}: not written: the array {name:?} cannot be downloaded: {cause}", path.display())]
    Download {
        /// The file.
        path: PathBuf,
        /// The array.
        name: String,
        /// The device's error.
        cause: Box<burlap_autodiff::Error>,
    },
    /// Two arrays to be saved have one name.
    #[error("{}: not written: the name {name:?} is given twice", path.display())]
    DuplicateName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A name that the file format, or the checksum, keeps for itself.
    #[error("{}: not written: the name {name:?} is reserved", path.display())]
    ReservedName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The file ends before its contents do.
    #[error("{}: truncated: {needed} bytes are needed, but there are {found}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The least number of bytes the file must have.
        needed: u64,
        /// The number of bytes it has.
        found: u64,
    },
    /// The file goes on after its contents.
    #[error("{}: there are {found} bytes, but the contents end after {needed}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The number of bytes of the contents.
        needed: u64,
        /// The number of bytes the file has.
        found: u64,
    },
    /// The header is not that of a safetensors file.
    #[error("{}: not a safetensors file: {problem}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An array of an element type that there is not in this library.
    #[error(
        "{}: the array {name:?} holds {found}, only F32, F64, U32 and BOOL are supported",
        path.display()
    )]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The array.
        name: String,
        /// Its element type, as safetensors calls it.
        found: String,
    },
    /// A truth value that is neither 0 nor 1.
    #[error("{}: element {position} of the array {name:?} is the byte {found}, not 0 or 1", path.display())]
    Bool {
        /// The file.
        path: PathBuf,
        /// The array.
        name: String,
        /// Position of the element, row-major.
        position: usize,
        /// The byte found.
        found: u8,
    },
    /// The contents are not those that were saved.
    #[error("{}: damaged: the checksum is {found}, not {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The checksum in the file.
        expected: String,
        /// The checksum of the contents.
        found: String,
    },
}
