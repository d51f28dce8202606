//! The report of a comparison.

use crate::options::Options;
use crate::outcome::samples;
use anyhow::{Context, Result};
use std::path::PathBuf;
use support::plot::Picture;
use support::{
    Epoch, Experiment, Fitted, History, Landscape, Report, Spectrum, Table, curves_caption,
    curves_picture, landscapes_caption, landscapes_picture, spectra_caption, spectra_picture,
    writable_folder,
};

/// The files of a report: its page, and pictures as SVG and PNG.
const PAGE: &str = "report.html";
const PICTURES: [&str; 3] = ["curves", "spectra", "landscapes"];

/// What a report is made of; nothing where none is asked for.
pub(crate) struct Pages<'a> {
    options: &'a Options,
    histories: Vec<History>,
    spectra: Vec<Spectrum>,
    landscapes: Vec<Landscape>,
    settings: Table,
}

impl Pages<'_> {
    pub(crate) fn new(options: &Options) -> Result<Pages<'_>> {
        if let Some(folder) = &options.report {
            let pictures = PICTURES.into_iter().flat_map(Picture::files);
            writable_folder(folder, pictures.chain([PAGE.to_owned()])).context("--report")?;
        }
        Ok(Pages {
            options,
            histories: Vec::new(),
            spectra: Vec::new(),
            landscapes: Vec::new(),
            settings: Table::new(["optimizer", "estimator", "ρ", "λ", "samples"]),
        })
    }

    /// After an epoch of the optimizer that comes after those looked at.
    pub(crate) fn observe(&mut self, experiment: &Experiment, epoch: &Epoch<'_>) -> Result<()> {
        if self.options.report.is_none() {
            return Ok(());
        }
        let done = self.spectra.len();
        if self.histories.len() == done {
            let name = &self.options.optimizer[done];
            let (every, probes) = (self.options.measure_every, self.options.probes);
            self.histories.push(History::new(name, every, probes));
        }
        self.histories[done].observe(experiment, epoch)
    }

    /// At the end of a run.
    pub(crate) fn look(
        &mut self,
        name: &str,
        experiment: &Experiment,
        fitted: &Fitted,
    ) -> Result<()> {
        if self.options.report.is_none() {
            return Ok(());
        }
        let (objective, x) = (fitted.training.objective(), fitted.training.parameters());
        let (data, seed) = (&experiment.train, experiment.args.seed);
        let spectrum = Spectrum::measure(name, objective, x, data, self.options.spectrum, seed)?;
        self.spectra.push(spectrum);
        let place = (experiment.model.layout(), x);
        let args = &self.options.landscape;
        self.landscapes.push(Landscape::measure(name, objective, place, data, args, seed)?);
        let settings = &fitted.named.settings;
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
        explained: &str,
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
        report.text(explained);
        report.heading("On the way");
        let curves = curves_picture(&self.histories);
        report.figure(&curves, &curves_caption(&self.histories, experiment))?;
        report.heading("At the solutions");
        let spectra = spectra_picture(&self.spectra)?;
        report.figure(&spectra, &spectra_caption(&self.spectra))?;
        let landscapes = landscapes_picture(&self.landscapes);
        report.figure(&landscapes, &landscapes_caption(&self.landscapes))?;
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
