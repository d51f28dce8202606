//! What can be wrong with data.

use std::io;
use std::path::PathBuf;

use crate::files::FileError;
use crate::memory::OutOfMemory;

/// What went wrong while reading, building or sampling a data set.
///
/// Offsets count bytes from the start of the data, after decompression if the
/// file is gzipped. Lines and columns count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened: it does not exist, say, or is no regular file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is of another kind.
    #[error("{}: is {found}, but {expected} is expected", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        found: &'static str,
        /// What it should be, in words.
        expected: &'static str,
    },
    /// The contents take more memory than there is for them.
    #[error("{}: the contents, decompressed, are more than {most} bytes, a quarter of memory", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The number of bytes that are read at most.
        most: u64,
    },
    /// Files of a data set are missing from its directory.
    #[error("{}: {} not found there, plain or .gz; {how}", dir.display(), files.join(", "))]
    MissingFiles {
        /// The directory searched.
        dir: PathBuf,
        /// Names of the missing files, without `.gz`.
        files: Vec<String>,
        /// How to get them.
        how: &'static str,
    },
    /// A data set of several files was looked for in what is no folder.
    #[error("{}: is no folder; {how}", dir.display())]
    NoFolder {
        /// What should be a folder.
        dir: PathBuf,
        /// How to get the files.
        how: &'static str,
    },
    /// The operating system could not read on.
    #[error("{}: cannot be read at byte {offset}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Bytes read before the failure.
        offset: u64,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file starts like gzip but does not decompress.
    #[error("{}: corrupt gzip data after byte {offset} of the contents: {cause}", path.display())]
    CorruptGzip {
        /// The file.
        path: PathBuf,
        /// Bytes decompressed before the failure.
        offset: u64,
        /// What the decompressor said.
        cause: io::Error,
    },
    /// The file does not start like an IDX file.
    #[error(
        "{}: not an IDX file: bytes 0 and 1 must be 00 00, found {:02x} {:02x}",
        path.display(), found[0], found[1]
    )]
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// The two bytes at offset 0.
        found: [u8; 2],
    },
    /// The IDX file holds something other than unsigned bytes.
    #[error(
        "{}: IDX element type 0x{found:02x} at byte {offset} is not supported, only 0x08 (unsigned byte)",
        path.display()
    )]
    UnsupportedElementType {
        /// The file.
        path: PathBuf,
        /// Where the type is stated.
        offset: u64,
        /// The type code found.
        found: u8,
    },
    /// The IDX array has another number of dimensions than needed.
    #[error("{}: IDX rank at byte {offset} must be {expected}, found {found}", path.display())]
    WrongRank {
        /// The file.
        path: PathBuf,
        /// Where the rank is stated.
        offset: u64,
        /// The rank needed, in words where several are possible.
        expected: String,
        /// The rank found.
        found: usize,
    },
    /// The sizes of the IDX array multiply to more than memory can address.
    #[error("{}: IDX sizes {shape:?} at byte {offset} are too large to address", path.display())]
    SizeOverflow {
        /// The file.
        path: PathBuf,
        /// Where the sizes start.
        offset: u64,
        /// The sizes found.
        shape: Vec<u32>,
    },
    /// The file ends too early.
    #[error(
        "{}: truncated: {part} at byte {offset} needs {expected} bytes, found {found}",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The part that is cut short.
        part: &'static str,
        /// Where that part starts.
        offset: u64,
        /// Its length in bytes.
        expected: u64,
        /// The bytes left in the file.
        found: u64,
    },
    /// The file goes on after the last element.
    #[error("{}: trailing data: the file must end at byte {offset}", path.display())]
    TrailingData {
        /// The file.
        path: PathBuf,
        /// Where the file should end.
        offset: u64,
    },
    /// An image file and its label file differ in the number of examples.
    #[error(
        "{} holds {images} images, but {} holds {labels} labels",
        image_path.display(), label_path.display()
    )]
    CountMismatch {
        /// The file of images.
        image_path: PathBuf,
        /// The file of labels.
        label_path: PathBuf,
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// The test images differ in shape from the training images.
    #[error("{}: images have shape {found:?}, the training images {expected:?}", path.display())]
    ImageShapeMismatch {
        /// The file of test images.
        path: PathBuf,
        /// Shape of one training image.
        expected: Vec<usize>,
        /// Shape of one test image.
        found: Vec<usize>,
    },
    /// A label file holds a label that is no class of the data set.
    #[error("{}: label {found} at byte {offset} must be below {classes}", path.display())]
    FileLabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// Where the label stands.
        offset: u64,
        /// The label.
        found: u8,
        /// Number of classes.
        classes: usize,
    },
    /// The CSV file has no rows.
    #[error("{}: no rows", path.display())]
    CsvEmpty {
        /// The file.
        path: PathBuf,
    },
    /// A CSV line is longer than any row of numbers.
    #[error("{}: line {line}: more than {most} bytes without an end", path.display())]
    CsvLine {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The longest line that is read.
        most: usize,
    },
    /// A CSV row differs in length from what is needed.
    #[error("{}: line {line}: needs {expected} columns, found {found}", path.display())]
    CsvColumns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Columns needed; the first row decides, and needs two or more.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// A CSV field is not a number.
    #[error("{}: line {line}, column {column}: {found:?} is not a number", path.display())]
    CsvNumber {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The field, shortened if long.
        found: String,
    },
    /// A CSV field is infinite, not a number, or too large for `f32`.
    #[error("{}: line {line}, column {column}: {found:?} is not finite as f32", path.display())]
    CsvNotFinite {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The field, shortened if long.
        found: String,
    },
    /// The last CSV field of a row is not a class.
    #[error(
        "{}: line {line}, column {column}: label {found:?} is not an integer from 0 to {max}",
        path.display()
    )]
    CsvLabel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The field, shortened if long.
        found: String,
        /// The largest label accepted.
        max: u32,
    },
    /// A data set, or one part of a split, would hold no examples.
    #[error("{name}: a data set needs at least one example")]
    Empty {
        /// Name of the data set.
        name: String,
    },
    /// The shape of an example has no elements, or too many to address.
    #[error("{name}: example shape {shape:?} must have at least one element and fit in memory")]
    BadShape {
        /// Name of the data set.
        name: String,
        /// The shape.
        shape: Vec<usize>,
    },
    /// The number of features is not examples × elements per example.
    #[error(
        "{name}: {examples} labels of {dim} features each need {expected} values, found {found}"
    )]
    FeatureCount {
        /// Name of the data set.
        name: String,
        /// Number of labels.
        examples: usize,
        /// Features per example.
        dim: usize,
        /// Values needed.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A feature is infinite or not a number.
    #[error("{name}: feature {column} of example {example} is {found}, not finite")]
    FeatureNotFinite {
        /// Name of the data set.
        name: String,
        /// The example, from 0.
        example: usize,
        /// The feature, from 0.
        column: usize,
        /// The value.
        found: f32,
    },
    /// A label is no class of the data set.
    #[error("{name}: label {found} of example {example} must be below {classes}")]
    LabelOutOfRange {
        /// Name of the data set.
        name: String,
        /// The example, from 0.
        example: usize,
        /// The label.
        found: u32,
        /// Number of classes.
        classes: usize,
    },
    /// The number of classes does not fit in `u32`, the type of labels.
    #[error("{name}: {classes} classes are too many for 32-bit labels")]
    TooManyClasses {
        /// Name of the data set.
        name: String,
        /// Number of classes.
        classes: usize,
    },
    /// Labels cannot be flipped when there is no other class.
    #[error("{name}: flipping labels needs two classes or more, found {classes}")]
    TooFewClasses {
        /// Name of the data set.
        name: String,
        /// Number of classes.
        classes: usize,
    },
    /// A fraction lies outside its range.
    #[error("{what} must satisfy {range}, found {found}")]
    Fraction {
        /// Which argument.
        what: &'static str,
        /// The range allowed.
        range: &'static str,
        /// The value.
        found: f64,
    },
    /// An example was asked for that does not exist.
    #[error("{name}: example {index} does not exist, there are {len}")]
    IndexOutOfRange {
        /// Name of the data set.
        name: String,
        /// The index.
        index: usize,
        /// Number of examples.
        len: usize,
    },
    /// A loader was given no examples.
    #[error("a loader needs at least one example")]
    NoExamples,
    /// Something that is larger than memory.
    #[error("{what} does not fit into memory: {short}")]
    Memory {
        /// What it is.
        what: String,
        /// How much is needed, and how much there is.
        short: OutOfMemory,
    },
    /// A loader was given batches of no examples.
    #[error("a batch needs at least one example")]
    ZeroBatchSize,
}
