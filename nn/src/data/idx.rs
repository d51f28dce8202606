//! Reader for the IDX format, the container of MNIST and its relatives.
//!
//! An IDX file is `00 00 TT RR`, where `TT` is the element type and `RR` the
//! rank, then `RR` sizes as big-endian 32-bit integers, then the elements in
//! row-major order. Only unsigned bytes (`TT` = 8) are read.

use std::path::Path;

use super::DataError;
use super::input::{Expected, Input};
use crate::files::IDX;

const EXPECTED: Expected = Expected { words: "an IDX file, plain or gzipped,", kind: Some(IDX) };

const UNSIGNED_BYTE: u8 = 0x08;
const TYPE_OFFSET: u64 = 2;
const RANK_OFFSET: u64 = 3;
const SIZES_OFFSET: u64 = 4;

/// An array of unsigned bytes read from an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxArray {
    /// Size of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// The elements in row-major order, as many as the product of `shape`.
    pub data: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes, plain or gzipped, of any rank from 1.
///
/// Gzip is recognised by its first two bytes, not by the name of the file.
///
/// ```
/// use burlap_nn::data::idx;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("labels-idx1-ubyte");
/// std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])?;
///
/// let array = idx::read_idx(&path)?;
/// assert_eq!(array.shape, [3]);
/// assert_eq!(array.data, [5, 0, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// A [`DataError`] that names the file and the byte: the file is missing,
/// unreadable, corrupt gzip, not IDX, of another element type, of rank 0, too
/// large to address, truncated, or longer than its sizes say.
pub fn read_idx(path: impl AsRef<Path>) -> Result<IdxArray, DataError> {
    read(path.as_ref(), "at least 1", |rank| rank >= 1)
}

/// Reads an IDX file as [`read_idx`] does, and requires a rank.
///
/// # Errors
///
/// As [`read_idx`], and [`DataError::WrongRank`] if the rank is not `rank`.
pub fn read_idx_of_rank(path: impl AsRef<Path>, rank: usize) -> Result<IdxArray, DataError> {
    read(path.as_ref(), &rank.to_string(), |found| found == rank)
}

/// Reads an IDX file whose rank satisfies `accept`, `expected` in words.
pub(super) fn read(
    path: &Path,
    expected: &str,
    accept: impl Fn(usize) -> bool,
) -> Result<IdxArray, DataError> {
    let mut input = Input::open(path, EXPECTED)?;
    parse(&mut input, expected, accept).map_err(|error| input.blame(error))
}

fn parse(
    input: &mut Input,
    expected: &str,
    accept: impl Fn(usize) -> bool,
) -> Result<IdxArray, DataError> {
    let magic = read_exactly(input, "the magic number", 4)?;
    if magic[..2] != [0, 0] {
        return Err(DataError::WrongMagic { path: input.path(), found: [magic[0], magic[1]] });
    }
    if magic[2] != UNSIGNED_BYTE {
        return Err(DataError::UnsupportedElementType {
            path: input.path(),
            offset: TYPE_OFFSET,
            found: magic[2],
        });
    }
    let rank = usize::from(magic[3]);
    if rank == 0 || !accept(rank) {
        return Err(DataError::WrongRank {
            path: input.path(),
            offset: RANK_OFFSET,
            expected: expected.to_owned(),
            found: rank,
        });
    }

    let sizes: Vec<u32> = read_exactly(input, "the list of sizes", 4 * rank as u64)?
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let Some((shape, total)) = addressable(&sizes) else {
        return Err(DataError::SizeOverflow {
            path: input.path(),
            offset: SIZES_OFFSET,
            shape: sizes,
        });
    };

    let data = read_exactly(input, "the list of elements", total as u64)?;
    let end = input.offset();
    // Reading on also makes the decompressor verify its checksum.
    if !input.read(1)?.is_empty() {
        return Err(DataError::TrailingData { path: input.path(), offset: end });
    }
    Ok(IdxArray { shape, data })
}

/// The sizes and their product, unless the product exceeds any allocation.
fn addressable(sizes: &[u32]) -> Option<(Vec<usize>, usize)> {
    let shape: Option<Vec<usize>> = sizes.iter().map(|&s| usize::try_from(s).ok()).collect();
    let shape = shape?;
    let total = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))?;
    isize::try_from(total).ok()?;
    Some((shape, total))
}

/// Reads exactly `expected` bytes, called `part` in the error.
fn read_exactly(
    input: &mut Input,
    part: &'static str,
    expected: u64,
) -> Result<Vec<u8>, DataError> {
    let offset = input.offset();
    let bytes = input.read(expected)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(DataError::Truncated { path: input.path(), part, offset, expected, found });
    }
    Ok(bytes)
}
