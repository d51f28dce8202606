//! Checkpoints: nothing is lost, nothing damaged is accepted, and no save destroys another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;

use burlap_autodiff::{Array, DType};
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
    let loaded = Checkpoint::load(&path).unwrap();
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
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = error(Checkpoint::load(&path));
        assert!(matches!(error, CheckpointError::Truncated { .. }), "{length}: {error}");
        assert!(error.to_string().contains("c.safetensors: truncated"), "{error}");
    }
    fs::write(&path, [&whole[..], b"\0"].concat()).unwrap();
    assert!(matches!(error(Checkpoint::load(&path)), CheckpointError::TooLong { .. }));
}

#[test]
fn no_flipped_bit_changes_what_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let original = small();
    original.save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let mut accepted = 0;
    for i in 0..bytes.len() * 8 {
        bytes[i / 8] ^= 1 << (i % 8);
        fs::write(&path, &bytes).unwrap();
        if let Ok(mut loaded) = Checkpoint::load(&path) {
            // Only the checksum's own name may be hit, so that it is not looked for.
            loaded.metadata.retain(|key, _| original.metadata.contains_key(key));
            assert_eq!(loaded, original, "bit {i}");
            accepted += 1;
        }
        bytes[i / 8] ^= 1 << (i % 8);
    }
    assert!(accepted <= 8 * "burlap.crc32".len(), "{accepted}");
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
    assert!(matches!(&error, CheckpointError::Read { path, .. } if path.ends_with("nothing")));
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
    for name in ["__metadata__", "burlap.crc32"] {
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
    for path in [taken.clone(), dir.path().join("missing/c")] {
        let error = small().save(&path).unwrap_err();
        assert!(matches!(error, Error::Checkpoint(CheckpointError::Write { .. })), "{error}");
    }
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
