//! IDX files: what is read, and that every kind of damage is named.

use std::io::Write;
use std::path::{Path, PathBuf};

use burlap_nn::data::DataError;
use burlap_nn::data::idx::{read_idx, read_idx_of_rank};
use burlap_nn::files::FileError;
use flate2::{Compression, write::GzEncoder};

/// A 2 × 2 × 3 array: 16 bytes of header, 12 of elements.
fn small() -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    bytes.extend(1..=12);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("array.idx");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The error for a file of these bytes, which must name the file.
fn error(bytes: &[u8]) -> DataError {
    let dir = tempfile::tempdir().unwrap();
    let error = read_idx(write(dir.path(), bytes)).unwrap_err();
    assert!(error.to_string().contains("array.idx"), "{error}");
    error
}

#[test]
fn plain_and_gzipped_files_read_alike_whatever_their_name() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [small(), gz(&small())] {
        for name in ["a", "a.gz"] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let array = read_idx(&path).unwrap();
            assert_eq!(array.shape, [2, 2, 3]);
            assert_eq!(array.data, (1..=12).collect::<Vec<u8>>());
            assert_eq!(read_idx_of_rank(&path, 3).unwrap(), array);
        }
    }
}

#[test]
fn gzip_of_several_members_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = small();
    let path = write(dir.path(), &[gz(&bytes[..9]), gz(&bytes[9..])].concat());
    assert_eq!(read_idx(path).unwrap().data, bytes[16..]);
}

#[test]
fn an_array_without_elements_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), &[0, 0, 8, 1, 0, 0, 0, 0]);
    let array = read_idx(path).unwrap();
    assert_eq!((array.shape, array.data), (vec![0], vec![]));
}

#[test]
fn every_prefix_is_truncated() {
    let bytes = small();
    for length in 0..bytes.len() {
        let (start, need) = match length {
            0..4 => (0, 4),
            4..16 => (4, 12),
            _ => (16, 12),
        };
        // Cut before compression, so that the gzip itself is sound.
        for file in [bytes[..length].to_vec(), gz(&bytes[..length])] {
            match error(&file) {
                DataError::Truncated { offset, expected, found, .. } => {
                    assert_eq!((offset, expected), (start, need), "length {length}");
                    assert_eq!(found, length as u64 - start, "length {length}");
                }
                other => panic!("length {length}: {other:?}"),
            }
        }
    }
}

#[test]
fn every_prefix_of_a_gzip_file_is_an_error() {
    let bytes = gz(&small());
    for length in 0..bytes.len() {
        match error(&bytes[..length]) {
            DataError::Truncated { .. } if length < 2 => {}
            DataError::CorruptGzip { offset, .. } if length >= 2 => {
                assert!(offset <= 28, "length {length}");
            }
            other => panic!("length {length}: {other:?}"),
        }
    }
}

#[test]
fn no_flipped_bit_of_a_gzip_file_changes_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = gz(&small());
    let (mut harmless, mut corrupt) = (0, 0);
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match read_idx(write(dir.path(), &damaged)) {
            // Some header fields, such as the time stamp, carry no data, nor
            // do the bits that fill up the last byte before the checksum.
            Ok(array) => {
                let filling = 8 * (bytes.len() - 9)..8 * (bytes.len() - 8);
                assert!(bit < 80 || filling.contains(&bit), "bit {bit}");
                assert_eq!(array.data, small()[16..]);
                harmless += 1;
            }
            Err(DataError::CorruptGzip { .. }) => corrupt += 1,
            // A damaged gzip magic makes it a plain file.
            Err(DataError::WrongMagic { .. }) => assert!(bit < 16, "bit {bit}"),
            Err(other) => panic!("bit {bit}: {other:?}"),
        }
    }
    assert!(harmless <= 72 && corrupt > 8 * (bytes.len() - 10), "{harmless} {corrupt}");
}

#[test]
fn trailing_data_is_named_with_its_offset() {
    let mut bytes = small();
    bytes.push(0);
    for file in [bytes.clone(), gz(&bytes)] {
        assert!(matches!(error(&file), DataError::TrailingData { offset: 28, .. }));
    }
    let mut after_gzip = gz(&small());
    after_gzip.extend([1, 2, 3]);
    assert!(matches!(error(&after_gzip), DataError::CorruptGzip { .. }));
}

#[test]
fn wrong_magic_type_and_rank_are_told_apart() {
    let mut bytes = small();
    bytes[1] = 7;
    assert!(matches!(error(&bytes), DataError::WrongMagic { found: [0, 7], .. }));

    let mut bytes = small();
    bytes[2] = 0x0d;
    match error(&bytes) {
        error @ DataError::UnsupportedElementType { found: 0x0d, .. } => {
            assert!(error.to_string().contains("0x0d at byte 2"), "{error}");
        }
        other => panic!("{other:?}"),
    }

    let mut bytes = small();
    bytes[3] = 0;
    assert!(matches!(error(&bytes), DataError::WrongRank { found: 0, .. }));

    let dir = tempfile::tempdir().unwrap();
    let error = read_idx_of_rank(write(dir.path(), &small()), 1).unwrap_err();
    assert!(matches!(error, DataError::WrongRank { found: 3, offset: 3, .. }));
    assert!(error.to_string().ends_with("must be 1, found 3"), "{error}");
}

#[test]
fn absurd_sizes_are_refused_without_allocating_them() {
    // 255 sizes of 2³² − 1: the product overflows.
    let mut bytes = vec![0, 0, 8, 255];
    bytes.extend([0xff; 4 * 255]);
    match error(&bytes) {
        DataError::SizeOverflow { shape, .. } => assert_eq!(shape, [u32::MAX; 255]),
        other => panic!("{other:?}"),
    }
    // Sizes of about 2⁶²: the product fits, no memory could hold it, and the
    // file has 3 bytes.
    let mut bytes = vec![0, 0, 8, 2, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    bytes.extend([1, 2, 3]);
    for file in [bytes.clone(), gz(&bytes)] {
        match error(&file) {
            DataError::Truncated { offset: 12, expected, found: 3, .. } => {
                assert_eq!(expected, 0x7fff_ffff * 0x7fff_ffff)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn missing_files_and_directories_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let missing = read_idx(dir.path().join("nowhere")).unwrap_err();
    assert!(matches!(missing, DataError::File(FileError::NotFound { .. })));
    assert!(missing.to_string().ends_with("nowhere: no such file"));
    let directory = read_idx(dir.path()).unwrap_err();
    assert!(matches!(directory, DataError::File(FileError::NotRegular { found: "a folder", .. })));
}

#[test]
fn files_of_other_kinds_are_named() {
    let npy = error(b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'").to_string();
    let said = "array.idx: is a NumPy array (.npy), but an IDX file, plain or gzipped, is expected";
    assert!(npy.ends_with(said), "{npy}");
    let mut safetensors = vec![2, 0, 0, 0, 0, 0, 0, 0];
    safetensors.extend(b"{}");
    let found = error(&safetensors);
    assert!(matches!(found, DataError::Format { found: "a safetensors file", .. }), "{found}");
}
