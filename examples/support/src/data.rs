//! The data sets and networks that the flags name.

use anyhow::{Context, Result, bail};
use burlap::autodiff::Array;
use burlap::nn::data::{self, Batch, Dataset};
use burlap::nn::{Activation, Model, SimpleNet, mlp};
use std::path::{Path, PathBuf};

/// Which data.
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
    #[arg(long, default_value_t = 1.0)]
    pub fraction: f64,

    /// Part of the training labels that is flipped to another class
    #[arg(long, default_value_t = 0.0)]
    pub label_noise: f64,
}

impl DataArgs {
    /// Training and test set; the seed chooses the labels that are flipped.
    ///
    /// # Errors
    /// What reading the files reports, or that a setting is out of range.
    pub fn load(&self, seed: u64) -> Result<(Dataset, Dataset)> {
        let (mut train, test) = self.read()?;
        if self.fraction != 1.0 {
            train = train.first_fraction(self.fraction)?;
        }
        if self.label_noise != 0.0 {
            train = train.flip_labels(self.label_noise, seed)?;
        }
        Ok((train, test))
    }

    fn read(&self) -> Result<(Dataset, Dataset)> {
        let folder = |default: &str| self.data_dir.clone().unwrap_or_else(|| default.into());
        Ok(match self.data.as_str() {
            "digits" => data::digits_split()?,
            "mnist" => data::mnist(folder("mnist"))?,
            "fashion-mnist" => {
                let default = data::fashion_mnist_default_dir();
                data::fashion_mnist(self.data_dir.as_deref().unwrap_or(default))?
            }
            path if Path::new(path).is_dir() => data::from_idx_dir(path)?,
            path if Path::new(path).is_file() => {
                data::csv_dataset(path)?.stratified_split(0.2, 0)?
            }
            path => bail!(
                "--data {path}: neither digits, mnist, fashion-mnist, nor an existing file or folder"
            ),
        })
    }
}

/// The network of a name, for a data set: mlp, mlp:H1,H2,… (hidden sizes), or simple (six layers,
/// two of which share their parameters).
///
/// # Errors
/// For any other name.
pub fn model(name: &str, data: &Dataset) -> Result<Model> {
    let hidden: Vec<usize> = match name.split_once(':') {
        Some(("mlp", sizes)) => {
            let parsed: std::result::Result<_, _> =
                sizes.split(',').map(|s| s.trim().parse()).collect();
            parsed.with_context(|| {
                format!("--model {name}: hidden sizes are numbers separated by commas")
            })?
        }
        None if name == "mlp" => vec![64],
        None if name == "simple" => {
            return Ok(Model::new(SimpleNet::new(data.dim(), data.classes()))?);
        }
        _ => bail!("--model {name}: there are mlp, mlp:H1,H2,… and simple"),
    };
    let sizes: Vec<usize> =
        std::iter::once(data.dim()).chain(hidden).chain([data.classes()]).collect();
    Ok(Model::new(mlp(&sizes, Activation::Relu)?)?)
}

/// A batch as arrays: features [n, d] and labels [n].
///
/// # Errors
/// What the engine reports.
pub fn arrays(batch: Batch, dim: usize) -> Result<Vec<Array>> {
    let features = Array::from_vec([batch.len, dim], batch.features)?;
    Ok(vec![features, Array::vector(batch.labels)])
}

/// A data set in consecutive batches of at most `size` examples, `limit` in all.
///
/// # Errors
/// What the engine reports.
pub fn pieces(data: &Dataset, size: usize, limit: usize) -> Result<Vec<Vec<Array>>> {
    let indices: Vec<usize> = (0..data.len().min(limit)).collect();
    indices.chunks(size).map(|part| arrays(data.gather(part)?, data.dim())).collect()
}
