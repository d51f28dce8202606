//! Curvature, spectra and landscapes of trained networks, by the flags of the commands.

use super::data::batches;
use super::error::{OfFlag, Result, usage};
use super::experiment::{Experiment, TrainedRun};
use super::numbers;
use super::progress::with_progress_bar;
use crate::autodiff::Array;
use crate::optim::Objective;
use crate::optim::curvature::HessianOperator;
use crate::report::{CurvatureSummary, Landscape, Plane, Spectrum, SpectrumSettings};

/// Examples of the training set on which curvature is measured, at most.
pub const CURVATURE_EXAMPLES: usize = 2048;

/// The examples that a program evaluates together, when losses are taken on a grid.
const LANDSCAPE_BATCH: usize = 256;

/// Points of a grid along a side, at most: more than the picture has.
const MOST_POINTS: usize = 1000;

/// How a spectrum is measured.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct SpectrumArgs {
    /// Random probes of the spectral density
    #[arg(long, default_value_t = 10, value_parser = numbers::count)]
    pub density_probes: usize,

    /// Products with the Hessian for each probe of the spectral density
    #[arg(long, default_value_t = 60, value_parser = numbers::whole(1..=10_000))]
    pub density_steps: usize,
}

/// Which plane, and where it is looked at.
#[derive(clap::Args, Clone, Debug)]
pub struct LandscapeArgs {
    /// random (Gaussian, each neuron's part as long as its weights) or eigen (the two largest
    /// eigenvectors of the Hessian)
    #[arg(long, default_value = "random")]
    pub directions: String,

    /// Points of the grid along each direction
    #[arg(long, default_value_t = 31, value_parser = numbers::whole(2..=MOST_POINTS))]
    pub grid: usize,

    /// How far the plane is looked at along each direction
    #[arg(long, default_value_t = 1.0, value_parser = numbers::positive)]
    pub range: f64,

    /// Examples of the training set, at most
    #[arg(long, default_value_t = CURVATURE_EXAMPLES, value_parser = numbers::count)]
    pub landscape_examples: usize,
}

impl LandscapeArgs {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Usage`](super::Error::Usage) with the flag that is out of range.
    pub fn check(&self) -> Result<()> {
        let LandscapeArgs { directions, grid, range, landscape_examples } = self;
        if !matches!(directions.as_str(), "random" | "eigen") {
            return usage(format!("--directions {directions}: there are random and eigen"));
        }
        if !(2..=MOST_POINTS).contains(grid) {
            return usage(format!("--grid {grid}: a grid has 2 to {MOST_POINTS} points a side"));
        }
        if !(*range > 0.0 && range.is_finite()) {
            return usage(format!("--range {range}: must be positive and finite"));
        }
        if *landscape_examples == 0 {
            return usage("--landscape-examples 0: the loss needs an example".into());
        }
        Ok(())
    }
}

impl Experiment {
    /// The Hessian of the mean training loss of the first `limit` examples, as one batch.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn hessian<'a>(
        &self,
        objective: &'a Objective,
        x: &Array,
        limit: usize,
    ) -> Result<HessianOperator<'a>> {
        let batches = batches(&self.train, limit, limit)?;
        let batches: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
        Ok(HessianOperator::new(objective, x, &batches)?)
    }

    /// The number of examples on which curvature is measured.
    #[must_use]
    pub fn curvature_examples(&self) -> usize {
        self.train.len().min(CURVATURE_EXAMPLES)
    }

    /// Curvature of the training loss at a point.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn curvature(
        &self,
        objective: &Objective,
        x: &Array,
        probes: usize,
    ) -> Result<CurvatureSummary> {
        let hessian = self.hessian(objective, x, CURVATURE_EXAMPLES)?;
        let total = CurvatureSummary::max_matvecs(probes);
        let mut hessian = with_progress_bar(hessian, "curvature", total);
        Ok(CurvatureSummary::measure(&mut hessian, probes, self.args.seed)?)
    }

    /// The spectrum of the Hessian of the training loss at the end of a run.
    ///
    /// # Errors
    /// For no probes or steps, and what the engine reports.
    pub fn spectrum(&self, name: &str, run: &TrainedRun, args: SpectrumArgs) -> Result<Spectrum> {
        let settings = SpectrumSettings { probes: args.density_probes, steps: args.density_steps };
        let (objective, x) = (run.training.objective(), run.training.parameters());
        let hessian = self.hessian(objective, x, CURVATURE_EXAMPLES)?;
        let mut hessian = with_progress_bar(hessian, name, settings.max_matvecs());
        Ok(Spectrum::measure(name, &mut hessian, settings, self.args.seed)?)
    }

    /// The Hessian that [`spectrum`](Experiment::spectrum) measures, in the words of a caption.
    #[must_use]
    pub fn hessian_description(&self) -> String {
        let examples = self.curvature_examples();
        format!("the Hessian of the mean training loss of {examples} examples")
    }

    /// The number of examples that a [`landscape`](Experiment::landscape) takes.
    #[must_use]
    pub fn landscape_examples(&self, args: &LandscapeArgs) -> usize {
        args.landscape_examples.min(self.train.len())
    }

    /// The training loss over a plane through the end of a run.
    ///
    /// # Errors
    /// For settings out of range, and what the engine reports. A loss that is not finite is a gap.
    pub fn landscape(
        &self,
        name: &str,
        run: &TrainedRun,
        args: &LandscapeArgs,
    ) -> Result<Landscape> {
        args.check()?;
        let (limit, seed) = (self.landscape_examples(args), self.args.seed);
        let (objective, x) = (run.training.objective(), run.training.parameters());
        let plane = match args.directions.as_str() {
            "random" => Plane::random(self.model.layout(), x, seed),
            _ => Plane::top_eigenvectors(&mut self.hessian(objective, x, limit)?, seed)
                .of_flag("--directions eigen")?,
        };
        let batches = batches(&self.train, LANDSCAPE_BATCH, limit)?;
        let batches: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
        let grid = (args.grid, args.range);
        Ok(Landscape::measure(name, objective, x, &plane, &batches, grid)?)
    }
}
