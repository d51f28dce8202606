//! Functions of a fixed number of variables, without data.

use super::{Case, Residuals};
use burlap_autodiff::Var;
use std::f64::consts::{PI, TAU};

fn sum_of_squares(residuals: &[Var]) -> Var {
    let squares = residuals.iter().map(|r| r.square());
    squares.reduce(|a, b| a + b).unwrap()
}

/// The pairs 10(x₂ − x₁²), 1 − x₁ of the plain and the extended function.
pub(super) fn rosenbrock(x: &[f64]) -> Residuals {
    let mut out = Residuals::new(x.len());
    for i in (0..x.len()).step_by(2) {
        out.push(
            10.0 * (x[i + 1] - x[i] * x[i]),
            &[(i, -20.0 * x[i]), (i + 1, 10.0)],
            &[(i, i, -20.0)],
        );
        out.push(1.0 - x[i], &[(i, -1.0)], &[]);
    }
    out
}

/// The quadruples of Powell's singular function, plain and extended.
pub(super) fn powell_singular(x: &[f64]) -> Residuals {
    let mut out = Residuals::new(x.len());
    let (root5, root10) = (5.0_f64.sqrt(), 10.0_f64.sqrt());
    for i in (0..x.len()).step_by(4) {
        let [a, b, c, d] = [i, i + 1, i + 2, i + 3];
        let (middle, ends) = (x[b] - 2.0 * x[c], x[a] - x[d]);
        out.push(x[a] + 10.0 * x[b], &[(a, 1.0), (b, 10.0)], &[]);
        out.push(root5 * (x[c] - x[d]), &[(c, root5), (d, -root5)], &[]);
        out.push(
            middle * middle,
            &[(b, 2.0 * middle), (c, -4.0 * middle)],
            &[(b, b, 2.0), (b, c, -4.0), (c, c, 8.0)],
        );
        let slope = 2.0 * root10 * ends;
        out.push(
            root10 * ends * ends,
            &[(a, slope), (d, -slope)],
            &[(a, a, 2.0 * root10), (a, d, -2.0 * root10), (d, d, 2.0 * root10)],
        );
    }
    out
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Rosenbrock",
            start: vec![-1.2, 1.0],
            minima: vec![(vec![1.0, 1.0], 0.0)],
            record: |_, x| 100.0 * (x.at(1) - x.at(0).square()).square() + (1.0 - x.at(0)).square(),
            closed: rosenbrock,
        },
        Case {
            name: "Freudenstein and Roth",
            start: vec![0.5, -2.0],
            minima: vec![(vec![5.0, 4.0], 0.0), (vec![11.4128, -0.896805], 48.9842)],
            record: |_, x| {
                let (a, b) = (x.at(0), x.at(1));
                sum_of_squares(&[
                    -13.0 + a + ((5.0 - b) * b - 2.0) * b,
                    -29.0 + a + ((b + 1.0) * b - 14.0) * b,
                ])
            },
            closed: |x| {
                let (a, b) = (x[0], x[1]);
                let (b2, b3) = (b * b, b * b * b);
                let mut out = Residuals::new(2);
                out.push(
                    a - b3 + 5.0 * b2 - 2.0 * b - 13.0,
                    &[(0, 1.0), (1, -3.0 * b2 + 10.0 * b - 2.0)],
                    &[(1, 1, 10.0 - 6.0 * b)],
                );
                out.push(
                    a + b3 + b2 - 14.0 * b - 29.0,
                    &[(0, 1.0), (1, 3.0 * b2 + 2.0 * b - 14.0)],
                    &[(1, 1, 6.0 * b + 2.0)],
                );
                out
            },
        },
        Case {
            name: "Powell badly scaled",
            start: vec![0.0, 1.0],
            minima: vec![(vec![1.098159e-5, 9.106146], 0.0)],
            record: |_, x| {
                let product = 1e4 * x.at(0) * x.at(1) - 1.0;
                sum_of_squares(&[product, (-x).exp().sum() - 1.0001])
            },
            closed: |x| {
                let (a, b) = ((-x[0]).exp(), (-x[1]).exp());
                let mut out = Residuals::new(2);
                out.push(
                    1e4 * x[0] * x[1] - 1.0,
                    &[(0, 1e4 * x[1]), (1, 1e4 * x[0])],
                    &[(0, 1, 1e4)],
                );
                out.push(a + b - 1.0001, &[(0, -a), (1, -b)], &[(0, 0, a), (1, 1, b)]);
                out
            },
        },
        Case {
            name: "Brown badly scaled",
            start: vec![1.0, 1.0],
            minima: vec![(vec![1e6, 2e-6], 0.0)],
            record: |_, x| {
                let (a, b) = (x.at(0), x.at(1));
                sum_of_squares(&[a - 1e6, b - 2e-6, a * b - 2.0])
            },
            closed: |x| {
                let mut out = Residuals::new(2);
                out.push(x[0] - 1e6, &[(0, 1.0)], &[]);
                out.push(x[1] - 2e-6, &[(1, 1.0)], &[]);
                out.push(x[0] * x[1] - 2.0, &[(0, x[1]), (1, x[0])], &[(0, 1, 1.0)]);
                out
            },
        },
        Case {
            name: "Beale",
            start: vec![1.0, 1.0],
            minima: vec![(vec![3.0, 0.5], 0.0)],
            record: |_, x| {
                let (a, b) = (x.at(0), x.at(1));
                sum_of_squares(&[
                    1.5 - a * (1.0 - b),
                    2.25 - a * (1.0 - b.powi(2)),
                    2.625 - a * (1.0 - b.powi(3)),
                ])
            },
            closed: |x| {
                let (a, b) = (x[0], x[1]);
                let mut out = Residuals::new(2);
                out.push(1.5 - a + a * b, &[(0, b - 1.0), (1, a)], &[(0, 1, 1.0)]);
                out.push(
                    2.25 - a + a * b * b,
                    &[(0, b * b - 1.0), (1, 2.0 * a * b)],
                    &[(0, 1, 2.0 * b), (1, 1, 2.0 * a)],
                );
                out.push(
                    2.625 - a + a * b * b * b,
                    &[(0, b * b * b - 1.0), (1, 3.0 * a * b * b)],
                    &[(0, 1, 3.0 * b * b), (1, 1, 6.0 * a * b)],
                );
                out
            },
        },
        Case {
            name: "helical valley",
            start: vec![-1.0, 0.0, 0.0],
            minima: vec![(vec![1.0, 0.0, 0.0], 0.0)],
            record: |_, x| {
                let (a, b, c) = (x.at(0), x.at(1), x.at(2));
                // Of the angle's branch the paper says: half a turn more where x₁ < 0.
                let turns = (b / a).atan() / TAU + a.lt(0.0).select(0.5, 0.0);
                let radius = (a.square() + b.square()).sqrt();
                sum_of_squares(&[10.0 * (c - 10.0 * turns), 10.0 * (radius - 1.0), c])
            },
            closed: |x| {
                let (a, b) = (x[0], x[1]);
                let turns = (b / a).atan() / TAU + if a < 0.0 { 0.5 } else { 0.0 };
                let (q, radius) = (a * a + b * b, a.hypot(b));
                let twist = 100.0 * a * b / (PI * q * q);
                let mut out = Residuals::new(3);
                out.push(
                    10.0 * x[2] - 100.0 * turns,
                    &[(0, 50.0 * b / (PI * q)), (1, -50.0 * a / (PI * q)), (2, 10.0)],
                    &[(0, 0, -twist), (0, 1, 50.0 * (a * a - b * b) / (PI * q * q)), (1, 1, twist)],
                );
                let cube = q * radius;
                out.push(
                    10.0 * radius - 10.0,
                    &[(0, 10.0 * a / radius), (1, 10.0 * b / radius)],
                    &[
                        (0, 0, 10.0 * b * b / cube),
                        (0, 1, -10.0 * a * b / cube),
                        (1, 1, 10.0 * a * a / cube),
                    ],
                );
                out.push(x[2], &[(2, 1.0)], &[]);
                out
            },
        },
        Case {
            name: "Powell singular",
            start: vec![3.0, -1.0, 0.0, 1.0],
            minima: vec![(vec![0.0; 4], 0.0)],
            record: |_, x| {
                let [a, b, c, d] = [0, 1, 2, 3].map(|i| x.at(i));
                (a + 10.0 * b).square()
                    + 5.0 * (c - d).square()
                    + (b - 2.0 * c).powi(4)
                    + 10.0 * (a - d).powi(4)
            },
            closed: powell_singular,
        },
        Case {
            name: "Wood",
            start: vec![-3.0, -1.0, -3.0, -1.0],
            minima: vec![(vec![1.0; 4], 0.0)],
            record: |_, x| {
                let [a, b, c, d] = [0, 1, 2, 3].map(|i| x.at(i));
                100.0 * (b - a.square()).square()
                    + (1.0 - a).square()
                    + 90.0 * (d - c.square()).square()
                    + (1.0 - c).square()
                    + 10.0 * (b + d - 2.0).square()
                    + 0.1 * (b - d).square()
            },
            closed: |x| {
                let (root10, root90) = (10.0_f64.sqrt(), 90.0_f64.sqrt());
                let mut out = Residuals::new(4);
                out.push(
                    10.0 * (x[1] - x[0] * x[0]),
                    &[(0, -20.0 * x[0]), (1, 10.0)],
                    &[(0, 0, -20.0)],
                );
                out.push(1.0 - x[0], &[(0, -1.0)], &[]);
                out.push(
                    root90 * (x[3] - x[2] * x[2]),
                    &[(2, -2.0 * root90 * x[2]), (3, root90)],
                    &[(2, 2, -2.0 * root90)],
                );
                out.push(1.0 - x[2], &[(2, -1.0)], &[]);
                out.push(root10 * (x[1] + x[3] - 2.0), &[(1, root10), (3, root10)], &[]);
                out.push((x[1] - x[3]) / root10, &[(1, 1.0 / root10), (3, -1.0 / root10)], &[]);
                out
            },
        },
    ]
}
