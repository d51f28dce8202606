//! Folders of four IDX files.

use std::fs;
use std::io::Write;
use std::path::Path;

use burlap_nn::data::{DataError, Dataset, fashion_mnist, from_idx_dir, mnist};
use flate2::{Compression, write::GzEncoder};

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// Three images to train and two to test, of 2 × 2 pixels.
fn fill(dir: &Path) {
    let train: Vec<u8> = (0..12).map(|i| i * 20).collect();
    fs::write(dir.join(FILES[0]), idx(&[3, 2, 2], &train)).unwrap();
    fs::write(dir.join(FILES[1]), idx(&[3], &[7, 0, 2])).unwrap();
    fs::write(dir.join(FILES[2]), idx(&[2, 2, 2], &[255; 8])).unwrap();
    fs::write(dir.join(FILES[3]), idx(&[2], &[1, 1])).unwrap();
}

fn check(train: &Dataset, test: &Dataset, classes: usize) {
    assert_eq!(train.example_shape(), [2, 2]);
    assert_eq!(train.labels(), [7, 0, 2]);
    let expected: Vec<f32> = (0..12).map(|i| (i * 20) as f32 / 255.0).collect();
    assert_eq!(train.features(), expected);
    assert_eq!(test.labels(), [1, 1]);
    assert_eq!(test.features(), [1.0; 8]);
    assert_eq!((train.classes(), test.classes()), (classes, classes));
}

/// The error after `change` was made to a sound folder.
fn error(change: impl FnOnce(&Path)) -> DataError {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    change(dir.path());
    mnist(dir.path()).unwrap_err()
}

#[test]
fn plain_and_gzipped_files_may_be_mixed() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let (train, test) = mnist(dir.path()).unwrap();
    check(&train, &test, 10);
    assert_eq!((train.name(), test.name()), ("mnist train", "mnist test"));
    for file in &FILES[..2] {
        let plain = dir.path().join(file);
        let target = fs::File::create(dir.path().join(format!("{file}.gz"))).unwrap();
        let mut encoder = GzEncoder::new(target, Compression::best());
        encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(plain).unwrap();
    }
    let (train, test) = fashion_mnist(dir.path()).unwrap();
    check(&train, &test, 10);
    // Largest label 7.
    let (train, test) = from_idx_dir(dir.path()).unwrap();
    check(&train, &test, 8);
}

#[test]
fn missing_files_are_listed_in_one_sentence() {
    let error = error(|dir| {
        fs::remove_file(dir.join(FILES[0])).unwrap();
        fs::remove_file(dir.join(FILES[3])).unwrap();
    });
    let DataError::MissingFiles { files, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(files, &[FILES[0], FILES[3]]);
    let sentence = error.to_string();
    assert!(sentence.contains(FILES[0]) && sentence.contains("download"));
    assert!(!sentence.contains('\n') && !sentence.contains("  "), "{sentence}");

    let dir = tempfile::tempdir().unwrap();
    let sentence = fashion_mnist(dir.path()).unwrap_err().to_string();
    assert!(sentence.contains(&dir.path().display().to_string()));
    assert!(FILES.iter().all(|file| sentence.contains(file)));
    assert!(sentence.contains("apt-get install dataset-fashion-mnist"));
    assert!(!sentence.contains('\n') && !sentence.contains("  "), "{sentence}");

    let archive = dir.path().join("mnist.zip");
    fs::write(&archive, "PK").unwrap();
    let sentence = fashion_mnist(&archive).unwrap_err().to_string();
    assert!(sentence.contains("mnist.zip: is no folder; on Debian, `apt-get"), "{sentence}");

    let nowhere = from_idx_dir(dir.path().join("nowhere")).unwrap_err();
    assert!(matches!(nowhere, DataError::MissingFiles { .. }));
}

#[test]
fn images_and_labels_must_agree_in_number() {
    let error = error(|dir| fs::write(dir.join(FILES[1]), idx(&[2], &[1, 2])).unwrap());
    assert!(matches!(error, DataError::CountMismatch { images: 3, labels: 2, .. }));
}

#[test]
fn labels_above_nine_are_refused_where_they_stand() {
    let change = |dir: &Path| fs::write(dir.join(FILES[3]), idx(&[2], &[9, 10])).unwrap();
    let error = error(change);
    assert!(matches!(
        error,
        DataError::FileLabelOutOfRange { offset: 9, found: 10, classes: 10, .. }
    ));
    assert!(error.to_string().contains(FILES[3]), "{error}");
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    change(dir.path());
    assert_eq!(from_idx_dir(dir.path()).unwrap().0.classes(), 11);
}

#[test]
fn test_images_must_have_the_shape_of_the_training_images() {
    let error = error(|dir| fs::write(dir.join(FILES[2]), idx(&[2, 1, 4], &[0; 8])).unwrap());
    let DataError::ImageShapeMismatch { expected, found, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((expected, found), (vec![2, 2], vec![1, 4]));
}

#[test]
fn images_need_rank_three_and_at_least_one_pixel() {
    let wrong_rank = error(|dir| fs::write(dir.join(FILES[0]), idx(&[3, 4], &[0; 12])).unwrap());
    assert!(matches!(wrong_rank, DataError::WrongRank { found: 2, .. }));
    let none = error(|dir| {
        fs::write(dir.join(FILES[0]), idx(&[0, 2, 2], &[])).unwrap();
        fs::write(dir.join(FILES[1]), idx(&[0], &[])).unwrap();
    });
    assert!(matches!(none, DataError::Empty { .. }));
    let flat = error(|dir| {
        fs::write(dir.join(FILES[0]), idx(&[3, 0, 2], &[])).unwrap();
        fs::write(dir.join(FILES[2]), idx(&[2, 0, 2], &[])).unwrap();
    });
    assert!(matches!(flat, DataError::BadShape { .. }));
}

#[test]
fn damage_in_a_file_is_reported_with_its_name() {
    let error = error(|dir| fs::write(dir.join(FILES[2]), [0, 0, 8]).unwrap());
    assert!(matches!(error, DataError::Truncated { .. }));
    assert!(error.to_string().contains(FILES[2]), "{error}");
}
