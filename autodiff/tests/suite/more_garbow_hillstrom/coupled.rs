//! Systems whose equations couple neighbouring variables or the points of a grid.

use super::variable::{counts, dense, diagonal, matrix};
use super::{Case, Residuals};
use burlap_autodiff::{Padding, Tape, Var};

/// xᵢ₋₁ and xᵢ₊₁ for each i, 0 beyond the ends.
fn neighbours(x: Var) -> (Var, Var) {
    let n = x.shape()[0];
    let margin = Padding { before: 1, after: 1, ..Padding::default() };
    let padded = x.pad(&[margin]);
    let part = |start| padded.slice_axis(0, start, start + n);
    (part(0), part(2))
}

/// The grid points (i + 1)/(n + 1) of the discretised boundary value problem.
fn knot(i: usize, n: usize) -> f64 {
    (i + 1) as f64 / (n + 1) as f64
}

fn knots(tape: &Tape, n: usize) -> Var {
    counts(tape, n) / (n + 1) as f64
}

/// x(t) = 2/(2 − t) − t − 1 at the grid points: it solves x″ = ½(x + t + 1)³, x(0) = x(1) = 0,
/// which two of the functions discretise, so it is near their minimisers.
fn boundary_value_solution(n: usize) -> Vec<f64> {
    let solution = |t: f64| 2.0 / (2.0 - t) - t - 1.0;
    (0..n).map(|i| solution(knot(i, n))).collect()
}

/// The paper's starting point t(t − 1) of both.
fn boundary_value_start(n: usize) -> Vec<f64> {
    (0..n).map(|i| knot(i, n) * (knot(i, n) - 1.0)).collect()
}

/// Green's function of the boundary value problem.
fn green(i: usize, j: usize, n: usize) -> f64 {
    let (low, high) = (knot(i.min(j), n), knot(i.max(j), n));
    low * (1.0 - high)
}

/// Whether Broyden's banded residual i depends on j ≠ i.
fn in_band(i: usize, j: usize) -> bool {
    i != j && j + 5 >= i && j <= i + 1
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "discrete boundary value",
            start: boundary_value_start(10),
            minima: vec![(boundary_value_solution(10), 0.0)],
            record: |tape, x| {
                let (left, right) = neighbours(x);
                let cube = (x + knots(tape, 10) + 1.0).powi(3);
                let r = 2.0 * x - left - right + cube / (2.0 * 11.0 * 11.0);
                r.square().sum()
            },
            closed: |x| {
                let n = x.len();
                let step2 = knot(0, n) * knot(0, n);
                let mut out = Residuals::new(n);
                for i in 0..n {
                    let c = x[i] + knot(i, n) + 1.0;
                    let mut r = 2.0 * x[i] + 0.5 * step2 * c * c * c;
                    let mut g = vec![(i, 2.0 + 1.5 * step2 * c * c)];
                    for j in (0..n).filter(|j| j.abs_diff(i) == 1) {
                        r -= x[j];
                        g.push((j, -1.0));
                    }
                    out.push(r, &g, &[(i, i, 3.0 * step2 * c)]);
                }
                out
            },
        },
        Case {
            name: "discrete integral equation",
            start: boundary_value_start(10),
            minima: vec![(boundary_value_solution(10), 0.0)],
            record: |tape, x| {
                let kernel = matrix(tape, 10, 10, |i, j| green(i, j, 10));
                let cube = (x + knots(tape, 10) + 1.0).powi(3);
                (x + kernel.matmul(cube) / 22.0).square().sum()
            },
            closed: |x| {
                let n = x.len();
                let half = 0.5 * knot(0, n);
                let c: Vec<f64> = (0..n).map(|j| x[j] + knot(j, n) + 1.0).collect();
                let mut out = Residuals::new(n);
                for (i, x) in x.iter().enumerate() {
                    let sum: f64 = (0..n).map(|j| green(i, j, n) * c[j].powi(3)).sum();
                    let own = |j: usize| if i == j { 1.0 } else { 0.0 };
                    out.push(
                        x + half * sum,
                        &dense(n, |j| own(j) + 3.0 * half * green(i, j, n) * c[j] * c[j]),
                        &diagonal(n, |j| 6.0 * half * green(i, j, n) * c[j]),
                    );
                }
                out
            },
        },
        Case {
            name: "Broyden tridiagonal",
            start: vec![-1.0; 10],
            minima: vec![(
                vec![
                    -0.5707, -0.6818, -0.7022, -0.7055, -0.7049, -0.7015, -0.6919, -0.6658,
                    -0.5960, -0.4164,
                ],
                0.0,
            )],
            record: |_, x| {
                let (left, right) = neighbours(x);
                let r = (3.0 - 2.0 * x) * x - left - 2.0 * right + 1.0;
                r.square().sum()
            },
            closed: |x| {
                let n = x.len();
                let mut out = Residuals::new(n);
                for i in 0..n {
                    let mut r = 3.0 * x[i] - 2.0 * x[i] * x[i] + 1.0;
                    let mut g = vec![(i, 3.0 - 4.0 * x[i])];
                    if i > 0 {
                        r -= x[i - 1];
                        g.push((i - 1, -1.0));
                    }
                    if i + 1 < n {
                        r -= 2.0 * x[i + 1];
                        g.push((i + 1, -2.0));
                    }
                    out.push(r, &g, &[(i, i, -4.0)]);
                }
                out
            },
        },
        Case {
            name: "Broyden banded",
            start: vec![-1.0; 10],
            minima: vec![(
                vec![
                    -0.4283, -0.4766, -0.5197, -0.5581, -0.5925, -0.6245, -0.6232, -0.6214,
                    -0.6205, -0.5865,
                ],
                0.0,
            )],
            record: |tape, x| {
                let band = matrix(tape, 10, 10, |i, j| if in_band(i, j) { 1.0 } else { 0.0 });
                let r = x * (2.0 + 5.0 * x.square()) + 1.0 - band.matmul(x * (1.0 + x));
                r.square().sum()
            },
            closed: |x| {
                let n = x.len();
                let mut out = Residuals::new(n);
                for i in 0..n {
                    let mut r = 2.0 * x[i] + 5.0 * x[i].powi(3) + 1.0;
                    let mut g = vec![(i, 2.0 + 15.0 * x[i] * x[i])];
                    let mut h = vec![(i, i, 30.0 * x[i])];
                    for j in (0..n).filter(|&j| in_band(i, j)) {
                        r -= x[j] + x[j] * x[j];
                        g.push((j, -1.0 - 2.0 * x[j]));
                        h.push((j, j, -2.0));
                    }
                    out.push(r, &g, &h);
                }
                out
            },
        },
    ]
}
