//! The paper's MNIST experiment on the digits: its settings, and going on after a kill.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::options::PaperArgs;
use crate::paper::Paper;
use crate::run::FrobeniusRow;
use burlap::autodiff::Array;
use burlap::cli::results::Results;
use burlap::cli::{Experiment, Files, batch_arrays, model};
use burlap::nn::data::digits_split;
use burlap::optim::{Method, Sharpness, SharpnessMethod};
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    paper: PaperArgs,
}

fn args(words: &str) -> PaperArgs {
    Line::try_parse_from(format!("paper {words}").split_whitespace()).unwrap().paper
}

/// Runs long enough to be stopped, short enough to wait for.
fn tiny(out: &Path) -> PaperArgs {
    let words = "mnist-frobenius --data digits --normalize 0,1 --model mlp:8 --lr 0.05 --epochs 12 \
                 --methods sgd,one-sided,exact@4 --seeds 1,2 --hessian-examples 64 --hessian-probes 8 \
                 --threads 1";
    PaperArgs { out: out.to_owned(), ..args(words) }
}

const OUT: &str = "PAPER_TEST_OUT";

/// What the parent of [`a_killed_run_goes_on_and_ends_with_the_same_file`] kills.
#[test]
#[ignore = "a part of another test"]
fn child() {
    if let Some(out) = std::env::var_os(OUT) {
        Paper::new(&tiny(&PathBuf::from(out))).unwrap().run().unwrap();
    }
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_file() {
    let whole = tempfile::tempdir().unwrap();
    Paper::new(&tiny(whole.path())).unwrap().run().unwrap();
    let file = |dir: &Path| dir.join("mnist-frobenius.csv");
    let wanted = fs::read_to_string(file(whole.path())).unwrap();
    // Three methods, two seeds, twelve epochs.
    assert_eq!(wanted.lines().count(), 2 + 72);
    let killed = tempfile::tempdir().unwrap();
    for lines in [5, 20, 40] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["tests::child", "--exact", "--ignored"])
            .env(OUT, killed.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        loop {
            let text = fs::read_to_string(file(killed.path())).unwrap_or_default();
            if text.lines().count() >= lines || child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        // SIGKILL where there are signals.
        child.kill().unwrap();
        child.wait().unwrap();
        let text = fs::read_to_string(file(killed.path())).unwrap();
        let complete = &text[..text.rfind('\n').unwrap() + 1];
        assert!(wanted.starts_with(complete), "{complete}");
    }
    let paper = Paper::new(&tiny(killed.path())).unwrap();
    paper.run().unwrap();
    assert_eq!(fs::read_to_string(file(killed.path())).unwrap(), wanted);
    // Nothing is saved of runs that have ended; what a kill left half-written is not ours.
    let saved = fs::read_dir(killed.path().join("mnist-frobenius.runs")).unwrap();
    let names = saved.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|n| n.ends_with(".safetensors")).collect::<Vec<_>>(), [""; 0]);
    let table = paper.table().unwrap();
    assert_eq!(table, fs::read_to_string(killed.path().join("mnist-frobenius.md")).unwrap());
    assert!(table.contains("| exact@4 |"), "{table}");
}

#[test]
fn an_epoch_that_was_observed_but_not_saved_is_observed_again() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::new(&tiny(dir.path())).unwrap();
    let method = &paper.methods()[1];
    let experiment = Experiment::new(&paper.training(method, 1)).unwrap();
    let file = dir.path().join("run");
    let files = Files { save: Some(file.clone()), resume: None };
    let mut first = Vec::new();
    let stopped = experiment.fit_observed(method.optimizer(), &files, |epoch| {
        first.push((epoch.number, epoch.loss));
        if epoch.number == 3 { anyhow::bail!("the disk is full") } else { Ok(()) }
    });
    assert_eq!(stopped.unwrap_err().to_string(), "the disk is full");
    let files = Files { save: None, resume: Some(file) };
    let mut second = Vec::new();
    experiment
        .fit_observed(method.optimizer(), &files, |epoch| {
            second.push((epoch.number, epoch.loss));
            anyhow::Ok(())
        })
        .unwrap();
    assert_eq!((first[2].0, second[0]), (3, first[2]));
    assert_eq!(second.len(), 10);
}

#[test]
fn the_weight_is_that_of_the_published_update() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::new(&tiny(dir.path())).unwrap();
    let method = &paper.methods()[1];
    let args = paper.training(method, 1);
    let experiment = Experiment::new(&args).unwrap();
    let (_, s) = experiment.training(method.optimizer()).unwrap();
    let found = (s.number("rho").unwrap(), s.number("lambda").unwrap());
    assert_eq!((found, s.count("samples").unwrap()), ((0.01, 0.00125), 2));
    let settings = args.method.settings(1, experiment.model.layout()).unwrap();
    let mut ours = burlap::optim::method(method.optimizer(), &settings).unwrap().method;
    // (λ/ρ²) Cov(L, ∇L) by its own constructor, with λ as published.
    let published = Sharpness::published_frobenius().with_rho(0.01);
    let mut theirs = SharpnessMethod::new(published, 0.005, 2, 1).unwrap();
    let objective = experiment.objective();
    let x = experiment.model.init(1, objective.dtype());
    let indices: Vec<usize> = (0..64).collect();
    let train = &experiment.train;
    let batch = batch_arrays(train.gather(&indices).unwrap(), train.dim()).unwrap();
    let gradient = |method: &mut dyn Method| {
        method.evaluate(&objective, &x, &batch, 0).unwrap().gradient.to_f64_vec()
    };
    let (a, b) = (gradient(ours.as_mut()), gradient(&mut theirs));
    let plain = objective.value_grad(&x, &batch).unwrap().1.to_f64_vec();
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let penalty = norm(&mut b.iter().zip(&plain).map(|(b, p)| b - p));
    let apart = norm(&mut a.iter().zip(&b).map(|(a, b)| a - b));
    // The penalty's own part, up to single precision of the sum it is in.
    assert!(penalty > 1e-4 * norm(&mut plain.iter().copied()), "{penalty}");
    assert!(apart < 1e-2 * penalty, "{apart} of {penalty}");
}

#[test]
fn defaults_are_the_published_settings() {
    let paper = Paper::new(&args("mnist-frobenius")).unwrap();
    let a = paper.training(&paper.methods()[1], 3);
    let given = &a.method.given;
    assert_eq!(given.number("rho").unwrap(), 0.01);
    assert_eq!(given.number("lambda").unwrap(), 0.25 * 0.005);
    assert_eq!(given.count("samples").unwrap(), 2);
    assert_eq!((a.lr, a.momentum, a.weight_decay), (1e-3, 0.9, 0.0));
    assert_eq!((a.batch, a.epochs, a.drop_last, a.seed), (128, 20, true, 3));
    assert_eq!(a.data.normalize.unwrap().to_string(), "0.1307,0.3081");
    // The network that is trained: one layer of 784, four of 128 (one of them used twice), the last.
    let images = burlap::nn::data::Dataset::new("one", vec![0.0; 784], vec![0], 10, vec![28, 28]);
    let network = model(&a.model, &images.unwrap()).unwrap();
    let layer = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
    let wanted = layer(784, 128) + 4 * layer(128, 128) + layer(128, 10);
    assert_eq!(network.layout().total(), wanted);
}

#[test]
fn variants_take_a_tenth_or_flip_a_fifth() {
    let train = digits_split().unwrap().0;
    let load = |name: &str| {
        let words = format!("{name} --data digits --normalize 0.5,2");
        let paper = Paper::new(&args(&words)).unwrap();
        paper.training(&paper.methods()[0], 1).data.load(1).unwrap().0
    };
    let (full, small, corrupt) =
        (load("mnist-frobenius"), load("mnist-frobenius-s"), load("mnist-frobenius-c"));
    assert_eq!(full.labels(), train.labels());
    let normal = |x: &f32| (x - 0.5) / 2.0;
    assert!(
        full.features().iter().eq(train.features().iter().map(normal).collect::<Vec<_>>().iter())
    );
    assert_eq!(small.labels(), &train.labels()[..144]);
    let flipped = corrupt.labels().iter().zip(train.labels()).filter(|(a, b)| a != b).count();
    assert_eq!((corrupt.len(), flipped), (train.len(), 288));
}

#[test]
fn the_measured_norm_is_that_of_the_dense_hessian() {
    let dir = tempfile::tempdir().unwrap();
    let words = "mnist-frobenius --data digits --normalize 0,1 --model mlp:2 --lr 0.05 --epochs 1 \
                 --methods sgd --seeds 1 --hessian-examples 100 --hessian-probes 400 --threads 1";
    let paper = Paper::new(&PaperArgs { out: dir.path().to_owned(), ..args(words) }).unwrap();
    paper.run().unwrap();
    let rows: Vec<FrobeniusRow> = Results::read(&dir.path().join("mnist-frobenius.csv")).unwrap();
    let experiment = Experiment::new(&paper.training(&paper.methods()[0], 1)).unwrap();
    let fitted = experiment.fit("sgd", &Files::default()).unwrap();
    let x = fitted.training.parameters();
    let indices: Vec<usize> = (0..100).collect();
    let train = &experiment.train;
    let batch = batch_arrays(train.gather(&indices).unwrap(), train.dim()).unwrap();
    let objective = experiment.objective();
    // Column by column along the axes.
    let dim = x.len();
    let squares: f64 = (0..dim)
        .map(|i| {
            let mut axis = vec![0.0_f32; dim];
            axis[i] = 1.0;
            let product = objective.hvp(x, &batch, &Array::vector(axis)).unwrap();
            product.to_f64_vec().iter().map(|x| x * x).sum::<f64>()
        })
        .sum();
    let FrobeniusRow { frobenius_squared, frobenius_squared_se, .. } = rows[0];
    // Four standard errors: a fixed seed, so it fails always or never.
    let apart = (frobenius_squared - squares).abs();
    assert!(apart < 4.0 * frobenius_squared_se, "{frobenius_squared} for {squares}");
    assert!(frobenius_squared_se < 0.2 * squares, "{frobenius_squared_se} of {squares}");
}

#[test]
fn mistakes_are_said_in_a_sentence() {
    let unknown = Line::try_parse_from(["paper", "cifar10"]).err().unwrap().to_string();
    assert!(unknown.contains("possible values: mnist-frobenius, mnist-frobenius-s"), "{unknown}");
    let said = |paper: PaperArgs| format!("{:#}", Paper::new(&paper).err().unwrap());
    let with = |methods: &str| said(args(&format!("mnist-frobenius --methods {methods}")));
    assert!(with("adam").starts_with("--methods adam: neither sgd nor an estimator: "));
    assert_eq!(with("sgd@1"), "--methods sgd@1: sgd has no weight");
    assert_eq!(with("exact@-1"), "--methods exact@-1: \"-1\" is no weight");
    assert_eq!(with("sgd,sgd"), "--methods: sgd occurs twice");
    let mut none = args("mnist-frobenius");
    none.seeds.clear();
    assert_eq!(said(none), "--seeds: at least one value is needed");
    let bad = Line::try_parse_from(["paper", "mnist-frobenius", "--normalize", "1,0"]);
    assert!(bad.err().unwrap().to_string().contains("the second one positive"));
    let dir = tempfile::tempdir().unwrap();
    let absent = PaperArgs {
        out: dir.path().to_owned(),
        data_dir: Some(dir.path().join("nowhere")),
        ..args("mnist-frobenius")
    };
    let text = format!("{:#}", Paper::new(&absent).unwrap().run().unwrap_err());
    assert!(text.contains("train-images-idx3-ubyte") && text.contains("download"), "{text}");
}
