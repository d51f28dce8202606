//! Functions of any number of variables, recorded on whole vectors.

use super::fixed::{powell_singular, rosenbrock};
use super::{Case, Residuals};
use burlap_autodiff::{Array, DType, Tape, Var};

pub(super) fn matrix(
    tape: &Tape,
    rows: usize,
    columns: usize,
    at: impl Fn(usize, usize) -> f64,
) -> Var {
    let elements: Vec<f64> = (0..rows * columns).map(|i| at(i / columns, i % columns)).collect();
    tape.literal(&Array::from_vec([rows, columns], elements).unwrap())
}

/// 1, 2, …, n.
pub(super) fn counts(tape: &Tape, n: usize) -> Var {
    tape.iota(n).cast(DType::F64) + 1.0
}

/// The elements of a vector or of a diagonal, as [`Residuals::push`] takes them.
pub(super) fn dense(n: usize, at: impl Fn(usize) -> f64) -> Vec<(usize, f64)> {
    (0..n).map(|j| (j, at(j))).collect()
}

pub(super) fn diagonal(n: usize, at: impl Fn(usize) -> f64) -> Vec<(usize, usize, f64)> {
    (0..n).map(|j| (j, j, at(j))).collect()
}

/// The pairs j < k.
fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |k| (0..k).map(move |j| (j, k)))
}

/// ∫₀¹ of the Chebyshev polynomial of degree i shifted to (0, 1).
fn chebyshev_integral(i: usize) -> f64 {
    if i % 2 == 1 { 0.0 } else { -1.0 / (i as f64 * i as f64 - 1.0) }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Watson",
            start: vec![0.0; 6],
            minima: vec![(
                vec![-0.015725, 1.012435, -0.232992, 1.260430, -1.513729, 0.992996],
                2.28767e-3,
            )],
            record: |tape, x| {
                let power = |i: usize, j: usize| ((i + 1) as f64 / 29.0).powi(j as i32);
                let polynomial = matrix(tape, 29, 6, power).matmul(x);
                let slope = |i: usize, j: usize| j as f64 * power(i, j.saturating_sub(1));
                let r = matrix(tape, 29, 6, slope).matmul(x) - polynomial.square() - 1.0;
                let last = x.at(1) - x.at(0).square() - 1.0;
                r.square().sum() + x.at(0).square() + last.square()
            },
            closed: |x| {
                let mut out = Residuals::new(6);
                for i in 1..=29 {
                    let t = f64::from(i) / 29.0;
                    let p = [1.0, t, t * t, t.powi(3), t.powi(4), t.powi(5)];
                    let d = [0.0, 1.0, 2.0 * t, 3.0 * p[2], 4.0 * p[3], 5.0 * p[4]];
                    let sum = |c: [f64; 6]| -> f64 { c.iter().zip(x).map(|(c, x)| c * x).sum() };
                    let value = sum(p);
                    let mut h = diagonal(6, |j| -2.0 * p[j] * p[j]);
                    h.extend(pairs(6).map(|(j, k)| (j, k, -2.0 * p[j] * p[k])));
                    out.push(
                        sum(d) - value * value - 1.0,
                        &dense(6, |j| d[j] - 2.0 * value * p[j]),
                        &h,
                    );
                }
                out.push(x[0], &[(0, 1.0)], &[]);
                out.push(x[1] - x[0] * x[0] - 1.0, &[(0, -2.0 * x[0]), (1, 1.0)], &[(0, 0, -2.0)]);
                out
            },
        },
        Case {
            name: "extended Rosenbrock",
            start: [-1.2, 1.0].repeat(5),
            minima: vec![(vec![1.0; 10], 0.0)],
            record: |_, x| {
                let (odd, even) = (x.slice_steps(&[(0, 10, 2)]), x.slice_steps(&[(1, 10, 2)]));
                (100.0 * (even - odd.square()).square() + (1.0 - odd).square()).sum()
            },
            closed: rosenbrock,
        },
        Case {
            name: "extended Powell singular",
            start: [3.0, -1.0, 0.0, 1.0].repeat(2),
            minima: vec![(vec![0.0; 8], 0.0)],
            record: |_, x| {
                let columns = x.reshape([2, 4]).t();
                let [a, b, c, d] = [0, 1, 2, 3].map(|i| columns.at(i));
                let linear = (a + 10.0 * b).square() + 5.0 * (c - d).square();
                (linear + (b - 2.0 * c).square().square() + 10.0 * (a - d).powf(4.0)).sum()
            },
            closed: powell_singular,
        },
        Case {
            name: "penalty I",
            start: (1..=10).map(f64::from).collect(),
            minima: vec![(vec![0.158122; 10], 7.08765e-5)],
            record: |_, x| 1e-5 * (x - 1.0).square().sum() + (x.dot(x) - 0.25).square(),
            closed: |x| {
                let n = x.len();
                let weight = 1e-5_f64.sqrt();
                let mut out = Residuals::new(n);
                for (i, x) in x.iter().enumerate() {
                    out.push(weight * (x - 1.0), &[(i, weight)], &[]);
                }
                out.push(
                    x.iter().map(|x| x * x).sum::<f64>() - 0.25,
                    &dense(n, |j| 2.0 * x[j]),
                    &diagonal(n, |_| 2.0),
                );
                out
            },
        },
        Case {
            name: "penalty II",
            start: vec![0.5; 4],
            minima: vec![(vec![0.199999, 0.191372, 0.480107, 0.518814], 9.37629e-6)],
            record: |tape, x| {
                let tenth = counts(tape, 4) / 10.0;
                let e = (x / 10.0).exp();
                let both = |e: Var| e.slice_axis(0, 1, 4) + e.slice_axis(0, 0, 3);
                let chain = both(e) - both(tenth.exp());
                let rest = e.slice_axis(0, 1, 4) - (-0.1_f64).exp();
                let ball = (5.0 - counts(tape, 4)).dot(x.square()) - 1.0;
                let exponential = chain.square().sum() + rest.square().sum();
                (x.at(0) - 0.2).square() + 1e-5 * exponential + ball.square()
            },
            closed: |x| {
                let n = x.len();
                let weight = 1e-5_f64.sqrt();
                let e = |j: usize| weight * (x[j] / 10.0).exp();
                let mut out = Residuals::new(n);
                out.push(x[0] - 0.2, &[(0, 1.0)], &[]);
                for i in 1..n {
                    let (a, b) = (i as f64 / 10.0, (i + 1) as f64 / 10.0);
                    out.push(
                        e(i) + e(i - 1) - weight * (a.exp() + b.exp()),
                        &[(i - 1, e(i - 1) / 10.0), (i, e(i) / 10.0)],
                        &[(i - 1, i - 1, e(i - 1) / 100.0), (i, i, e(i) / 100.0)],
                    );
                    out.push(
                        e(i) - weight * (-0.1_f64).exp(),
                        &[(i, e(i) / 10.0)],
                        &[(i, i, e(i) / 100.0)],
                    );
                }
                let count = |j: usize| (n - j) as f64;
                out.push(
                    (0..n).map(|j| count(j) * x[j] * x[j]).sum::<f64>() - 1.0,
                    &dense(n, |j| 2.0 * count(j) * x[j]),
                    &diagonal(n, |j| 2.0 * count(j)),
                );
                out
            },
        },
        Case {
            name: "variably dimensioned",
            start: (1..=10).map(|j| 1.0 - f64::from(j) / 10.0).collect(),
            minima: vec![(vec![1.0; 10], 0.0)],
            record: |tape, x| {
                let s = counts(tape, 10).dot(x - 1.0);
                (x - 1.0).square().sum() + s.powi(2) + s.powi(4)
            },
            closed: |x| {
                let n = x.len();
                let mut out = Residuals::new(n);
                let count = |j: usize| (j + 1) as f64;
                let s: f64 = (0..n).map(|j| count(j) * (x[j] - 1.0)).sum();
                for (i, x) in x.iter().enumerate() {
                    out.push(x - 1.0, &[(i, 1.0)], &[]);
                }
                out.push(s, &dense(n, count), &[]);
                let mut h = diagonal(n, |j| 2.0 * count(j) * count(j));
                h.extend(pairs(n).map(|(j, k)| (j, k, 2.0 * count(j) * count(k))));
                out.push(s * s, &dense(n, |j| 2.0 * s * count(j)), &h);
                out
            },
        },
        Case {
            name: "trigonometric",
            start: vec![0.1; 10],
            minima: vec![(vec![0.0; 10], 0.0)],
            record: |tape, x| {
                let c = x.cos();
                let r = 10.0 - c.sum() + counts(tape, 10) * (1.0 - c) - x.sin();
                r.square().sum()
            },
            closed: |x| {
                let n = x.len();
                let mut out = Residuals::new(n);
                let total: f64 = x.iter().map(|x| 1.0 - x.cos()).sum();
                for i in 0..n {
                    let (s, c) = x[i].sin_cos();
                    let (count, own) = ((i + 1) as f64, |j| if i == j { 1.0 } else { 0.0 });
                    out.push(
                        total + count * (1.0 - c) - s,
                        &dense(n, |j| x[j].sin() + own(j) * (count * s - c)),
                        &diagonal(n, |j| x[j].cos() + own(j) * (count * c + s)),
                    );
                }
                out
            },
        },
        Case {
            name: "Brown almost-linear",
            start: vec![0.5; 10],
            minima: vec![(vec![1.0; 10], 0.0), ([[0.0; 9].as_slice(), &[11.0]].concat(), 1.0)],
            record: |_, x| {
                let linear = x.slice_axis(0, 0, 9) + (x.sum() - 11.0);
                let product = (1..10).fold(x.at(0), |p, i| p * x.at(i));
                linear.square().sum() + (product - 1.0).square()
            },
            closed: |x| {
                let n = x.len();
                let mut out = Residuals::new(n);
                for i in 0..n - 1 {
                    out.push(
                        x[i] + x.iter().sum::<f64>() - 11.0,
                        &dense(n, |j| if i == j { 2.0 } else { 1.0 }),
                        &[],
                    );
                }
                let without = |j: usize, k: usize| -> f64 {
                    let others = (0..n).filter(|&i| i != j && i != k);
                    others.map(|i| x[i]).product()
                };
                let h: Vec<_> = pairs(n).map(|(j, k)| (j, k, without(j, k))).collect();
                let product: f64 = x.iter().product();
                out.push(product - 1.0, &dense(n, |j| without(j, j)), &h);
                out
            },
        },
        Case {
            name: "linear, full rank",
            start: vec![1.0; 5],
            minima: vec![(vec![-1.0; 5], 5.0)],
            record: |tape, x| {
                let mean = 0.2 * x.sum();
                tape.concat(&[x - mean - 1.0, (-mean - 1.0).broadcast_to(5)], 0).square().sum()
            },
            closed: |x| {
                let (n, m) = (5, 10);
                let mut out = Residuals::new(n);
                for i in 0..m {
                    let own = |j: usize| if i == j { 0.8 } else { -0.2 };
                    let r: f64 = (0..n).map(|j| own(j) * x[j]).sum();
                    out.push(r - 1.0, &dense(n, own), &[]);
                }
                out
            },
        },
        Case {
            name: "Chebyquad",
            start: (1..=8).map(|j| f64::from(j) / 9.0).collect(),
            minima: vec![(
                vec![0.043153, 0.193091, 0.266329, 0.5, 0.5, 0.733671, 0.806909, 0.956847],
                3.51687e-3,
            )],
            record: |_, x| {
                let y = 2.0 * x - 1.0;
                let (mut before, mut t) = (y.constant_like(1.0), y);
                let mut f = t.mean().square();
                for i in 2..=8 {
                    (before, t) = (t, 2.0 * y * t - before);
                    f += (t.mean() - chebyshev_integral(i)).square();
                }
                f
            },
            closed: |x| {
                // By angles, Tᵢ(cos θ) = cos iθ, where the recording is by recurrence.
                let n = x.len();
                let angles: Vec<f64> = x.iter().map(|x| (2.0 * x - 1.0).acos()).collect();
                let mut out = Residuals::new(n);
                for i in 1..=8 {
                    let k = i as f64;
                    let mean: f64 = angles.iter().map(|a| (k * a).cos()).sum::<f64>() / n as f64;
                    let first = |a: f64| k * (k * a).sin() / a.sin();
                    let second =
                        |a: f64| (first(a) * a.cos() - k * k * (k * a).cos()) / a.sin().powi(2);
                    out.push(
                        mean - chebyshev_integral(i),
                        &dense(n, |j| 2.0 * first(angles[j]) / n as f64),
                        &diagonal(n, |j| 4.0 * second(angles[j]) / n as f64),
                    );
                }
                out
            },
        },
    ]
}
