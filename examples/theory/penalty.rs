//! Away from critical points the one-sided estimator of ‖H‖²_F is a penalty of the gradient's norm.

use crate::estimate::with_error;
use anyhow::Result;
use burlap::autodiff::{Array, Cpu, DType, Var};
use burlap::optim::{Estimate, Estimator, Objective, Sharpness};
use burlap::report::{Axis, Chart, Picture, Table, short_number};

/// L(x) = Σ (a y²/2 + b y³/6 + c y⁴/24) of y = Qx with a reflection Q = I − 2uuᵀ: dense Hessians,
/// of which everything is known. 0 is a critical point.
#[derive(Clone, Debug)]
pub(crate) struct Polynomial {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    u: Vec<f64>,
}

impl Polynomial {
    /// One of `dim` variables, with curvatures from 1 to 2.
    pub(crate) fn new(dim: usize) -> Polynomial {
        let at = |i: usize| i as f64 / dim.max(2) as f64;
        let of = |f: &dyn Fn(f64) -> f64| (0..dim).map(|i| f(at(i))).collect::<Vec<f64>>();
        let u = of(&|s| 1.0 + s);
        let length = u.iter().map(|u| u * u).sum::<f64>().sqrt();
        Polynomial {
            a: of(&|s| 1.0 + s),
            b: of(&|s| 1.0 - 0.5 * s),
            c: of(&|s| 0.5 + s),
            u: u.iter().map(|u| u / length).collect(),
        }
    }

    fn dim(&self) -> usize {
        self.a.len()
    }

    /// Qx, and also the x of which this is Qx.
    fn reflected(&self, x: &[f64]) -> Vec<f64> {
        let along: f64 = self.u.iter().zip(x).map(|(u, x)| u * x).sum();
        x.iter().zip(&self.u).map(|(x, u)| x - 2.0 * along * u).collect()
    }

    /// As an objective, of the batch below.
    pub(crate) fn objective(&self) -> Objective {
        Objective::new(Cpu::new(), DType::F64, self.dim(), |x: Var, batch: &[Var]| {
            let [a, b, c, u] = [batch[0], batch[1], batch[2], batch[3]];
            let y = x - 2.0 * (u * x).sum() * u;
            let square = y.square();
            (a * square / 2.0 + b * square * y / 6.0 + c * square.square() / 24.0).sum()
        })
    }

    /// The vectors a, b, c and u.
    pub(crate) fn batch(&self) -> [Array; 4] {
        [&self.a, &self.b, &self.c, &self.u].map(|v| Array::vector(v.clone()))
    }

    /// A point at some distance from the critical point 0.
    pub(crate) fn point(&self, distance: f64) -> Vec<f64> {
        let part = distance / (self.dim() as f64).sqrt();
        self.reflected(&vec![part; self.dim()])
    }

    /// In each direction: first to fourth derivative.
    fn derivatives(&self, x: &[f64]) -> impl Iterator<Item = [f64; 4]> {
        self.reflected(x).into_iter().enumerate().map(|(i, y)| {
            let (a, b, c) = (self.a[i], self.b[i], self.c[i]);
            let g = a * y + b * y * y / 2.0 + c * y * y * y / 6.0;
            [g, a + b * y + c * y * y / 2.0, b + c * y, c]
        })
    }

    /// ‖∇L‖².
    pub(crate) fn gradient_square(&self, x: &[f64]) -> f64 {
        self.derivatives(x).map(|d| d[0] * d[0]).sum()
    }

    /// ‖H‖²_F.
    pub(crate) fn frobenius_square(&self, x: &[f64]) -> f64 {
        self.derivatives(x).map(|d| d[1] * d[1]).sum()
    }

    /// ‖∇L‖² + ρ²(½‖H‖²_F + ∇Lᵀ∇tr H), which is Var L(x+ρv)/ρ² up to O(ρ⁴).
    pub(crate) fn formula(&self, x: &[f64], rho: f64) -> f64 {
        self.derivatives(x).map(|[g, h, t, _]| g * g + rho * rho * (0.5 * h * h + g * t)).sum()
    }

    /// Var L(x+ρv)/ρ² itself for v ~ N(0, I), by the moments 1, 3, 15, 105 of a normal variable.
    pub(crate) fn variance(&self, x: &[f64], rho: f64) -> f64 {
        let r2 = rho * rho;
        self.derivatives(x)
            .map(|[g, h, t, c]| {
                let odd = g * g + r2 * g * t + r2 * r2 * t * t * 15.0 / 36.0;
                let even = 0.5 * r2 * h * h + 0.5 * r2 * r2 * h * c + r2.powi(3) * c * c / 6.0;
                odd + even
            })
            .sum()
    }
}

/// The estimates at one distance and one radius, with their closed forms.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The distance to the critical point.
    pub(crate) distance: f64,
    /// The radius ρ.
    pub(crate) rho: f64,
    /// ‖∇L‖.
    pub(crate) gradient: f64,
    /// ‖H‖²_F.
    pub(crate) frobenius: f64,
    /// 2/ρ² times [`Polynomial::formula`]: what the one-sided estimator tends to, up to O(ρ²).
    pub(crate) formula: f64,
    /// 2/ρ² times [`Polynomial::variance`]: the one-sided estimator's expectation.
    pub(crate) expected: f64,
    /// Estimates of ‖H‖²_F by the one-sided, the central and the exact estimator.
    pub(crate) estimates: [Estimate; 3],
}

/// The estimators of a [`Cell`] in their order.
const ESTIMATORS: [Estimator; 3] = [Estimator::OneSided, Estimator::Central, Estimator::Exact];

/// Estimates ‖H‖²_F by the unbiased variance of curvatures along `samples` directions, at all
/// distances and radii.
///
/// # Errors
/// What the estimators report.
pub(crate) fn one_sided_penalty(
    distances: &[f64],
    radii: &[f64],
    samples: usize,
    seed: u64,
) -> Result<Vec<Cell>> {
    let function = Polynomial::new(8);
    let (objective, batch) = (function.objective(), function.batch());
    let mut cells = Vec::new();
    for &distance in distances {
        let x = function.point(distance);
        for &rho in radii {
            let mut estimate = |estimator| {
                let mut s = Sharpness::frobenius().with_estimator(estimator).with_rho(rho);
                s.estimate(&objective, &Array::vector(x.clone()), &batch, samples, seed)
            };
            let [a, b, c] = ESTIMATORS.map(&mut estimate);
            cells.push(Cell {
                distance,
                rho,
                gradient: function.gradient_square(&x).sqrt(),
                frobenius: function.frobenius_square(&x),
                formula: 2.0 / (rho * rho) * function.formula(&x, rho),
                expected: 2.0 / (rho * rho) * function.variance(&x, rho),
                estimates: [a?, b?, c?],
            });
        }
    }
    Ok(cells)
}

/// As a table.
pub(crate) fn penalty_table(cells: &[Cell]) -> Table {
    let mut table =
        Table::new(["distance", "ρ", "‖∇L‖", "‖H‖²_F", "formula", "one-sided", "central", "exact"]);
    for c in cells {
        let mut row: Vec<String> =
            [c.distance, c.rho, c.gradient, c.frobenius, c.formula].map(short_number).to_vec();
        row.extend(c.estimates.iter().map(with_error));
        table.row(row);
    }
    table
}

/// What the table shows.
pub(crate) fn penalty_conclusion(cells: &[Cell]) -> String {
    let largest = |f: &dyn Fn(&Cell) -> f64| cells.iter().map(f).fold(0.0, f64::max);
    let ratio = largest(&|c| c.estimates[0].value / c.frobenius);
    let deviation =
        |k: usize| largest(&|c: &Cell| (c.estimates[k].value / c.frobenius - 1.0).abs());
    let from_formula = largest(&|c| (c.estimates[0].value / c.formula - 1.0).abs());
    let errors =
        largest(&|c| (c.estimates[0].value - c.expected).abs() / c.estimates[0].standard_error);
    format!(
        "The one-sided estimate of ‖H‖²_F is up to {} times ‖H‖²_F and follows the formula instead, within \
         {:.1} % (at most {errors:.1} standard errors from its expectation); the central estimate is within {:.1} %, \
         the exact one within {:.1} % of ‖H‖²_F at every distance.",
        short_number(ratio),
        100.0 * from_formula,
        100.0 * deviation(1),
        100.0 * deviation(2),
    )
}

/// Estimates by radius at the largest distance, and by distance at the smallest radius.
pub(crate) fn penalty_picture(cells: &[Cell]) -> Picture {
    let far = cells.iter().map(|c| c.distance).fold(0.0, f64::max);
    let small = cells.iter().map(|c| c.rho).fold(f64::INFINITY, f64::min);
    let chart =
        |title: &str, axis: Axis, kept: &dyn Fn(&Cell) -> bool, at: &dyn Fn(&Cell) -> f64| {
            let kept: Vec<&Cell> = cells.iter().filter(|c| kept(c)).collect();
            let line = |f: &dyn Fn(&Cell) -> f64| -> Vec<(f64, f64)> {
                kept.iter().map(|c| (at(c), f(c))).collect()
            };
            let mut chart = Chart::new(title, axis, Axis::log("estimate of ‖H‖²_F"))
                .line("formula", line(&|c| c.formula))
                .line("‖H‖²_F", line(&|c| c.frobenius));
            for (k, estimator) in ESTIMATORS.iter().enumerate() {
                chart = chart.scatter(estimator.name(), line(&|c| c.estimates[k].value));
            }
            chart
        };
    Picture::new("The one-sided estimator away from a critical point")
        .chart(chart(
            &format!("at distance {far}"),
            Axis::log("radius ρ"),
            &|c| c.distance == far,
            &|c| c.rho,
        ))
        .chart(chart(
            &format!("at ρ = {small}"),
            Axis::linear("distance to the critical point"),
            &|c| c.rho == small,
            &|c| c.distance,
        ))
}
