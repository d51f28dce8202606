//! MNIST and the data sets distributed in the same four files.

use std::path::{Path, PathBuf};

use super::idx::{self, IdxArray};
use super::{DataError, Dataset};

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
const CLASSES: usize = 10;

const GET_MNIST: &str =
    "download the four IDX files of the MNIST distribution (plain or .gz) and pass their folder";
const GET_FASHION_MNIST: &str = "on Debian, `apt-get install dataset-fashion-mnist` puts the four \
     files in /usr/share/datasets/fashion-mnist";
const GET_ANY: &str = "the folder must hold all four files under their MNIST names";

/// Reads MNIST from a folder with its four IDX files, as (train, test).
///
/// The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or with
/// `.gz` appended. Pixels are divided by 255, so features lie in 0..=1; the
/// original images have shape `[28, 28]`, and there are 10 classes.
///
/// ```no_run
/// let (train, test) = burlap_nn::data::mnist("mnist")?;
/// assert_eq!(train.example_shape(), [28, 28]);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
///
/// # Errors
///
/// [`DataError::MissingFiles`] lists the files that are not there, [`DataError::NoFolder`] tells that
/// `dir` is a file; a file that
/// is there but damaged gives the errors of [`idx::read_idx`]. Files that do
/// not fit together, or labels above 9, have errors of their own.
pub fn mnist(dir: impl AsRef<Path>) -> Result<(Dataset, Dataset), DataError> {
    read_dir(dir.as_ref(), "mnist", Some(CLASSES), GET_MNIST)
}

/// Reads Fashion-MNIST from a folder with its four IDX files, as (train, test).
///
/// Files, shapes and scaling are those of [`mnist`]. Debian distributes the
/// files as the package `dataset-fashion-mnist`, in
/// [`fashion_mnist_default_dir`].
///
/// # Errors
///
/// As [`mnist`].
pub fn fashion_mnist(dir: impl AsRef<Path>) -> Result<(Dataset, Dataset), DataError> {
    read_dir(dir.as_ref(), "fashion-mnist", Some(CLASSES), GET_FASHION_MNIST)
}

/// The folder where Debian's `dataset-fashion-mnist` puts its files.
#[must_use]
pub fn fashion_mnist_default_dir() -> &'static Path {
    Path::new("/usr/share/datasets/fashion-mnist")
}

/// Reads any data set distributed in the four files of [`mnist`], as
/// (train, test).
///
/// One image may have any shape; pixels are divided by 255. The number of
/// classes is one more than the largest label, and the name is the folder's.
///
/// ```
/// use burlap_nn::data::from_idx_dir;
///
/// let dir = tempfile::tempdir()?;
/// for part in ["train", "t10k"] {
///     // Two images of 1 × 2 pixels, of classes 1 and 0.
///     let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 0];
///     let labels = [0, 0, 8, 1, 0, 0, 0, 2, 1, 0];
///     std::fs::write(dir.path().join(format!("{part}-images-idx3-ubyte")), images)?;
///     std::fs::write(dir.path().join(format!("{part}-labels-idx1-ubyte")), labels)?;
/// }
///
/// let (train, _test) = from_idx_dir(dir.path())?;
/// assert_eq!(train.example_shape(), [1, 2]);
/// assert_eq!(train.features(), [0.0, 1.0, 0.2, 0.0]);
/// assert_eq!(train.classes(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`mnist`].
pub fn from_idx_dir(dir: impl AsRef<Path>) -> Result<(Dataset, Dataset), DataError> {
    let dir = dir.as_ref();
    let name = match dir.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => dir.display().to_string(),
    };
    read_dir(dir, &name, None, GET_ANY)
}

/// One half of the data set: the images with their labels, and their files.
struct Part {
    images: IdxArray,
    image_path: PathBuf,
    labels: IdxArray,
    label_path: PathBuf,
}

fn read_dir(
    dir: &Path,
    name: &str,
    classes: Option<usize>,
    how: &'static str,
) -> Result<(Dataset, Dataset), DataError> {
    if dir.exists() && !dir.is_dir() {
        return Err(DataError::NoFolder { dir: dir.to_owned(), how });
    }
    let files: Vec<&str> =
        [TRAIN, TEST].concat().into_iter().filter(|file| locate(dir, file).is_none()).collect();
    if !files.is_empty() {
        return Err(DataError::MissingFiles {
            dir: dir.to_owned(),
            files: files.into_iter().map(str::to_owned).collect(),
            how,
        });
    }

    // Images of any rank are fine in general, but MNIST's are known.
    let image_rank = classes.map(|_| 3);
    let train = Part::read(dir, TRAIN, image_rank)?;
    let test = Part::read(dir, TEST, image_rank)?;
    if test.images.shape[1..] != train.images.shape[1..] {
        return Err(DataError::ImageShapeMismatch {
            path: test.image_path,
            expected: train.images.shape[1..].to_vec(),
            found: test.images.shape[1..].to_vec(),
        });
    }
    let classes = classes.unwrap_or_else(|| {
        let labels = train.labels.data.iter().chain(&test.labels.data);
        labels.max().map_or(1, |&label| usize::from(label) + 1)
    });
    Ok((
        train.into_dataset(format!("{name} train"), classes)?,
        test.into_dataset(format!("{name} test"), classes)?,
    ))
}

/// The file of that name, or of that name with `.gz`.
fn locate(dir: &Path, file: &str) -> Option<PathBuf> {
    [dir.join(file), dir.join(format!("{file}.gz"))].into_iter().find(|path| path.exists())
}

impl Part {
    fn read(dir: &Path, files: [&str; 2], image_rank: Option<usize>) -> Result<Self, DataError> {
        // A file that vanished since it was looked for is reported as missing.
        let path = |file| locate(dir, file).unwrap_or_else(|| dir.join(file));
        let (image_path, label_path) = (path(files[0]), path(files[1]));
        let images = match image_rank {
            Some(rank) => idx::read_idx_of_rank(&image_path, rank)?,
            None => idx::read(&image_path, "at least 2", |rank| rank >= 2)?,
        };
        let labels = idx::read_idx_of_rank(&label_path, 1)?;
        if images.shape[0] != labels.data.len() {
            return Err(DataError::CountMismatch {
                image_path,
                label_path,
                images: images.shape[0],
                labels: labels.data.len(),
            });
        }
        Ok(Self { images, image_path, labels, label_path })
    }

    fn into_dataset(self, name: String, classes: usize) -> Result<Dataset, DataError> {
        // A label file has eight bytes before its first label.
        for (offset, &found) in (8..).zip(&self.labels.data) {
            if usize::from(found) >= classes {
                return Err(DataError::FileLabelOutOfRange {
                    path: self.label_path,
                    offset,
                    found,
                    classes,
                });
            }
        }
        let features = self.images.data.iter().map(|&b| f32::from(b) / 255.0);
        let labels = self.labels.data.iter().map(|&b| u32::from(b));
        Dataset::new(
            name,
            features.collect(),
            labels.collect(),
            classes,
            self.images.shape[1..].to_vec(),
        )
    }
}
