//! The data sets and networks that the options name.

use crate::options::Options;
use anyhow::{Context, Result, bail};
use burlap::autodiff::Array;
use burlap::nn::data::{self, Batch, Dataset};
use burlap::nn::{Activation, Model, SimpleNet, mlp};
use std::path::Path;

/// Training and test set, as the options ask for them.
pub(crate) fn load(options: &Options) -> Result<(Dataset, Dataset)> {
    let folder = |default: &str| options.data_dir.clone().unwrap_or_else(|| default.into());
    let (mut train, test) = match options.data.as_str() {
        "digits" => data::digits_split()?,
        "mnist" => data::mnist(folder("mnist"))?,
        "fashion-mnist" => {
            let default = data::fashion_mnist_default_dir();
            data::fashion_mnist(options.data_dir.as_deref().unwrap_or(default))?
        }
        path if Path::new(path).is_dir() => data::from_idx_dir(path)?,
        path if Path::new(path).is_file() => data::csv_dataset(path)?.stratified_split(0.2, 0)?,
        path => bail!(
            "--data {path}: neither digits, mnist, fashion-mnist, nor an existing file or folder"
        ),
    };
    if options.fraction != 1.0 {
        train = train.first_fraction(options.fraction)?;
    }
    if options.label_noise != 0.0 {
        train = train.flip_labels(options.label_noise, options.seed)?;
    }
    Ok((train, test))
}

/// The network that the options name, for a data set.
pub(crate) fn model(name: &str, data: &Dataset) -> Result<Model> {
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
pub(crate) fn arrays(batch: Batch, dim: usize) -> Result<Vec<Array>> {
    let features = Array::from_vec([batch.len, dim], batch.features)?;
    Ok(vec![features, Array::vector(batch.labels)])
}

/// A data set in consecutive batches of at most `size` examples, `limit` in all.
pub(crate) fn pieces(data: &Dataset, size: usize, limit: usize) -> Result<Vec<Vec<Array>>> {
    let indices: Vec<usize> = (0..data.len().min(limit)).collect();
    indices.chunks(size).map(|part| arrays(data.gather(part)?, data.dim())).collect()
}
