//! The bytes of a safetensors file: the header's length in 8 bytes, little endian, the header
//! in JSON, and the elements of all arrays without gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use burlap_autodiff::{Array, DType, Element};
use flate2::Crc;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::{Checked, Checkpoint, CheckpointError};
use crate::files::{FileError, HEAD, LONGEST_HEADER, SAFETENSORS, recognised};
use crate::memory;

/// The key under which a header holds its strings.
const METADATA: &str = "__metadata__";

/// The string that holds the checksum of names, shapes, elements and the other strings.
const CHECKSUM: &str = "burlap.crc32";

/// The string that holds the version of the format: what the checksum is of, and the names here.
const FORMAT: &str = "burlap.format";

const VERSION: &str = "1";

const LENGTH: usize = size_of::<u64>();

/// The bytes before the elements, and the arrays in the order in which they follow.
pub(super) fn encode<'a>(
    checkpoint: &'a Checkpoint,
    path: &Path,
) -> Result<(Vec<u8>, Vec<&'a Array>), CheckpointError> {
    let path = || path.to_owned();
    let reserved = [METADATA, CHECKSUM, FORMAT];
    let names = checkpoint.arrays.iter().map(|(name, _)| name);
    let mut seen = BTreeSet::new();
    for name in names.clone().chain(checkpoint.metadata.keys()) {
        if reserved.contains(&name.as_str()) {
            let (path, name) = (path(), name.clone());
            return Err(CheckpointError::ReservedName { path, name });
        }
    }
    for name in names {
        if !seen.insert(name) {
            let (path, name) = (path(), name.clone());
            return Err(CheckpointError::DuplicateName { path, name });
        }
    }

    // Wide elements first, so that every array is aligned for readers that map the file.
    let mut arrays: Vec<&(String, Array)> = checkpoint.arrays.iter().collect();
    arrays.sort_by_key(|(_, array)| std::cmp::Reverse(array.dtype().size()));
    let mut strings = checkpoint.metadata.clone();
    strings.insert(FORMAT.to_owned(), VERSION.to_owned());
    let checksum = checksum(&arrays, &strings);
    strings.insert(CHECKSUM.to_owned(), checksum);

    let failed = |error: serde_json::Error| CheckpointError::Header {
        path: path(),
        problem: error.to_string(),
    };
    let mut header = serde_json::Map::new();
    let strings = serde_json::to_value(strings).map_err(failed)?;
    header.insert(METADATA.to_owned(), strings);
    let mut start = 0;
    for (name, array) in &arrays {
        let end = start + array.len() * array.dtype().size();
        let info = TensorInfo {
            dtype: to_safetensors(array.dtype()),
            shape: array.shape().to_vec(),
            data_offsets: (start, end),
        };
        let info = serde_json::to_value(info).map_err(failed)?;
        header.insert(name.clone(), info);
        start = end;
    }
    let mut header = serde_json::to_vec(&header).map_err(failed)?;
    header.resize(header.len().next_multiple_of(LENGTH), b' ');

    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    Ok((bytes, arrays.into_iter().map(|(_, array)| array).collect()))
}

/// What a file of a known length holds.
pub(super) fn decode(
    file: &mut dyn Read,
    found: u64,
    path: &Path,
    checked: Checked,
) -> Result<Checkpoint, CheckpointError> {
    let path = || path.to_owned();
    let header = |problem: String| CheckpointError::Header { path: path(), problem };
    let truncated = |needed: u64| CheckpointError::Truncated { path: path(), needed, found };
    // A file that became shorter meanwhile ends early.
    let take = |file: &mut dyn Read, count: u64| -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = Vec::new();
        let taken = file.take(count).read_to_end(&mut bytes);
        taken.map_err(|cause| FileError::reading(&path(), cause))?;
        if (bytes.len() as u64) < count { Err(truncated(count)) } else { Ok(bytes) }
    };

    if found == 0 {
        return Err(CheckpointError::Empty { path: path() });
    }
    let head = take(file, found.min(HEAD as u64))?;
    if let Some(found) = recognised(&head).filter(|&what| what != SAFETENSORS) {
        return Err(CheckpointError::Format { path: path(), found });
    }
    let Some((length, rest)) = head.split_first_chunk::<LENGTH>() else {
        return Err(truncated(LENGTH as u64));
    };
    let length = u64::from_le_bytes(*length);
    let after = length.saturating_add(LENGTH as u64);
    if after > found {
        return Err(truncated(after));
    }
    if length > LONGEST_HEADER {
        return Err(header(format!("a header of {length} bytes")));
    }
    let mut file = rest.chain(file);
    let text = take(&mut file, length)?;
    // Parsing checks that shapes and offsets fit each other without gaps.
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|e| header(e.to_string()))?;
    let needed = after.saturating_add(metadata.data_len() as u64);
    if needed > found {
        return Err(truncated(needed));
    }
    if needed < found {
        return Err(CheckpointError::TooLong { path: path(), needed, found });
    }
    memory::check(needed).map_err(|short| CheckpointError::Memory { path: path(), short })?;

    let mut arrays = Vec::new();
    // In the order of the offsets, which have no gaps.
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else {
            return Err(header(format!("the array {name:?} has no place")));
        };
        let (start, end) = info.data_offsets;
        let bytes = take(&mut file, end.saturating_sub(start) as u64)?;
        let shape = info.shape.clone();
        let array = match info.dtype {
            Dtype::F32 => Array::from_vec(shape, words(&bytes, f32::from_le_bytes)),
            Dtype::F64 => Array::from_vec(shape, words(&bytes, f64::from_le_bytes)),
            Dtype::U32 => Array::from_vec(shape, words(&bytes, u32::from_le_bytes)),
            Dtype::BOOL => match bytes.iter().position(|&byte| byte > 1) {
                Some(position) => {
                    return Err(CheckpointError::Bool {
                        path: path(),
                        found: bytes[position],
                        name,
                        position,
                    });
                }
                None => Array::from_vec(shape, bytes.iter().map(|&byte| byte == 1).collect()),
            },
            other => {
                return Err(CheckpointError::ElementType {
                    path: path(),
                    name,
                    found: other.to_string(),
                });
            }
        };
        arrays.push((name, array.map_err(|error| header(error.to_string()))?));
    }
    let strings = metadata.metadata().clone().unwrap_or_default();
    let mut metadata: BTreeMap<String, String> = strings.into_iter().collect();
    // Before the checksum, which may be another one then. The first releases did not write it.
    if let Some(found) = metadata.get(FORMAT).filter(|&found| found != VERSION) {
        let found = found.clone();
        return Err(CheckpointError::Version { path: path(), found, known: VERSION });
    }
    match metadata.remove(CHECKSUM) {
        Some(expected) => {
            let found = checksum(&arrays.iter().collect::<Vec<_>>(), &metadata);
            if found != expected {
                return Err(CheckpointError::Checksum { path: path(), expected, found });
            }
        }
        None if checked == Checked::Always => {
            return Err(CheckpointError::Unchecked { path: path() });
        }
        None => {}
    }
    metadata.remove(FORMAT);
    Ok(Checkpoint { arrays, metadata })
}

/// CRC-32 of all that a checkpoint holds, in hexadecimal.
fn checksum(arrays: &[&(String, Array)], metadata: &BTreeMap<String, String>) -> String {
    let mut crc = Crc::new();
    let mut part = |bytes: &[u8]| {
        crc.update(&(bytes.len() as u64).to_le_bytes());
        crc.update(bytes);
    };
    for (name, array) in arrays {
        part(name.as_bytes());
        part(to_safetensors(array.dtype()).to_string().as_bytes());
        let sizes = array.shape().iter();
        part(&sizes.flat_map(|&n| (n as u64).to_le_bytes()).collect::<Vec<_>>());
        part(&bytes(array));
    }
    for (key, value) in metadata {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    format!("{:08x}", crc.sum())
}

/// The elements in little endian.
pub(super) fn bytes(array: &Array) -> Vec<u8> {
    fn all<T: Element, const N: usize>(array: &Array, bytes: fn(T) -> [u8; N]) -> Vec<u8> {
        // Never empty for another reason than having no elements: T is the element type.
        let values = array.as_slice::<T>().unwrap_or_default();
        values.iter().flat_map(|&x| bytes(x)).collect()
    }
    match array.dtype() {
        DType::F32 => all(array, f32::to_le_bytes),
        DType::F64 => all(array, f64::to_le_bytes),
        DType::U32 => all(array, u32::to_le_bytes),
        DType::Bool => all(array, |x: bool| [u8::from(x)]),
    }
}

fn words<T, const N: usize>(bytes: &[u8], word: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&chunk| word(chunk)).collect()
}

fn to_safetensors(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::U32 => Dtype::U32,
        DType::Bool => Dtype::BOOL,
    }
}
