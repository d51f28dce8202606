//! The handwritten digits built into the crate.

use std::io::Cursor;
use std::path::Path;

use super::input::Input;
use super::{DataError, Dataset, csv};

static DIGITS_CSV_GZ: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// Seed of the split that [`digits_split`] makes.
pub const DIGITS_SPLIT_SEED: u64 = 1998;

const TEST_FRACTION: f64 = 0.2;
const SIDE: usize = 8;
const CLASSES: usize = 10;
const LARGEST_PIXEL: f32 = 16.0;

/// The 1797 handwritten digits of 8 × 8 pixels that are built into the crate.
///
/// Pixels are divided by 16, so features lie in 0..=1; examples have shape
/// `[8, 8]`, and there are 10 classes.
///
/// The data are the test half of *Optical Recognition of Handwritten Digits*
/// by E. Alpaydin and C. Kaynak (1998), from the UCI Machine Learning
/// Repository, doi:10.24432/C50P49, licensed under [CC BY 4.0]. The file is
/// the unchanged copy from scikit-learn 1.9.1.
///
/// ```
/// let digits = burlap_nn::data::digits()?;
/// assert_eq!((digits.len(), digits.dim(), digits.classes()), (1797, 64, 10));
/// # Ok::<(), burlap_nn::Error>(())
/// ```
///
/// [CC BY 4.0]: https://creativecommons.org/licenses/by/4.0/
///
/// # Errors
///
/// None with the file the crate is published with; a [`DataError`] if it was
/// replaced by one that cannot be read.
pub fn digits() -> Result<Dataset, DataError> {
    let path = Path::new("digits.csv.gz (built in)");
    let table = csv::parse(Input::new(path, Cursor::new(DIGITS_CSV_GZ), csv::EXPECTED)?)?;
    Dataset::new("digits", table.features, table.labels, CLASSES, vec![SIDE, SIDE])?
        .scaled(LARGEST_PIXEL.recip())
}

/// The [`digits`] in a fixed stratified split: 1438 to train, 359 to test.
///
/// # Errors
///
/// As [`digits`].
pub fn digits_split() -> Result<(Dataset, Dataset), DataError> {
    digits()?.stratified_split(TEST_FRACTION, DIGITS_SPLIT_SEED)
}
