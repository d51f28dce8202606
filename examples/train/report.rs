//! The report of a comparison.

use crate::options::Options;
use crate::outcome::samples;
use anyhow::{Context, Result};
use burlap::cli::{Epoch, Experiment, History, TrainedRun, curves_caption};
use burlap::report::{
    Landscape, Picture, Report, RunHistory, Spectrum, Table, landscapes_caption,
    landscapes_picture, spectra_caption, spectra_picture, training_curves, writable_folder,
};
use std::path::PathBuf;

/// The files of a report: its page, and pictures as SVG and PNG.
const PAGE: &str = "report.html";
const PICTURES: [&str; 3] = ["curves", "spectra", "landscapes"];

/// The parts of a report as runs end; nothing where no report is asked for.
pub(crate) struct ReportBuilder<'a> {
    options: &'a Options,
    histories: Vec<History>,
    spectra: Vec<Spectrum>,
    landscapes: Vec<Landscape>,
    settings: Table,
}

impl ReportBuilder<'_> {
    pub(crate) fn new(options: &Options) -> Result<ReportBuilder<'_>> {
        if let Some(folder) = &options.report {
            let pictures = PICTURES.into_iter().flat_map(Picture::files);
            writable_folder(folder, pictures.chain([PAGE.to_owned()])).context("--report")?;
        }
        Ok(ReportBuilder {
            options,
            histories: Vec::new(),
            spectra: Vec::new(),
            landscapes: Vec::new(),
            settings: Table::new(["optimizer", "estimator", "ρ", "λ", "samples"]),
        })
    }

    /// Records an epoch of the run that is going on.
    pub(crate) fn observe(&mut self, experiment: &Experiment, epoch: &Epoch<'_>) -> Result<()> {
        if self.options.report.is_none() {
            return Ok(());
        }
        let done = self.spectra.len();
        if self.histories.len() == done {
            let name = &self.options.methods[done];
            let (every, probes) = (self.options.measure_every, self.options.probes);
            self.histories.push(History::new(name, every, probes));
        }
        Ok(self.histories[done].observe(experiment, epoch)?)
    }

    /// Measures spectrum and landscape at the end of a run.
    pub(crate) fn finish_run(
        &mut self,
        name: &str,
        experiment: &Experiment,
        run: &TrainedRun,
    ) -> Result<()> {
        if self.options.report.is_none() {
            return Ok(());
        }
        self.spectra.push(experiment.spectrum(name, run, self.options.spectrum)?);
        self.landscapes.push(experiment.landscape(name, run, &self.options.landscape)?);
        let settings = &run.settings;
        let known = |x: Option<String>| x.unwrap_or("–".into());
        self.settings.row([
            name.to_owned(),
            known(settings.estimator().map(|e| e.name().to_owned())),
            known(settings.get("rho").map(|x| x.to_string())),
            known(settings.get("lambda").map(|x| x.to_string())),
            known(samples(settings).map(|x| x.to_string())),
        ]);
        Ok(())
    }

    /// Writes the report, if one is asked for, and says where it is.
    pub(crate) fn write(
        &self,
        experiment: &Experiment,
        outcomes: &Table,
        explanation: &str,
    ) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.options.report else { return Ok(None) };
        let a = &experiment.args;
        let mut report = Report::new(&format!("{} on {}", a.model, a.data.data));
        report.text(&format!(
            "{} parameters, {} training and {} test examples.",
            experiment.model.layout().total(),
            experiment.train.len(),
            experiment.test.len(),
        ));
        report.heading("What the optimizers found");
        report.table(outcomes);
        report.text(explanation);
        report.heading("On the way");
        let runs: Vec<RunHistory> = self.histories.iter().map(|h| h.run.clone()).collect();
        let curves = training_curves(&runs);
        report.figure(&curves, &curves_caption(&self.histories, experiment))?;
        report.heading("At the solutions");
        let spectra = spectra_picture(&self.spectra)?;
        report
            .figure(&spectra, &spectra_caption(&self.spectra, &experiment.hessian_description()))?;
        let landscapes = landscapes_picture(&self.landscapes);
        let examples = experiment.landscape_examples(&self.options.landscape);
        report.figure(&landscapes, &landscapes_caption(&self.landscapes, examples))?;
        report.heading("Settings");
        let mut shared = Table::new(["setting", "value"]);
        for (name, value) in [
            ("epochs", a.epochs.to_string()),
            ("batch", a.batch.to_string()),
            ("learning rate", a.lr.to_string()),
            ("its schedule", format!("{:?}", a.schedule).to_lowercase()),
            ("momentum", a.momentum.to_string()),
            ("weight decay", a.weight_decay.to_string()),
            ("seed of initialisation, shuffling, directions and probes", a.seed.to_string()),
            ("part of the training set", a.data.fraction.to_string()),
            ("part of the labels flipped", a.data.label_noise.to_string()),
            ("threads", experiment.backend.threads().to_string()),
            ("burlap", env!("CARGO_PKG_VERSION").to_owned()),
        ] {
            shared.row([name.to_owned(), value]);
        }
        report.table(&shared);
        report.table(&self.settings);
        for (picture, name) in [&curves, &spectra, &landscapes].into_iter().zip(PICTURES) {
            picture.write(folder, name)?;
        }
        let path = folder.join(PAGE);
        report.write(&path)?;
        Ok(Some(path))
    }
}
