//! The experiments of Tahmasebi et al., *A Universal Class of Sharpness-Aware Minimization
//! Algorithms* (ICML 2024, arXiv 2406.03682), with the settings of the authors' published code.

use crate::method::PaperMethod;
use crate::options::{PaperArgs, PaperExperiment};
use anyhow::Result;
use burlap::cli::results::Settings;
use burlap::cli::{DataArgs, MethodArgs, ScheduleKind, TrainingArgs, distinct};
use burlap::nn::Layout;
use burlap::optim::{self, MethodSettings};

/// An experiment of the paper with its settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct Paper {
    pub(crate) args: PaperArgs,
    methods: Vec<PaperMethod>,
}

/// The part of the training set in -S.
const SMALL: f64 = 0.1;

/// The part of the labels that are flipped in -C.
const CORRUPT: f64 = 0.2;

impl Paper {
    /// # Errors
    /// For unknown methods, lists that are empty or name something twice, and settings that a method
    /// does not take.
    pub(crate) fn new(args: &PaperArgs) -> Result<Paper> {
        distinct("--seeds", &args.seeds)?;
        distinct("--methods", &args.methods)?;
        let methods = args.methods.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        let paper = Paper { args: args.clone(), methods };
        for method in &paper.methods {
            let settings = paper.training(method, 0).method.settings(0, &Layout::default())?;
            optim::method(method.optimizer(), &settings)?;
        }
        Ok(paper)
    }

    /// What all lines of the file have in common.
    pub(crate) fn settings(&self) -> Settings {
        let a = &self.args;
        vec![
            ("data", a.data.clone()),
            ("normalize", a.normalize.to_string()),
            ("fraction", a.fraction.to_string()),
            ("model", a.model.clone()),
            ("rho", a.rho.to_string()),
            ("lambda", a.lambda.to_string()),
            ("samples", a.samples.to_string()),
            ("lr", a.lr.to_string()),
            ("momentum", a.momentum.to_string()),
            ("weight-decay", a.weight_decay.to_string()),
            ("batch", a.batch.to_string()),
            ("epochs", a.epochs.to_string()),
            ("hessian-examples", a.hessian_examples.to_string()),
            ("hessian-probes", a.hessian_probes.to_string()),
        ]
    }

    fn data(&self) -> DataArgs {
        let a = &self.args;
        let small = a.experiment == PaperExperiment::MnistFrobeniusS;
        let corrupt = a.experiment == PaperExperiment::MnistFrobeniusC;
        DataArgs {
            data: a.data.clone(),
            data_dir: a.data_dir.clone(),
            fraction: if small { SMALL * a.fraction } else { a.fraction },
            label_noise: if corrupt { CORRUPT } else { 0.0 },
            normalize: Some(a.normalize),
        }
    }

    /// The methods, in their order.
    pub(crate) fn methods(&self) -> &[PaperMethod] {
        &self.methods
    }

    /// The settings of a run.
    pub(crate) fn training(&self, method: &PaperMethod, seed: u64) -> TrainingArgs {
        let a = &self.args;
        TrainingArgs {
            data: self.data(),
            model: a.model.clone(),
            method: match method.estimator() {
                None => MethodArgs::default(),
                Some(estimator) => MethodArgs {
                    given: MethodSettings::new()
                        .with("estimator", estimator)
                        .with("rho", a.rho)
                        // The library weighs ‖H‖²_F, the published update a quarter of it.
                        .with("lambda", 0.25 * method.lambda().unwrap_or(a.lambda))
                        .with("samples", a.samples),
                    ..MethodArgs::default()
                },
            },
            lr: a.lr,
            schedule: ScheduleKind::Constant,
            momentum: a.momentum,
            weight_decay: a.weight_decay,
            epochs: a.epochs,
            batch: a.batch,
            drop_last: true,
            seed,
            threads: a.threads,
        }
    }
}
