//! L = (x₁x₂ − 1)² does not change when x becomes (c x₁, x₂/c); most measures of sharpness do.

use crate::estimate::with_error;
use anyhow::Result;
use burlap::autodiff::{Array, Cpu, DType, Var};
use burlap::optim::{Estimate, Estimator, Objective, Sharpness};
use burlap::report::{Axis, Chart, Picture, Table, short_number};

/// What is measured at (c x₁, x₂/c).
#[derive(Clone, Debug)]
pub(crate) struct Rescaled {
    /// The factor c.
    pub(crate) c: f64,
    /// L.
    pub(crate) loss: f64,
    /// SAM's sharpness to first order, L(x + ρ∇L/‖∇L‖) − L(x).
    pub(crate) sam: f64,
    /// tr H.
    pub(crate) trace: Estimate,
    /// ‖H‖²_F.
    pub(crate) frobenius: Estimate,
    /// tr DHD with D = diag|x|.
    pub(crate) invariant_trace: Estimate,
    /// ‖DHD‖²_F.
    pub(crate) invariant_frobenius: Estimate,
}

/// x₁ and x₂ at c = 1: near the minima, where the gradient tells SAM a direction.
pub(crate) const POINT: [f64; 2] = [1.0, 1.1];
const RHO: f64 = 0.05;

/// Measures at (c x₁, x₂/c) for each c, by the exact estimator with the same directions.
///
/// # Errors
/// What the estimators report.
pub(crate) fn rescaled(factors: &[f64], samples: usize, seed: u64) -> Result<Vec<Rescaled>> {
    let loss = |x: Var, _: &[Var]| (x.at(0) * x.at(1) - 1.0).square();
    let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
    let at = |&c: &f64| {
        let point = [c * POINT[0], POINT[1] / c];
        let x = Array::vector(point);
        let of = |s: Sharpness| {
            s.with_estimator(Estimator::Exact).estimate(&objective, &x, &[], samples, seed)
        };
        let (loss, gradient) = objective.value_grad(&x, &[])?;
        let gradient = gradient.to_f64_vec();
        let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let ascent: Vec<f64> =
            point.iter().zip(&gradient).map(|(x, g)| x + RHO * g / length).collect();
        Ok(Rescaled {
            c,
            loss,
            sam: objective.value(&Array::vector(ascent), &[])? - loss,
            trace: of(Sharpness::trace())?,
            frobenius: of(Sharpness::frobenius())?,
            invariant_trace: of(Sharpness::trace().scale_invariant())?,
            invariant_frobenius: of(Sharpness::frobenius().scale_invariant())?,
        })
    };
    factors.iter().map(at).collect()
}

/// As a table.
pub(crate) fn rescaling_table(rows: &[Rescaled]) -> Table {
    let mut table = Table::new(["c", "L", "SAM", "tr H", "‖H‖²_F", "tr DHD", "‖DHD‖²_F"]);
    for r in rows {
        let mut row: Vec<String> = [r.c, r.loss, r.sam].map(short_number).to_vec();
        let estimates = [&r.trace, &r.frobenius, &r.invariant_trace, &r.invariant_frobenius];
        row.extend(estimates.map(with_error));
        table.row(row);
    }
    table
}

/// A column's name and number.
type Measure = (&'static str, fn(&Rescaled) -> f64);

/// The columns that are compared.
const MEASURES: [Measure; 5] = [
    ("SAM", |r| r.sam),
    ("tr H", |r| r.trace.value),
    ("‖H‖²_F", |r| r.frobenius.value),
    ("tr DHD", |r| r.invariant_trace.value),
    ("‖DHD‖²_F", |r| r.invariant_frobenius.value),
];

/// What the table shows.
pub(crate) fn rescaling_conclusion(rows: &[Rescaled]) -> String {
    let span = |f: &dyn Fn(&Rescaled) -> f64| {
        let all = || rows.iter().map(f);
        all().fold(0.0, f64::max) / all().fold(f64::INFINITY, f64::min)
    };
    let [sam, trace, frobenius, a, b] = MEASURES.map(|(_, f)| span(&f));
    let loss = span(&|r| r.loss) - 1.0;
    format!(
        "While the loss stays the same (within {} of it), SAM's sharpness varies by a factor of {}, tr H of {}, ‖H‖²_F of {}; \
         the scale-invariant measures vary by {} of their values.",
        short_number(loss),
        short_number(sam),
        short_number(trace),
        short_number(frobenius),
        short_number((a - 1.0).max(b - 1.0)),
    )
}

/// Each measure by c, as a multiple of its value at the c nearest to 1.
pub(crate) fn rescaling_picture(rows: &[Rescaled]) -> Picture {
    let axes = (Axis::log("factor c"), Axis::log("measure / its value at c = 1"));
    let middle = rows.iter().min_by(|a, b| a.c.ln().abs().total_cmp(&b.c.ln().abs()));
    let mut chart = Chart::new("", axes.0, axes.1);
    for (name, f) in MEASURES {
        let unit = middle.map_or(1.0, f);
        chart = chart.line(name, rows.iter().map(|r| (r.c, f(r) / unit)));
    }
    Picture::new("The loss (x₁x₂ − 1)² at (c x₁, x₂/c)")
        .columns(1)
        .chart_size(560.0, 340.0)
        .chart(chart)
}
