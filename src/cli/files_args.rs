//! Runs of several optimizers from the command line.

use crate::experiment::Files;
use anyhow::{Context, Result, bail};
use burlap::nn::files;
use std::path::PathBuf;

/// Where runs are kept.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct FilesArgs {
    /// Save the run after every epoch (with one optimizer)
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Go on from a saved run (with one optimizer); a finished one is looked at as it is
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
}

impl FilesArgs {
    /// Checks the names of optimizers, that files are not those of several, and that they can be
    /// written and read, before any work: a mistake should not cost the runs before it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self, optimizers: &[String]) -> Result<Files> {
        if optimizers.len() != 1 && (self.save.is_some() || self.resume.is_some()) {
            bail!("--save and --resume need exactly one --optimizer");
        }
        for (k, name) in optimizers.iter().enumerate() {
            burlap::optim::method(name, &Default::default())?;
            if optimizers[..k].contains(name) {
                bail!("--optimizer names {name} twice");
            }
        }
        if let Some(path) = &self.save {
            files::check_replaceable(path).context("--save")?;
        }
        if let Some(path) = &self.resume {
            files::open(path).context("--resume")?;
        }
        Ok(Files { save: self.save.clone(), resume: self.resume.clone() })
    }
}
