//! CSV files and the digits built from one.

use std::io::Write;

use burlap_nn::data::{DataError, Dataset, csv_dataset, digits, digits_split};
use flate2::{Compression, write::GzEncoder};

fn read(bytes: &[u8]) -> Result<Dataset, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("points.csv");
    std::fs::write(&path, bytes).unwrap();
    csv_dataset(path)
}

/// The error for a file of these bytes, which must name the file.
fn error(bytes: &[u8]) -> DataError {
    let error = read(bytes).unwrap_err();
    assert!(error.to_string().contains("points.csv: "), "{error}");
    error
}

#[test]
fn rows_are_features_and_then_a_label() {
    let points = read(b"1, -2.5,0\r\n\n 3e1,.5 ,4").unwrap();
    assert_eq!(points.features(), [1.0, -2.5, 30.0, 0.5]);
    assert_eq!(points.labels(), [0, 4]);
    assert_eq!((points.classes(), points.example_shape()), (5, &[2][..]));
    assert_eq!(points.name(), "points");
}

#[test]
fn gzipped_files_read_alike() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"1,2,0\n3,4,1\n").unwrap();
    let bytes = encoder.finish().unwrap();
    assert_eq!(read(&bytes).unwrap().features(), [1.0, 2.0, 3.0, 4.0]);
    for length in 2..bytes.len() {
        assert!(matches!(error(&bytes[..length]), DataError::CorruptGzip { .. }));
    }
}

#[test]
fn files_without_rows_are_refused() {
    for bytes in [&b""[..], b"\n", b" \r\n\n"] {
        assert!(matches!(error(bytes), DataError::CsvEmpty { .. }));
    }
}

#[test]
fn ragged_rows_are_refused() {
    for (bytes, at, need, have) in
        [(&b"1,2,0\n1,0\n"[..], 2, 3, 2), (b"1,2,0\n\n1,2,3,0\n", 3, 3, 4), (b"1\n", 1, 2, 1)]
    {
        match error(bytes) {
            DataError::CsvColumns { line, expected, found, .. } => {
                assert_eq!((line, expected, found), (at, need, have))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn fields_that_are_no_numbers_are_refused() {
    for field in ["x", "", "1 2", "0x1", "\"1\"", "1;2", "\u{feff}1", "--1", "1e"] {
        match error(format!("1,2,0\n1,{field},0\n").as_bytes()) {
            DataError::CsvNumber { line: 2, column: 2, found, .. } => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert!(matches!(error(b"1,\xff,0\n"), DataError::CsvNumber { line: 1, .. }));
    let long = format!("{},0\n", "x".repeat(10_000));
    assert!(error(long.as_bytes()).to_string().len() < 300);
}

#[test]
fn a_line_without_an_end_is_not_read_to_it() {
    // Zeros compress well: 40 MB in some 40 kB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"1,2,0\n").unwrap();
    encoder.write_all(&vec![b'0'; 40 << 20]).unwrap();
    match error(&encoder.finish().unwrap()) {
        DataError::CsvLine { line: 2, most, .. } => assert_eq!(most, 16 << 20),
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    for (bytes, what) in [
        (&b"PK\x03\x04\x14\x00\x08\x08"[..], "a zip archive"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02\x01\x00", "an IDX file"),
    ] {
        let said = error(bytes).to_string();
        assert!(said.contains(&format!("points.csv: is {what} (as ")), "{said}");
        assert!(
            said.ends_with("but a CSV file of numbers, plain or gzipped, is expected"),
            "{said}"
        );
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for field in ["inf", "-inf", "NaN", "infinity", "1e39"] {
        match error(format!("{field},0\n").as_bytes()) {
            DataError::CsvNotFinite { line: 1, column: 1, .. } => {}
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn labels_that_are_no_classes_are_refused() {
    for field in ["", "1.0", "-1", "x", "65536", "4294967296", "NaN"] {
        match error(format!("1,2,0\n1,2,{field}\n").as_bytes()) {
            DataError::CsvLabel { line: 2, column: 3, found, .. } => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(read(b"1,65535\n").unwrap().classes(), 65_536);
}

#[test]
fn errors_name_line_and_column() {
    let sentence = error(b"1,2,0\n1,x,0\n").to_string();
    assert!(
        sentence.ends_with("points.csv: line 2, column 2: \"x\" is not a number"),
        "{sentence}"
    );
}

#[test]
fn digits_are_the_published_ones() {
    let digits = digits().unwrap();
    assert_eq!(digits.len(), 1797);
    assert_eq!((digits.dim(), digits.classes()), (64, 10));
    assert_eq!(digits.example_shape(), [8, 8]);
    assert_eq!(digits.labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let first = digits.row(0).unwrap();
    assert_eq!(first[..6], [0.0, 0.0, 0.3125, 0.8125, 0.5625, 0.0625]);
    // Every pixel is a multiple of 1/16 and both ends occur.
    let sixteenths: Vec<f32> = digits.features().iter().map(|x| x * 16.0).collect();
    assert!(sixteenths.iter().all(|x| x.fract() == 0.0));
    assert_eq!(sixteenths.iter().copied().fold(f32::INFINITY, f32::min), 0.0);
    assert_eq!(sixteenths.iter().copied().fold(0.0, f32::max), 16.0);
    // Counts as documented for the data set.
    let mut counts = [0; 10];
    digits.labels().iter().for_each(|&l| counts[l as usize] += 1);
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(sixteenths.iter().map(|&x| f64::from(x)).sum::<f64>(), 561_718.0);
}

#[test]
fn the_digits_split_never_changes() {
    let (train, test) = digits_split().unwrap();
    assert_eq!((train.len(), test.len()), (1438, 359));
    assert_eq!((train.name(), test.name()), ("digits train", "digits test"));
    assert_eq!(
        [&train.labels()[..12], &test.labels()[..12]],
        [[1, 0, 8, 3, 7, 7, 0, 4, 6, 3, 9, 6], [7, 9, 4, 9, 8, 5, 4, 6, 1, 8, 6, 7]]
    );
}
