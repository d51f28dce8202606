//! Checkpoints: nothing is lost, nothing damaged is accepted, and no save destroys another.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use burlap_autodiff::testing::Device;
use burlap_autodiff::{Array, Backend, DType, Storage};
use burlap_nn::files::FileError;
use burlap_nn::{Activation, Checkpoint, CheckpointError, Error, Model, mlp};

fn small() -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    let values = vec![1.5, -0.0, f64::MIN_POSITIVE / 4.0, f64::INFINITY, 1e300, 0.1];
    checkpoint.insert("a.weight", Array::from_vec([2, 3], values).unwrap());
    checkpoint.insert("scalar", Array::scalar(2.5f32));
    checkpoint.insert("labels", Array::vector([0u32, 7, u32::MAX]));
    checkpoint.insert("none", Array::zeros(DType::F32, [0, 3]));
    checkpoint.insert("mask", Array::vector([true, false, true]));
    checkpoint.metadata.insert("epoch".into(), "12".into());
    checkpoint.metadata.insert("note".into(), "Δ \"quoted\"\n".into());
    checkpoint
}

fn error(result: Result<Checkpoint, Error>) -> CheckpointError {
    match result.unwrap_err() {
        Error::Checkpoint(error) => error,
        other => panic!("{other}"),
    }
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

/// A safetensors file with the given header and elements.
fn file(header: &str, elements: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), elements].concat()
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.safetensors");
    for checkpoint in [small(), Checkpoint::default()] {
        checkpoint.save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), checkpoint);
    }
    assert_eq!(files(dir.path()), 1);
    let not_a_number = f64::from_bits(0x7ff8_0000_dead_beef);
    let mut checkpoint = Checkpoint::default();
    checkpoint.insert("x", Array::scalar(not_a_number));
    checkpoint.save(&path).unwrap();
    let loaded = Checkpoint::load(&path).unwrap();
    let bits = loaded.get("x").unwrap().as_slice::<f64>().unwrap()[0].to_bits();
    assert_eq!(bits, not_a_number.to_bits());
}

/// What a device has is downloaded, and a device that fails leaves the file as it was.
#[test]
fn arrays_of_a_device_are_saved_as_those_of_the_host() {
    #[derive(Debug)]
    struct Lost;
    impl Storage for Lost {
        fn backend(&self) -> &'static str {
            "lost"
        }
        fn download(&self) -> burlap_autodiff::Result<Array> {
            Err(burlap_autodiff::Error::Backend { backend: "lost", problem: "it is gone".into() })
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, there) = (dir.path().join("c.safetensors"), dir.path().join("d.safetensors"));
    let device = Device::new();
    let mut checkpoint = small();
    checkpoint.save(&path).unwrap();
    checkpoint.arrays.iter_mut().for_each(|(_, array)| *array = device.upload(array).unwrap());
    checkpoint.save(&there).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&there).unwrap());

    checkpoint.insert("lost", Array::in_storage(DType::F32, [2], Arc::new(Lost)));
    let error = checkpoint.save(&path).unwrap_err().to_string();
    assert!(error.ends_with("\"lost\" cannot be downloaded: backend lost: it is gone"), "{error}");
    assert_eq!(Checkpoint::load(&path).unwrap(), small());

    let model = Model::new(mlp(&[2, 3, 1], Activation::Tanh).unwrap()).unwrap();
    let params = model.init(1, DType::F32);
    let parts = model.layout().split(&device.upload(&params).unwrap()).unwrap();
    assert_eq!(parts, model.layout().split(&params).unwrap());
    let parts: Vec<_> = parts.into_iter().map(|(n, a)| (n, device.upload(&a).unwrap())).collect();
    assert_eq!(model.layout().join(&parts).unwrap(), params);
}

#[test]
fn equal_checkpoints_give_equal_bytes_that_other_readers_accept() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| {
        let path = dir.path().join(name);
        small().save(&path).unwrap();
        fs::read(path).unwrap()
    });
    assert_eq!(one, two);
    let read = safetensors::SafeTensors::deserialize(&one).unwrap();
    assert_eq!(read.len(), 5);
    let labels = read.tensor("labels").unwrap();
    assert_eq!(labels.shape(), [3]);
    assert_eq!(labels.data(), [0, 0, 0, 0, 7, 0, 0, 0, 255, 255, 255, 255]);
}

#[test]
fn files_of_other_writers_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let data = [0u8, 0, 128, 63, 0, 0, 0, 64];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 1], &data);
    let bytes = safetensors::serialize([("w", view.unwrap())], None).unwrap();
    fs::write(&path, bytes).unwrap();
    let unchecked = error(Checkpoint::load(&path));
    assert!(matches!(unchecked, CheckpointError::Unchecked { .. }), "{unchecked}");
    let loaded = Checkpoint::load_foreign(&path).unwrap();
    let expected = Array::from_vec([2, 1], vec![1.0f32, 2.0]).unwrap();
    assert_eq!(loaded.arrays, [("w".to_owned(), expected)]);
    assert!(loaded.metadata.is_empty());
}

#[test]
fn a_model_comes_back_beside_the_state_of_an_optimizer() {
    let model = Model::new(mlp(&[4, 3, 2], Activation::Relu).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    for dtype in [DType::F32, DType::F64] {
        let params = model.init(1, dtype);
        let mut checkpoint = Checkpoint::default();
        checkpoint.insert_section("model", model.layout().split(&params).unwrap());
        checkpoint.insert("modelling", Array::scalar(1u32));
        checkpoint.insert("optimizer.step", Array::scalar(1u32));
        checkpoint.save(&path).unwrap();
        let loaded = Checkpoint::load(&path).unwrap();
        assert_eq!(loaded.section("model").len(), 4);
        assert_eq!(model.layout().join(&loaded.section("model")).unwrap(), params);
        assert_eq!(loaded.get("optimizer.step"), Some(&Array::scalar(1u32)));
        assert_eq!(loaded.get("optimizer"), None);
    }
}

#[test]
fn every_truncation_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.safetensors");
    small().save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = error(Checkpoint::load(&path));
        assert!(matches!(error, CheckpointError::Truncated { .. }), "{length}: {error}");
        assert!(error.to_string().contains("c.safetensors: truncated"), "{error}");
    }
    fs::write(&path, [&whole[..], b"\0"].concat()).unwrap();
    assert!(matches!(error(Checkpoint::load(&path)), CheckpointError::TooLong { .. }));
}

/// Every other value of every byte, and every truncation.
#[test]
fn no_changed_byte_and_no_cut_changes_what_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let mut original = Checkpoint::default();
    original.insert("w", Array::vector([1.5f32, -2.0]));
    original.insert("k", Array::vector([true, false]));
    original.metadata.insert("epoch".into(), "3".into());
    original.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    // Within the file, since a new one for each takes the disk's time.
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut put = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    let mut equal = 0;
    for (i, &byte) in whole.iter().enumerate() {
        for change in 1..=u8::MAX {
            put(i, byte ^ change);
            match Checkpoint::load(&path) {
                Ok(loaded) => {
                    assert_eq!(loaded, original, "byte {i} changed by {change}");
                    equal += 1;
                }
                // A typed error, whichever it is; and in one sentence.
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
        put(i, byte);
    }
    for length in (0..whole.len()).rev() {
        file.set_len(length as u64).unwrap();
        error(Checkpoint::load(&path));
    }
    // Only blanks of the header, which may be any of JSON's four.
    assert!(equal <= 3 * 7, "{equal}");
}

#[test]
fn a_checkpoint_without_its_checksum_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    small().save(&path).unwrap();
    let whole = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
    assert!(whole.contains(r#""burlap.format":"1""#), "{whole}");
    let change = |from: &str, to: &str| {
        small().save(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        fs::write(&path, bytes).unwrap();
        Checkpoint::load(&path)
    };
    let unchecked = error(change("burlap.crc32", "burlap.crc33"));
    assert!(matches!(unchecked, CheckpointError::Unchecked { .. }), "{unchecked}");
    assert!(unchecked.to_string().contains("has no checksum"), "{unchecked}");
    // A later release may have another checksum.
    let later = error(change(r#""burlap.format":"1""#, r#""burlap.format":"2""#));
    assert!(matches!(&later, CheckpointError::Version { found, .. } if found == "2"), "{later}");
    // Without its name it is one string more under the checksum.
    let other = error(change("burlap.format", "burlap.forma_"));
    assert!(matches!(other, CheckpointError::Checksum { .. }), "{other}");
}

#[test]
fn files_of_the_first_releases_without_a_version_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let mut crc = flate2::Crc::new();
    let element = 2.5f32.to_le_bytes();
    for part in [&b"w"[..], b"F32", &[], &element, b"epoch", b"3"] {
        crc.update(&(part.len() as u64).to_le_bytes());
        crc.update(part);
    }
    let header = format!(
        r#"{{"__metadata__":{{"burlap.crc32":"{:08x}","epoch":"3"}},"w":{{"dtype":"F32","shape":[],"data_offsets":[0,4]}}}}"#,
        crc.sum()
    );
    fs::write(&path, file(&header, &element)).unwrap();
    let mut expected = Checkpoint::default();
    expected.insert("w", Array::scalar(2.5f32));
    expected.metadata.insert("epoch".into(), "3".into());
    assert_eq!(Checkpoint::load(&path).unwrap(), expected);
}

#[test]
fn files_of_other_kinds_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = error(Checkpoint::load(&path));
        assert_eq!(error.to_string(), error_of_foreign(&path));
        error.to_string()
    };
    fn error_of_foreign(path: &Path) -> String {
        error(Checkpoint::load_foreign(path)).to_string()
    }
    for (bytes, what) in [
        (&b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl"[..], "a zip archive (as are PyTorch's"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "a Python pickle"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'", "a NumPy array (.npy)"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03more", "a gzip file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02\x01\x00", "an IDX file"),
    ] {
        let said = load(bytes);
        assert!(said.contains(&format!("model.pth: is {what}")), "{said}");
        assert!(said.ends_with(", but a safetensors file is expected"), "{said}");
    }
    assert!(load(b"").ends_with("model.pth: is empty, not a safetensors file"));
}

#[test]
fn malformed_files_are_typed_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        error(Checkpoint::load(&path))
    };
    for header in [
        "",
        "[]",
        "null",
        "{",
        "\u{0}\u{0}",
        r#"{"a":1}"#,
        r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"__metadata__":{"a":1}}"#,
    ] {
        let error = load(&file(header, &[0; 4]));
        assert!(matches!(error, CheckpointError::Header { .. }), "{header}: {error}");
    }

    // Offsets that are consistent but reach to the end of the address space.
    let step = (1u64 << 61) - 1;
    let tensors = (0..8u64).map(|i| {
        let (start, end) = (i * step, (i + 1) * step);
        format!(r#""{i}":{{"dtype":"U8","shape":[{step}],"data_offsets":[{start},{end}]}}"#)
    });
    let header = format!("{{{}}}", tensors.collect::<Vec<_>>().join(","));
    assert!(matches!(load(&file(&header, &[0; 4])), CheckpointError::Truncated { .. }));
    let huge = u64::MAX.to_le_bytes();
    assert!(matches!(load(&huge), CheckpointError::Truncated { .. }));

    let half = r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
    let error = load(&file(half, &[0; 4]));
    assert!(
        error
            .to_string()
            .ends_with("c: the array \"a\" holds F16, only F32, F64, U32 and BOOL are supported")
    );
    let bools = r#"{"a":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}}"#;
    let error = load(&file(bools, &[0, 1, 2, 0]));
    assert!(matches!(error, CheckpointError::Bool { position: 2, found: 2, .. }));
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = error(Checkpoint::load(dir.path().join("nothing")));
    let CheckpointError::File(FileError::NotFound { path }) = &error else { panic!("{error}") };
    assert!(path.ends_with("nothing"));
}

#[test]
fn a_failing_save_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    small().save(&path).unwrap();

    let mut twice = Checkpoint::default();
    twice.insert("a", Array::scalar(1.0));
    twice.insert("a", Array::scalar(2.0));
    let error = twice.save(&path).unwrap_err();
    assert!(error.to_string().ends_with("c: not written: the name \"a\" is given twice"));
    for name in ["__metadata__", "burlap.crc32", "burlap.format"] {
        let mut reserved = Checkpoint::default();
        reserved.insert(name, Array::scalar(1.0));
        let error = reserved.save(&path).unwrap_err();
        assert!(matches!(error, Error::Checkpoint(CheckpointError::ReservedName { .. })));
    }
    let mut reserved = Checkpoint::default();
    reserved.metadata.insert("burlap.crc32".into(), String::new());
    assert!(reserved.save(&path).is_err());

    assert_eq!(Checkpoint::load(&path).unwrap(), small());
    assert_eq!(files(dir.path()), 1);
}

#[test]
fn a_save_that_cannot_end_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("folder");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("inside"), "x").unwrap();
    let save = |path: &Path| match small().save(path).unwrap_err() {
        Error::Checkpoint(CheckpointError::File(error)) => error,
        other => panic!("{other}"),
    };
    assert!(matches!(save(&taken), FileError::NotRegular { found: "a folder", .. }));
    assert!(matches!(save(&dir.path().join("missing/c")), FileError::NoFolder { .. }));
    assert_eq!((files(dir.path()), files(&taken)), (1, 1));
}

#[test]
fn a_reader_sees_the_old_or_the_new_but_nothing_between() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let [old, new] = [1.0, 2.0].map(|value| {
        let mut checkpoint = Checkpoint::default();
        checkpoint.insert("x", Array::full(DType::F64, [20_000], value));
        checkpoint
    });
    old.save(&path).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..10 {
                new.save(&path).unwrap();
                old.save(&path).unwrap();
            }
        });
        while !writer.is_finished() {
            let loaded = Checkpoint::load(&path).unwrap();
            assert!(loaded == old || loaded == new);
        }
    });
}

#[cfg(unix)]
#[test]
fn a_checkpoint_is_as_readable_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (path, plain) = (dir.path().join("c"), dir.path().join("plain"));
    small().save(&path).unwrap();
    fs::write(&plain, "x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}
