//! Data sets and networks by the names that flags give them.

use super::error::{Error, OfFlag, Result, usage};
use super::numbers;
use crate::autodiff::Array;
use crate::nn::data::{self, Batch, Dataset};
use crate::nn::{Activation, Linear, Model, Sequential, SimpleNet, mlp};
use std::fmt;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The flags of a data set.
#[derive(clap::Args, Clone, Debug)]
pub struct DataArgs {
    /// digits (embedded), mnist, fashion-mnist, or a path: a folder with four IDX files, or a
    /// CSV file whose last column is the label
    #[arg(long, default_value = "digits")]
    pub data: String,

    /// Where the files of mnist or fashion-mnist lie
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// First part of the training set that is used
    #[arg(long, default_value_t = 1.0, value_parser = numbers::part)]
    pub fraction: f64,

    /// Part of the training labels that is flipped to another class
    #[arg(long, default_value_t = 0.0, value_parser = numbers::part_or_none)]
    pub label_noise: f64,

    /// Every feature becomes (feature − MEAN)/STD; the default is to leave them as they are
    #[arg(long, value_name = "MEAN,STD")]
    pub normalize: Option<Normalize>,
}

/// Features become (feature − mean)/std.
///
/// ```
/// use burlap::cli::Normalize;
/// assert_eq!("0.1307,0.3081".parse(), Ok(Normalize { mean: 0.1307, std: 0.3081 }));
/// assert!("0,0".parse::<Normalize>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// The number that is subtracted.
    pub mean: f32,
    /// The divisor.
    pub std: f32,
}

impl Normalize {
    fn apply(self, data: &Dataset) -> Result<Dataset> {
        let features = data.features().iter().map(|x| (x - self.mean) / self.std).collect();
        let (labels, shape) = (data.labels().to_vec(), data.example_shape().to_vec());
        Ok(Dataset::new(data.name(), features, labels, data.classes(), shape)?)
    }
}

impl FromStr for Normalize {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Normalize, String> {
        let numbers: Option<Vec<f32>> = text.split(',').map(|s| s.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[mean, std]) if mean.is_finite() && std.is_finite() && std > 0.0 => {
                Ok(Normalize { mean, std })
            }
            _ => Err("two numbers MEAN,STD are needed, the second one positive".into()),
        }
    }
}

impl fmt::Display for Normalize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.mean, self.std)
    }
}

/// A training set in two parts for the choice of settings, without any test set.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The examples that are trained on.
    pub training: Dataset,
    /// The examples that settings are chosen by: their labels are those of the data set, never flipped.
    pub validation: Dataset,
}

impl DataArgs {
    /// Training and test set; the seed chooses the labels that are flipped.
    ///
    /// # Errors
    /// What reading the files reports, or that a setting is out of range.
    pub fn load(&self, seed: u64) -> Result<(Dataset, Dataset)> {
        let (train, test) = self.read()?;
        Ok((self.reduced(train, seed)?, test))
    }

    /// The training set without its part `validation`, and that part, by which settings can be chosen.
    /// Fraction and label noise apply to the training set that remains.
    ///
    /// # Errors
    /// As [`DataArgs::load`].
    pub fn selection(&self, validation: f64, seed: u64) -> Result<Selection> {
        Ok(self.split(validation, seed)?.0)
    }

    /// The training set of [`DataArgs::selection`], and the test set.
    ///
    /// # Errors
    /// As [`DataArgs::load`].
    pub fn final_sets(&self, validation: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let (selection, test) = self.split(validation, seed)?;
        Ok((selection.training, test))
    }

    fn split(&self, validation: f64, seed: u64) -> Result<(Selection, Dataset)> {
        let (train, test) = self.read()?;
        // One split for all seeds: what differs between them is then the training alone.
        let (training, validation) = train.stratified_split(validation, 0)?;
        Ok((Selection { training: self.reduced(training, seed)?, validation }, test))
    }

    /// The first part of a training set with some labels flipped.
    fn reduced(&self, mut train: Dataset, seed: u64) -> Result<Dataset> {
        if self.fraction != 1.0 {
            train = train.first_fraction(self.fraction)?;
        }
        if self.label_noise != 0.0 {
            train = train.flip_labels(self.label_noise, seed)?;
        }
        Ok(train)
    }

    fn read(&self) -> Result<(Dataset, Dataset)> {
        let (train, test) = self.read_raw()?;
        Ok(match self.normalize {
            Some(normalize) => (normalize.apply(&train)?, normalize.apply(&test)?),
            None => (train, test),
        })
    }

    fn read_raw(&self) -> Result<(Dataset, Dataset)> {
        let folder = |default: &str| self.data_dir.clone().unwrap_or_else(|| default.into());
        Ok(match self.data.as_str() {
            "digits" => data::digits_split()?,
            "mnist" => data::mnist(folder("mnist"))?,
            "fashion-mnist" => {
                let default = data::fashion_mnist_default_dir();
                data::fashion_mnist(self.data_dir.as_deref().unwrap_or(default))?
            }
            path if Path::new(path).is_dir() => data::from_idx_dir(path)?,
            // What is no regular file is refused there.
            path if Path::new(path).exists() => {
                data::csv_dataset(path)?.stratified_split(0.2, 0)?
            }
            path => usage(format!(
                "--data {path}: neither digits, mnist, fashion-mnist, nor an existing file or folder"
            ))?,
        })
    }
}

/// The network of a name for a data set: mlp, mlp:H1,H2,… (hidden sizes), simple (six layers,
/// two of which share their parameters), or paper (one layer more: the one that the code of arXiv
/// 2406.03682 trains on MNIST).
///
/// ```
/// let digits = burlap::nn::data::digits()?;
/// let network = burlap::cli::model("mlp:32,16", &digits)?;
/// assert_eq!(network.layout().total(), 65 * 32 + 33 * 16 + 17 * 10);
/// # Ok::<(), burlap::cli::Error>(())
/// ```
///
/// # Errors
/// [`Error::Flag`] for any other name.
pub fn model(name: &str, data: &Dataset) -> Result<Model> {
    network(name, data).of_flag(format!("--model {name}"))
}

fn network(name: &str, data: &Dataset) -> Result<Model> {
    let hidden: Vec<usize> = match name.split_once(':') {
        Some(("mlp", sizes)) => {
            let parsed: std::result::Result<_, _> =
                sizes.split(',').map(|s| s.trim().parse()).collect();
            parsed.map_err(|error: ParseIntError| {
                Error::Usage(format!("hidden sizes are numbers separated by commas: {error}"))
            })?
        }
        None if name == "mlp" => vec![64],
        None if name == "simple" => {
            return Ok(Model::new(SimpleNet::new(data.dim(), data.classes()))?);
        }
        None if name == "paper" => return Ok(Model::new(paper_network(data))?),
        _ => return usage("there are mlp, mlp:H1,H2,…, simple and paper".into()),
    };
    let sizes: Vec<usize> =
        std::iter::once(data.dim()).chain(hidden).chain([data.classes()]).collect();
    Ok(Model::new(mlp(&sizes, Activation::Relu)?)?)
}

/// inputs-128-(128, 128 shared)-128-128-128-outputs with relu between the layers: seven layers, six
/// sets of parameters.
fn paper_network(data: &Dataset) -> Sequential {
    const WIDTH: usize = 128;
    let hidden = || Linear::new(WIDTH, WIDTH);
    Sequential::new()
        .named("fc1", Linear::new(data.dim(), WIDTH))
        .then(Activation::Relu)
        .named("fc2", hidden())
        .then(Activation::Relu)
        .reuse("fc2")
        .then(Activation::Relu)
        .named("fc3", hidden())
        .then(Activation::Relu)
        .named("fc4", hidden())
        .then(Activation::Relu)
        .named("fc5", hidden())
        .then(Activation::Relu)
        .named("fc6", Linear::new(WIDTH, data.classes()))
}

/// A batch as arrays: features `[n, d]` and labels `[n]`.
///
/// # Errors
/// What the engine reports.
pub fn batch_arrays(batch: Batch, dim: usize) -> Result<Vec<Array>> {
    let features = Array::from_vec([batch.len, dim], batch.features)?;
    Ok(vec![features, Array::vector(batch.labels)])
}

/// A data set in consecutive batches of at most `size` examples, `limit` in all.
///
/// # Errors
/// For batches of no examples, or none at all; what the engine reports.
pub fn batches(data: &Dataset, size: usize, limit: usize) -> Result<Vec<Vec<Array>>> {
    if size == 0 || limit == 0 {
        return usage(format!("{}: batches of at least one example are needed", data.name()));
    }
    let indices: Vec<usize> = (0..data.len().min(limit)).collect();
    indices.chunks(size).map(|part| batch_arrays(data.gather(part)?, data.dim())).collect()
}
