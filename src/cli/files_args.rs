//! The flags of saved runs.

use super::error::{OfFlag, Result, usage};
use super::experiment::Files;
use crate::nn::files;
use crate::optim;
use std::path::PathBuf;

/// The flags of saved runs.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct FilesArgs {
    /// Save the run after every epoch (with one method)
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Go on from a saved run (with one method); a finished one is looked at as it is
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
}

impl FilesArgs {
    /// Checks the names of methods, that files are not those of several, and that they can be
    /// written and read, before any work: a mistake should not cost the runs before it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self, methods: &[String]) -> Result<Files> {
        if methods.len() != 1 && (self.save.is_some() || self.resume.is_some()) {
            return usage("--save and --resume need exactly one --method".into());
        }
        for (k, name) in methods.iter().enumerate() {
            optim::method(name, &Default::default())?;
            if methods[..k].contains(name) {
                return usage(format!("--method names {name} twice"));
            }
        }
        if let Some(path) = &self.save {
            files::check_replaceable(path).of_flag("--save")?;
        }
        if let Some(path) = &self.resume {
            files::open(path).of_flag("--resume")?;
        }
        Ok(Files { save: self.save.clone(), resume: self.resume.clone() })
    }
}
