//! Spectra, landscapes and curves of real runs, and the page made of them.

use burlap::cli::{
    Experiment, Files, FilesArgs, History, LandscapeArgs, SpectrumArgs, TrainingArgs, batches,
    curves_caption,
};
use burlap::nn::Layout;
use burlap::nn::data::Dataset;
use burlap::optim::curvature::HessianOperator;
use burlap::optim::random::{Draw, Purpose};
use burlap::prelude::*;
use burlap::report::{
    ERROR_SUFFIX, Landscape, Plane, Report, RunHistory, Table, filter_normalised,
    landscapes_caption, landscapes_picture, spectra_caption, spectra_picture, training_curves,
    writable_folder, write_whole,
};
use burlap::train::{Data, Loader, Task, Trainer, metric};
use clap::Parser;
use std::path::Path;

#[derive(Parser)]
#[command(args_override_self = true)]
struct Options {
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    landscape: LandscapeArgs,
    #[command(flatten)]
    spectrum: SpectrumArgs,
}

fn options(flags: &[&str]) -> Options {
    let small = ["test", "--model", "mlp:6", "--epochs", "3", "--fraction", "0.2", "--grid", "5"];
    let rest = ["--density-probes", "2", "--density-steps", "10"];
    Options::parse_from(small.iter().chain(&rest).chain(flags))
}

#[test]
fn a_report_has_the_figures_of_all_optimizers_and_loads_nothing() {
    let o = options(&[]);
    let experiment = Experiment::new(&o.training).unwrap();
    let (mut histories, mut spectra, mut landscapes) = (Vec::new(), Vec::new(), Vec::new());
    for name in ["sgd", "frob-sam"] {
        let mut history = History::new(name, 2, 4);
        let run = experiment
            .fit_observed(name, &Files::default(), |epoch| history.observe(&experiment, epoch))
            .unwrap();
        let x = run.training.parameters();
        let measured: Vec<bool> =
            history.run.epochs.iter().map(|r| !r.measured.is_empty()).collect();
        assert_eq!(measured, [false, true, true], "every second epoch and the last");
        histories.push(history);
        let spectrum = experiment.spectrum(name, &run, o.spectrum).unwrap();
        assert!(spectrum.low.0 < spectrum.high.0);
        spectra.push(spectrum);
        let landscape = experiment.landscape(name, &run, &o.landscape).unwrap();
        // The middle of the grid is the solution.
        let (loss, _) = experiment.evaluate(&experiment.train, x).unwrap();
        let middle = landscape.field.values()[12];
        assert!((middle - loss).abs() < 1e-5 * loss, "{middle} {loss}");
        landscapes.push(landscape);
    }
    let mut report = Report::new("<script>alert(1)</script>");
    let mut table = Table::new(["optimizer"]);
    table.row(["a & b"]);
    report.table(&table);
    report.heading("Figures");
    let runs: Vec<_> = histories.iter().map(|h| h.run.clone()).collect();
    report.figure(&training_curves(&runs), &curves_caption(&histories, &experiment)).unwrap();
    let caption = spectra_caption(&spectra, &experiment.hessian_description());
    report.figure(&spectra_picture(&spectra).unwrap(), &caption).unwrap();
    let caption = landscapes_caption(&landscapes, experiment.landscape_examples(&o.landscape));
    report.figure(&landscapes_picture(&landscapes), &caption).unwrap();
    let page = report.html();
    let document = roxmltree::Document::parse_with_options(
        &page,
        roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() },
    )
    .unwrap();
    let count = |tag: &str| document.descendants().filter(|n| n.has_tag_name(tag)).count();
    let pictures = document.descendants().filter(|n| n.tag_name().name() == "svg").count();
    assert_eq!((pictures, count("figure"), count("figcaption")), (5 + 2 + 2, 3, 3));
    for name in ["sgd", "frob-sam"] {
        let texts = document.descendants().filter(|n| n.tag_name().name() == "text");
        let named = texts.filter(|n| n.text().is_some_and(|t| t.trim() == name)).count();
        // Legends of five curves, titles of spectrum and landscape.
        assert!(named >= 7, "{name} occurs {named} times");
    }
    assert!(!page.contains("NaN") && !page.contains("<script"), "escaped, and numbers only");
    for node in document.descendants() {
        for a in node.attributes() {
            let loads = matches!(a.name(), "src" | "href" | "data" | "srcset");
            assert!(!loads && !a.value().contains("http"), "{a:?}");
        }
    }
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    assert!(!page.contains("@import") && !page.contains("url("));
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report/report.html");
    report.write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}

fn features(n: usize) -> Dataset {
    let values = (0..n).map(|i| i as f32).collect();
    Dataset::new("numbers", values, vec![0; n], 2, vec![1]).unwrap()
}

#[test]
fn the_plane_is_evaluated_where_it_says_and_infinite_losses_are_gaps() {
    // log(x₀ + 2) is NaN left of −2.
    let loss =
        |x: Var, batch: &[Var]| (x.at(0) + 2.0).log() + x.at(1) * batch[0].cast(DType::F64).mean();
    let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    let layout = Layout::new([("w", vec![1, 2])]).unwrap();
    let x = Array::vector([0.0, 1.0]);
    // Three batches of unequal sizes.
    let batches = batches(&features(600), 256, 600).unwrap();
    let batches: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
    let plane = Plane::random(&layout, &x, 4);
    let found = Landscape::measure("l", &objective, &x, &plane, &batches, (5, 3.0)).unwrap();
    let directions = [0, 1].map(|sample| {
        filter_normalised(
            &layout,
            &[0.0, 1.0],
            Draw { seed: 4, purpose: Purpose::User, step: 0, sample },
        )
    });
    let mut gaps = 0;
    for (k, &value) in found.field.values().iter().enumerate() {
        let (a, b) = ((k % 5) as f64 * 1.5 - 3.0, (k / 5) as f64 * 1.5 - 3.0);
        let at = |i: usize| [0.0, 1.0][i] + a * directions[0][i] + b * directions[1][i];
        // The mean of 0, 1, …, 599, not that of the batches' means.
        let expected = (at(0) + 2.0).ln() + 299.5 * at(1);
        if expected.is_finite() {
            assert!(
                (value - expected).abs() < 1e-12 * expected.abs().max(1.0),
                "{value} {expected}"
            );
        } else {
            gaps += 1;
            assert!(!value.is_finite());
        }
    }
    assert!(gaps > 0 && found.field.gaps() == gaps);
    let found = [found];
    assert!(landscapes_caption(&found, 600).contains(&format!("no finite loss at {gaps} of 25")));
    assert!(!landscapes_picture(&found).svg().unwrap().contains("NaN"));
}

#[test]
fn directions_are_as_long_as_the_weights_neuron_by_neuron() {
    let layout = Layout::new([("w", vec![2, 3]), ("b", vec![2])]).unwrap();
    let x = [3.0, 4.0, 0.0, 0.0, 0.0, 0.5, 7.0, 7.0];
    let draw = Draw { seed: 1, purpose: Purpose::User, step: 0, sample: 0 };
    let d = filter_normalised(&layout, &x, draw);
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((norm(&d[..3]) - 5.0).abs() < 1e-12 && (norm(&d[3..6]) - 0.5).abs() < 1e-12);
    assert_eq!(d[6..], [0.0, 0.0]);
    assert_ne!(d, filter_normalised(&layout, &x, Draw { sample: 1, ..draw }));
}

#[test]
fn eigenvectors_span_the_plane_of_largest_curvature() {
    let loss =
        |x: Var, _: &[Var]| x.at(0).square() + 5.0 * x.at(1).square() + 9.0 * x.at(2).square();
    let objective = Objective::new(Cpu::new(), DType::F64, 3, loss);
    let x = Array::vector([0.0; 3]);
    let mut hessian = HessianOperator::new(&objective, &x, &[&[]]).unwrap();
    let plane = Plane::top_eigenvectors(&mut hessian, 1).unwrap();
    let found = Landscape::measure("l", &objective, &x, &plane, &[&[]], (5, 1.0)).unwrap();
    // a = −1 or 1 along the first: 9; along the second: 5.
    let v = found.field.values();
    assert!((v[10] - 9.0).abs() < 1e-6 && (v[2] - 5.0).abs() < 1e-6, "{v:?}");
}

#[test]
fn a_plane_needs_two_directions_and_a_grid_two_points() {
    let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
    let x = Array::vector([1.0]);
    let mut hessian = HessianOperator::new(&objective, &x, &[&[]]).unwrap();
    let error = Plane::top_eigenvectors(&mut hessian, 1).unwrap_err().to_string();
    assert_eq!(error, "2 eigenvalues are needed of an operator of size 1");
    let layout = Layout::new([("w", vec![1, 1])]).unwrap();
    let plane = Plane::random(&layout, &x, 1);
    let refused = |grid| {
        Landscape::measure("l", &objective, &x, &plane, &[&[]], grid).unwrap_err().to_string()
    };
    let points = "landscape: the number of points a side is 1, but must be at least 2";
    assert_eq!(refused((1, 1.0)), points);
    for range in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refused((2, range)).starts_with("landscape: the range is "), "{range}");
    }
}

#[test]
fn curves_of_a_trainer_have_a_chart_for_each_metric_and_measurement() {
    let (train, test) = burlap::nn::data::digits_split().unwrap();
    let (train, test) = (Data::from(train).first(100).unwrap(), Data::from(test));
    let model = Model::new(mlp(&[64, 4, 10], Activation::Relu).unwrap()).unwrap();
    let task = Task::new(&model, &Cpu::new(), &train, |out, batch| {
        loss::cross_entropy(out, batch["labels"])
    })
    .unwrap();
    let training =
        Training::new(task.objective().unwrap(), Plain, Sgd::new(), 0.1, task.init(1)).unwrap();
    let run = Trainer::new(&task, training, Loader::new(&train, 50).unwrap())
        .validate(&test, [metric::loss(), metric::accuracy()])
        .fit(2)
        .unwrap();
    let mut history = RunHistory::new("plain", run.history());
    // What an observer may have measured: a value with its error, and one that is not positive.
    for (record, value) in history.epochs.iter_mut().zip([2.0, 3.0]) {
        record.measured.push(("tr H".into(), value));
        record.measured.push((format!("tr H{ERROR_SUFFIX}"), 0.5));
        record.measured.push(("λ_min".into(), 1.0 - value));
    }
    let parts = training_curves(&[history]).parts();
    let texts: Vec<String> = parts.iter().map(|part| part.svg().unwrap()).collect();
    let names = ["training loss", "loss", "accuracy", "tr H", "λ_min"];
    assert_eq!(texts.len(), names.len(), "an error is a band and no chart of its own");
    for (text, name) in texts.iter().zip(names) {
        assert!(text.contains(&format!("\n{name}\n")), "{name}: {text}");
    }
    // The band around tr H, and the negative numbers of a linear axis.
    assert!(texts[3].contains("opacity=\"0.2\"") && !texts[4].contains("opacity=\"0.2\""));
    assert!(texts[4].contains("−2"), "{}", texts[4]);
}

#[test]
fn bad_settings_are_told_in_a_sentence() {
    let said = |args: LandscapeArgs| args.check().unwrap_err().to_string();
    let usual = options(&[]).landscape;
    assert!(said(LandscapeArgs { grid: 0, ..usual.clone() }).contains("--grid 0"));
    assert!(said(LandscapeArgs { range: f64::INFINITY, ..usual }).contains("--range inf"));
    assert!(
        said(options(&["--directions", "up"]).landscape).contains("there are random and eigen")
    );
    let check = |names: &[&str], files: FilesArgs| {
        let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
        files.check(&names).unwrap_err().to_string()
    };
    assert!(check(&["foo"], FilesArgs::default()).contains("no method named \"foo\""));
    assert!(check(&["sgd", "sgd"], FilesArgs::default()).contains("twice"));
    let resume = FilesArgs { resume: Some("x".into()), ..FilesArgs::default() };
    assert!(check(&["sgd", "sam"], resume).contains("exactly one"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("folder");
    let said = |folder: &Path| writable_folder(folder, [""; 0]).unwrap_err().to_string();
    assert!(said(&below).starts_with("cannot write into "), "{}", said(&below));
    assert!(said(file.path()).ends_with(": it is no folder"), "{}", said(file.path()));
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("a.svg")).unwrap();
    let error = writable_folder(dir.path(), ["b.svg", "a.svg"]).unwrap_err();
    assert!(error.to_string().ends_with("a.svg: is a folder, but a regular file is needed"));
    let nowhere = Some(below.join("run"));
    let save = FilesArgs { save: nowhere.clone(), ..FilesArgs::default() };
    assert!(check(&["sgd"], save).starts_with("--save: "));
    let resume = FilesArgs { resume: nowhere, ..FilesArgs::default() };
    assert!(check(&["sgd"], resume).starts_with("--resume: "));
    assert!(write_whole(&below.join("x.svg"), b"").is_err());
}
