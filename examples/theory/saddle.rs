//! L = a² − b²: its trace vanishes, its Frobenius norm does not.

use crate::estimate::with_error;
use anyhow::Result;
use burlap::autodiff::{Array, Cpu, DType, Var};
use burlap::optim::{
    Decay, Estimate, Estimator, Method, Objective, Optimizer, Plain, Schedule, Sgd, Sharpness,
    SharpnessMethod, Training,
};
use burlap::report::{Axis, Chart, Picture, Table, short_number};

/// a² − b² of x = (a, b): H = diag(2, −2), tr H = 0, ‖H‖²_F = 8.
fn saddle() -> Objective {
    let loss = |x: Var, _: &[Var]| x.at(0).square() - x.at(1).square();
    Objective::new(Cpu::new(), DType::F64, 2, loss)
}

/// (1 + c²)(a² − b²) of x = (a, b, c): where a = b = 0, tr H = 0 and ‖H‖²_F = 8(1 + c²)².
fn family() -> Objective {
    let loss = |x: Var, _: &[Var]| (1.0 + x.at(2).square()) * (x.at(0).square() - x.at(1).square());
    Objective::new(Cpu::new(), DType::F64, 3, loss)
}

/// Estimates of tr H and ‖H‖²_F of a² − b² by the exact estimator at (1, 1).
///
/// # Errors
/// What the estimators report.
pub(crate) fn saddle_measures(samples: usize, seed: u64) -> Result<[Estimate; 2]> {
    let objective = saddle();
    let of = |sharpness: Sharpness| {
        let mut exact = sharpness.with_estimator(Estimator::Exact);
        exact.estimate(&objective, &Array::vector([1.0, 1.0]), &[], samples, seed)
    };
    Ok([of(Sharpness::trace())?, of(Sharpness::frobenius())?])
}

/// The iterates of a method.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// The function.
    pub(crate) function: &'static str,
    /// The method with its settings.
    pub(crate) method: String,
    /// Parameters before the first step and after each.
    pub(crate) points: Vec<Vec<f64>>,
}

/// The weight λ at which one-sided Frob-SAM is at rest along b: its penalty λρ²R_ρ is 2λ‖∇L‖² up to
/// a constant, so that b moves by −(−2 + 16λ) b.
pub(crate) const CRITICAL_WEIGHT: f64 = 0.125;

const RHO: f64 = 0.1;

fn path(
    (function, objective): (&'static str, Objective),
    (name, method): (String, Box<dyn Method>),
    start: &[f64],
    (steps, rate): (usize, f64),
) -> Result<Path> {
    let optimizer = Optimizer::new(Sgd::new(), &Cpu::new(), DType::F64, objective.dim())?;
    let schedule = Schedule::new(rate, Decay::Constant)?;
    let start = Array::vector(start.to_vec());
    let mut training = Training::new(objective, method, optimizer, schedule, start)?;
    let mut points = vec![training.parameters().to_f64_vec()];
    for _ in 0..steps {
        training.step(&[])?;
        points.push(training.parameters().to_f64_vec());
    }
    Ok(Path { function, method: name, points })
}

/// Where gradient descent, Trace-SAM and Frob-SAM go on a² − b², and on the family
/// (1 + c²)(a² − b²), with so many directions a step.
///
/// # Errors
/// What training reports.
pub(crate) fn saddle_paths(samples: usize, seed: u64) -> Result<Vec<Path>> {
    let penalised = |name: &str, sharpness: Sharpness, estimator: Estimator, lambda: f64| {
        let sharpness = sharpness.with_estimator(estimator).with_rho(RHO);
        let method = SharpnessMethod::new(sharpness, lambda, samples, seed)?;
        let name = format!("{name}, {}, λ = {lambda}", estimator.name());
        anyhow::Ok((name, Box::new(method) as Box<dyn Method>))
    };
    let plain = || ("gradient descent".to_owned(), Box::new(Plain) as Box<dyn Method>);
    let (exact, one_sided) = (Estimator::Exact, Estimator::OneSided);
    let quadratic = [
        plain(),
        penalised("Trace-SAM", Sharpness::trace(), exact, 1.0)?,
        penalised("Frob-SAM", Sharpness::frobenius(), exact, 1.0)?,
        penalised("Frob-SAM", Sharpness::frobenius(), one_sided, 0.2 * CRITICAL_WEIGHT)?,
        penalised("Frob-SAM", Sharpness::frobenius(), one_sided, 4.0 * CRITICAL_WEIGHT)?,
    ];
    let mut paths = Vec::new();
    for method in quadratic {
        paths.push(path(("a² − b²", saddle()), method, &[0.5, 0.05], (40, 0.05))?);
    }
    let along = [
        plain(),
        penalised("Trace-SAM", Sharpness::trace(), exact, 10.0)?,
        penalised("Frob-SAM", Sharpness::frobenius(), exact, 10.0)?,
    ];
    for method in along {
        let family = ("(1 + c²)(a² − b²)", family());
        paths.push(path(family, method, &[0.0, 0.0, 1.0], (40, 0.02))?);
    }
    Ok(paths)
}

/// As a table of where each method ends.
pub(crate) fn saddle_table(paths: &[Path]) -> Table {
    let mut table = Table::new(["L", "method", "steps", "a", "b", "c", "‖H‖²_F at (0, 0, c)"]);
    for path in paths {
        let Some(end) = path.points.last() else { continue };
        let mut row = vec![
            path.function.to_owned(),
            path.method.clone(),
            (path.points.len() - 1).to_string(),
        ];
        row.extend(end.iter().map(|&v| short_number(v)));
        row.resize(6, "–".into());
        let c = end.get(2).copied().unwrap_or(0.0);
        row.push(short_number(8.0 * (1.0 + c * c).powi(2)));
        table.row(row);
    }
    table
}

/// What the estimates and the paths show.
pub(crate) fn saddle_conclusion(measures: &[Estimate; 2], paths: &[Path]) -> String {
    let end = |path: &Path, k: usize| path.points.last().and_then(|p| p.get(k)).copied();
    let moved = |path: &&Path| match (path.points.first(), path.points.last()) {
        (Some(a), Some(b)) => b[1].abs() > a[1].abs(),
        _ => false,
    };
    let quadratic = || paths.iter().filter(|p| p.points[0].len() == 2);
    let named = |them: Vec<&Path>| {
        let names: Vec<String> = them.iter().map(|p| p.method.clone()).collect();
        if names.is_empty() { "none".into() } else { names.join("; ") }
    };
    let leaves = named(quadratic().filter(moved).collect());
    let stays = named(quadratic().filter(|p| !moved(p)).collect());
    let lasts: Vec<String> = paths
        .iter()
        .filter_map(|p| end(p, 2).map(|c| format!("{} ends at c = {}", p.method, short_number(c))))
        .collect();
    format!(
        "tr H = {} and ‖H‖²_F = {} (0 and 8 are true): the trace does not see this saddle. On a² − b² these leave it: \
         {leaves}; these are drawn into it, by a penalty of the gradient's norm: {stays}. On the family, from c = 1: {}.",
        with_error(&measures[0]),
        with_error(&measures[1]),
        lasts.join("; "),
    )
}

/// |b| by step on a² − b², and c by step on the family.
pub(crate) fn saddle_picture(paths: &[Path]) -> Picture {
    let chart = |title: &str, axis: Axis, coordinate: usize, dim: usize| {
        let chart = Chart::new(title, Axis::count("step"), axis);
        paths.iter().filter(|p| p.points[0].len() == dim).fold(chart, |chart, path| {
            let points = path.points.iter().enumerate();
            chart.line(&path.method, points.map(|(k, p)| (k as f64, p[coordinate].abs())))
        })
    };
    Picture::new("Trace and Frobenius norm at a saddle")
        .chart(chart("a² − b²", Axis::log("|b|"), 1, 2))
        .chart(chart("(1 + c²)(a² − b²)", Axis::linear("c"), 2, 3))
}
