//! What a file is, by the system's word or by its first bytes.

use std::fs::FileType;

/// What is not a regular file, in words.
pub(super) fn of(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        for (is, what) in [
            (found.is_fifo(), "a pipe"),
            (found.is_char_device(), "a character device"),
            (found.is_block_device(), "a block device"),
            (found.is_socket(), "a socket"),
        ] {
            if is {
                return what;
            }
        }
    }
    if found.is_dir() { "a folder" } else { "something else" }
}

/// The bytes at the beginning by which contents are recognised.
pub(crate) const HEAD: usize = 16;

/// Beginnings that tell what a file is.
const BEGINNINGS: [(&[u8], &str); 10] = [
    (b"PK\x03\x04", "a zip archive (as are PyTorch's .pt and .pth, and NumPy's .npz)"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (as are Keras' .h5 and .keras)"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\x00\x00\x08", IDX),
];

const PICKLE: &str = "a Python pickle (as are older .pt and .pth files of PyTorch)";

pub(crate) const IDX: &str = "an IDX file (as those of MNIST)";

pub(crate) const SAFETENSORS: &str = "a safetensors file";

/// The largest header that a safetensors file may have, in bytes.
pub(crate) const LONGEST_HEADER: u64 = 100_000_000;

/// What a file is that begins like that, where it is one of the kinds that are taken for another.
pub(crate) fn recognised(head: &[u8]) -> Option<&'static str> {
    let (length, rest) = head.split_first_chunk::<8>()?;
    // First, since a length may look like another beginning.
    if rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= LONGEST_HEADER {
        return Some(SAFETENSORS);
    }
    BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)).map(|(_, what)| *what)
}
