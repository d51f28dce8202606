//! Fits of models to data, recorded with one element for each observation.

use super::{Case, Residuals};
use burlap_autodiff::{Array, Tape, Var};

const BARD: [f64; 15] =
    [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39];
const GAUSSIAN: [f64; 15] = [
    0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989, 0.3521, 0.2420, 0.1295, 0.0540,
    0.0175, 0.0044, 0.0009,
];
const MEYER: [f64; 16] = [
    34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0, 8261.0, 7030.0, 6005.0,
    5147.0, 4427.0, 3820.0, 3307.0, 2872.0,
];
const KOWALIK: [f64; 11] =
    [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246];
const KOWALIK_AT: [f64; 11] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625];
const OSBORNE_1: [f64; 33] = [
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685,
    0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448,
    0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
];
const OSBORNE_2: [f64; 65] = [
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
];

fn literal(tape: &Tape, values: &[f64]) -> Var {
    tape.literal(&Array::vector(values))
}

/// The abscissae at i = 1, …, m.
fn grid(m: u32, at: impl Fn(f64) -> f64) -> Vec<f64> {
    (1..=m).map(|i| at(f64::from(i))).collect()
}

fn tenths(m: u32) -> Vec<f64> {
    grid(m, |i| 0.1 * i)
}

/// What Biggs' exponentials are fitted to at t: the model with x = (1, 10, 1, 5, 4, 3).
fn biggs(t: f64) -> f64 {
    (-t).exp() - 5.0 * (-10.0 * t).exp() + 3.0 * (-4.0 * t).exp()
}

/// The observations of the Gulf function. The paper prints y m i x₂ for y − x₂, with which
/// f does not vanish at the minimiser that it gives.
fn gulf(t: f64) -> f64 {
    25.0 + (-50.0 * t.ln()).powf(2.0 / 3.0)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Jennrich and Sampson",
            start: vec![0.3, 0.4],
            minima: vec![(vec![0.257825, 0.257825], 124.362)],
            record: |tape, x| {
                let i = literal(tape, &grid(10, |i| i));
                let r = 2.0 + 2.0 * i - ((i * x.at(0)).exp() + (i * x.at(1)).exp());
                r.square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(2);
                for i in grid(10, |i| i) {
                    let (a, b) = ((i * x[0]).exp(), (i * x[1]).exp());
                    out.push(
                        2.0 + 2.0 * i - a - b,
                        &[(0, -i * a), (1, -i * b)],
                        &[(0, 0, -i * i * a), (1, 1, -i * i * b)],
                    );
                }
                out
            },
        },
        Case {
            name: "Bard",
            start: vec![1.0; 3],
            minima: vec![(vec![0.08241, 1.1330, 2.3437], 8.21487e-3)],
            record: |tape, x| {
                let u = literal(tape, &grid(15, |i| i));
                let v = 16.0 - u;
                let model = x.at(0) + u / (v * x.at(1) + u.min(v) * x.at(2));
                (literal(tape, &BARD) - model).square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(3);
                for (u, y) in grid(15, |i| i).into_iter().zip(BARD) {
                    let v = 16.0 - u;
                    let w = u.min(v);
                    let d = v * x[1] + w * x[2];
                    let (d2, d3) = (d * d, d * d * d);
                    out.push(
                        y - x[0] - u / d,
                        &[(0, -1.0), (1, u * v / d2), (2, u * w / d2)],
                        &[
                            (1, 1, -2.0 * u * v * v / d3),
                            (1, 2, -2.0 * u * v * w / d3),
                            (2, 2, -2.0 * u * w * w / d3),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Gaussian",
            start: vec![0.4, 1.0, 0.0],
            minima: vec![(vec![0.399, 1.0, 0.0], 1.12793e-8)],
            record: |tape, x| {
                let z = literal(tape, &grid(15, |i| (8.0 - i) / 2.0)) - x.at(2);
                let model = x.at(0) * (-0.5 * x.at(1) * z.square()).exp();
                (model - literal(tape, &GAUSSIAN)).square().sum()
            },
            closed: |x| {
                let (a, b) = (x[0], x[1]);
                let mut out = Residuals::new(3);
                for (t, y) in grid(15, |i| (8.0 - i) / 2.0).into_iter().zip(GAUSSIAN) {
                    let z = t - x[2];
                    let z2 = z * z;
                    let e = (-b * z2 / 2.0).exp();
                    out.push(
                        a * e - y,
                        &[(0, e), (1, -a * z2 * e / 2.0), (2, a * b * z * e)],
                        &[
                            (0, 1, -z2 * e / 2.0),
                            (0, 2, b * z * e),
                            (1, 1, a * z2 * z2 * e / 4.0),
                            (1, 2, a * z * e * (1.0 - b * z2 / 2.0)),
                            (2, 2, a * b * e * (b * z2 - 1.0)),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Meyer",
            start: vec![0.02, 4000.0, 250.0],
            minima: vec![(vec![0.00560964, 6181.35, 345.224], 87.9458)],
            record: |tape, x| {
                let t = literal(tape, &grid(16, |i| 45.0 + 5.0 * i));
                let model = x.at(0) * (x.at(1) / (t + x.at(2))).exp();
                (model - literal(tape, &MEYER)).square().sum()
            },
            closed: |x| {
                let (a, b) = (x[0], x[1]);
                let mut out = Residuals::new(3);
                for (t, y) in grid(16, |i| 45.0 + 5.0 * i).into_iter().zip(MEYER) {
                    let d = t + x[2];
                    let d2 = d * d;
                    let e = (b / d).exp();
                    out.push(
                        a * e - y,
                        &[(0, e), (1, a * e / d), (2, -a * b * e / d2)],
                        &[
                            (0, 1, e / d),
                            (0, 2, -b * e / d2),
                            (1, 1, a * e / d2),
                            (1, 2, -a * e * (b + d) / (d2 * d)),
                            (2, 2, a * b * e * (b + 2.0 * d) / (d2 * d2)),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Gulf research and development",
            start: vec![5.0, 2.5, 0.15],
            minima: vec![(vec![50.0, 25.0, 1.5], 0.0)],
            record: |tape, x| {
                let t = grid(20, |i| i / 100.0);
                let y: Vec<f64> = t.iter().map(|&t| gulf(t)).collect();
                let power = (literal(tape, &y) - x.at(1)).abs().pow(x.at(2));
                ((-power / x.at(0)).exp() - literal(tape, &t)).square().sum()
            },
            closed: |x| {
                let (a, c) = (x[0], x[2]);
                let mut out = Residuals::new(3);
                for t in grid(20, |i| i / 100.0) {
                    // Positive at all points of interest. With s = uᶜ/a the residual e^(−s) − t
                    // has the derivatives −e^(−s) sⱼ and e^(−s) (sⱼ sₖ − sⱼₖ).
                    let u = gulf(t) - x[1];
                    let s = u.powf(c) / a;
                    let (e, w) = ((-s).exp(), u.ln());
                    let g = [-s / a, -c * s / u, s * w];
                    let second = |j: usize, k: usize, h: f64| (j, k, e * (g[j] * g[k] - h));
                    out.push(
                        e - t,
                        &[(0, -e * g[0]), (1, -e * g[1]), (2, -e * g[2])],
                        &[
                            second(0, 0, 2.0 * s / (a * a)),
                            second(0, 1, c * s / (u * a)),
                            second(0, 2, -s * w / a),
                            second(1, 1, c * (c - 1.0) * s / (u * u)),
                            second(1, 2, -s * (1.0 + c * w) / u),
                            second(2, 2, s * w * w),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Box three-dimensional",
            start: vec![0.0, 10.0, 20.0],
            minima: vec![(vec![1.0, 10.0, 1.0], 0.0), (vec![10.0, 1.0, -1.0], 0.0)],
            record: |tape, x| {
                let t = literal(tape, &tenths(10));
                let scale = (-t).exp() - (-10.0 * t).exp();
                let r = (-t * x.at(0)).exp() - (-t * x.at(1)).exp() - x.at(2) * scale;
                r.square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(3);
                for t in tenths(10) {
                    let (a, b) = ((-t * x[0]).exp(), (-t * x[1]).exp());
                    let c = (-10.0 * t).exp() - (-t).exp();
                    out.push(
                        a - b + c * x[2],
                        &[(0, -t * a), (1, t * b), (2, c)],
                        &[(0, 0, t * t * a), (1, 1, -t * t * b)],
                    );
                }
                out
            },
        },
        Case {
            name: "Kowalik and Osborne",
            start: vec![0.25, 0.39, 0.415, 0.39],
            minima: vec![(vec![0.1928, 0.1913, 0.1231, 0.1361], 3.07505e-4)],
            record: |tape, x| {
                let u = literal(tape, &KOWALIK_AT);
                let above = x.at(0) * (u.square() + u * x.at(1));
                let below = u.square() + u * x.at(2) + x.at(3);
                (literal(tape, &KOWALIK) - above / below).square().sum()
            },
            closed: |x| {
                let a = x[0];
                let mut out = Residuals::new(4);
                for (u, y) in KOWALIK_AT.into_iter().zip(KOWALIK) {
                    let p = u * (u + x[1]);
                    let d = u * (u + x[2]) + x[3];
                    let (d2, d3) = (d * d, d * d * d);
                    out.push(
                        y - a * p / d,
                        &[(0, -p / d), (1, -a * u / d), (2, a * p * u / d2), (3, a * p / d2)],
                        &[
                            (0, 1, -u / d),
                            (0, 2, p * u / d2),
                            (0, 3, p / d2),
                            (1, 2, a * u * u / d2),
                            (1, 3, a * u / d2),
                            (2, 2, -2.0 * a * p * u * u / d3),
                            (2, 3, -2.0 * a * p * u / d3),
                            (3, 3, -2.0 * a * p / d3),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Brown and Dennis",
            start: vec![25.0, 5.0, -5.0, -1.0],
            minima: vec![(vec![-11.59, 13.20, -0.4034, 0.2368], 85822.2)],
            record: |tape, x| {
                let t = literal(tape, &grid(20, |i| i / 5.0));
                let a = x.at(0) + t * x.at(1) - t.exp();
                let b = x.at(2) + t.sin() * x.at(3) - t.cos();
                (a.square() + b.square()).square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(4);
                for t in grid(20, |i| i / 5.0) {
                    let (s, c) = t.sin_cos();
                    let a = x[0] + t * x[1] - t.exp();
                    let b = x[2] + s * x[3] - c;
                    out.push(
                        a * a + b * b,
                        &[(0, 2.0 * a), (1, 2.0 * t * a), (2, 2.0 * b), (3, 2.0 * s * b)],
                        &[
                            (0, 0, 2.0),
                            (0, 1, 2.0 * t),
                            (1, 1, 2.0 * t * t),
                            (2, 2, 2.0),
                            (2, 3, 2.0 * s),
                            (3, 3, 2.0 * s * s),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Osborne 1",
            start: vec![0.5, 1.5, -1.0, 0.01, 0.02],
            minima: vec![(vec![0.3754, 1.9358, -1.4647, 0.01287, 0.02212], 5.46489e-5)],
            record: |tape, x| {
                let t = literal(tape, &grid(33, |i| 10.0 * (i - 1.0)));
                let decay = |amount: usize, rate: usize| x.at(amount) * (-t * x.at(rate)).exp();
                let model = x.at(0) + decay(1, 3) + decay(2, 4);
                (literal(tape, &OSBORNE_1) - model).square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(5);
                for (t, y) in grid(33, |i| 10.0 * (i - 1.0)).into_iter().zip(OSBORNE_1) {
                    let (a, b) = ((-t * x[3]).exp(), (-t * x[4]).exp());
                    out.push(
                        y - x[0] - x[1] * a - x[2] * b,
                        &[(0, -1.0), (1, -a), (2, -b), (3, t * x[1] * a), (4, t * x[2] * b)],
                        &[
                            (1, 3, t * a),
                            (2, 4, t * b),
                            (3, 3, -t * t * x[1] * a),
                            (4, 4, -t * t * x[2] * b),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Biggs EXP6",
            start: vec![1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
            minima: vec![(vec![1.0, 10.0, 1.0, 5.0, 4.0, 3.0], 0.0)],
            record: |tape, x| {
                let t = tenths(13);
                let y: Vec<f64> = t.iter().map(|&t| biggs(t)).collect();
                let t = literal(tape, &t);
                let term = |amount: usize, rate: usize| x.at(amount) * (-t * x.at(rate)).exp();
                let model = term(2, 0) - term(3, 1) + term(5, 4);
                (model - literal(tape, &y)).square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(6);
                for t in tenths(13) {
                    let [a, b, c] = [0, 1, 4].map(|rate| (-t * x[rate]).exp());
                    out.push(
                        x[2] * a - x[3] * b + x[5] * c - biggs(t),
                        &[
                            (0, -t * x[2] * a),
                            (1, t * x[3] * b),
                            (2, a),
                            (3, -b),
                            (4, -t * x[5] * c),
                            (5, c),
                        ],
                        &[
                            (0, 0, t * t * x[2] * a),
                            (0, 2, -t * a),
                            (1, 1, -t * t * x[3] * b),
                            (1, 3, t * b),
                            (4, 4, t * t * x[5] * c),
                            (4, 5, -t * c),
                        ],
                    );
                }
                out
            },
        },
        Case {
            name: "Osborne 2",
            start: vec![1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5],
            minima: vec![(
                vec![
                    1.30998, 0.431554, 0.633662, 0.599431, 0.754183, 0.904289, 1.36581, 4.82370,
                    2.39868, 4.56887, 5.67534,
                ],
                4.01377e-2,
            )],
            record: |tape, x| {
                let t = literal(tape, &grid(65, |i| (i - 1.0) / 10.0));
                let peak =
                    |k: usize| x.at(1 + k) * (-(t - x.at(8 + k)).square() * x.at(5 + k)).exp();
                let model = x.at(0) * (-t * x.at(4)).exp() + peak(0) + peak(1) + peak(2);
                (literal(tape, &OSBORNE_2) - model).square().sum()
            },
            closed: |x| {
                let mut out = Residuals::new(11);
                for (t, y) in grid(65, |i| (i - 1.0) / 10.0).into_iter().zip(OSBORNE_2) {
                    let e = (-t * x[4]).exp();
                    let mut r = y - x[0] * e;
                    let mut g = vec![(0, -e), (4, t * x[0] * e)];
                    let mut h = vec![(0, 4, t * e), (4, 4, -t * t * x[0] * e)];
                    for k in 0..3 {
                        // Amount, rate and centre of a peak.
                        let [a, b, c] = [1 + k, 5 + k, 8 + k];
                        let z = t - x[c];
                        let z2 = z * z;
                        let e = (-z2 * x[b]).exp();
                        r -= x[a] * e;
                        g.extend([(a, -e), (b, x[a] * z2 * e), (c, -2.0 * x[a] * x[b] * z * e)]);
                        h.extend([
                            (a, b, z2 * e),
                            (a, c, -2.0 * x[b] * z * e),
                            (b, b, -x[a] * z2 * z2 * e),
                            (b, c, -2.0 * x[a] * z * e * (1.0 - x[b] * z2)),
                            (c, c, -2.0 * x[a] * x[b] * e * (2.0 * x[b] * z2 - 1.0)),
                        ]);
                    }
                    out.push(r, &g, &h);
                }
                out
            },
        },
    ]
}
