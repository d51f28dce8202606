//! Estimators against their definitions and variance laws, and what they make of operators of no
//! rows, of zeros, of NaN, and of settings that mean nothing.

use crate::common::{Case, Plain, dense, moments, network, operator, points};
use burlap_autodiff::DType;
use burlap_optim::curvature::{
    Estimated, HessianOperator, LinearOperator, Probes, Quadrature, diagonal, frobenius_norm,
    hutch_pp, trace, xtrace,
};
use burlap_optim::random::{Draw, Purpose};
use burlap_optim::{Error, Result};
use nalgebra::{DMatrix, DVector};
use rand_distr::{Distribution, StandardNormal};

/// Q of the matrix's columns, by nalgebra.
fn basis(columns: &DMatrix<f64>) -> DMatrix<f64> {
    columns.clone().qr().q()
}

/// The estimate by vector i beside a basis of the images of all vectors but some.
fn beside(a: &DMatrix<f64>, omega: &DMatrix<f64>, i: usize, without: &[usize]) -> f64 {
    let others = omega.clone().remove_columns_at(without);
    let q = if others.ncols() == 0 { others } else { basis(&(a * others)) };
    let w = omega.column(i);
    let rest = w - &q * (q.transpose() * w);
    let left = (q.nrows() - q.ncols()) as f64 / rest.norm_squared();
    (q.transpose() * a * &q).trace() + left * (rest.transpose() * a * &rest)[(0, 0)]
}

#[test]
fn xtrace_and_its_error_are_their_definitions() {
    for (n, k, seed) in [(9, 2, 1), (9, 5, 2), (9, 8, 3), (30, 10, 4), (2, 1, 5)] {
        let a = dense(n);
        let mut omega = DMatrix::from_fn(n, k, |_, _| 0.0);
        for (i, mut column) in omega.column_iter_mut().enumerate() {
            let draw = Draw { seed, purpose: Purpose::Probe, step: 0, sample: i as u32 };
            let mut stream = draw.stream(0);
            column.iter_mut().for_each(|x| *x = StandardNormal.sample(&mut stream));
            let length = column.norm();
            column *= (n as f64).sqrt() / length;
        }
        let found = xtrace(&mut operator(&a), 2 * k + 1, seed).unwrap();
        let each: Vec<f64> = (0..k).map(|i| beside(&a, &omega, i, &[i])).collect();
        let (expected, spread) = moments(&each);
        assert!((found.value - expected).abs() < 1e-11 * a.norm(), "{n} {k}: {found:?} {expected}");
        assert_eq!(found.num_matvecs, 2 * k);
        if k < 2 {
            assert_eq!(found.standard_error, f64::INFINITY);
        } else {
            let gain = |i: usize, j: usize| each[j] - beside(&a, &omega, j, &[i.min(j), i.max(j)]);
            let pairs = (0..k).flat_map(|j| (0..j).map(move |i| (i, j)));
            let shared: f64 = pairs.map(|(i, j)| gain(i, j) * gain(j, i)).sum();
            let covariance = shared / (k * (k - 1) / 2) as f64;
            let error = (spread * spread / k as f64 + covariance.max(0.0)).sqrt();
            let relative = (found.standard_error / error - 1.0).abs();
            assert!(relative < 1e-9, "{n} {k}: {found:?} {error}");
        }
    }
}

#[test]
fn low_rank_estimates_are_exact_where_the_rank_is_low_and_better_where_it_is_nearly() {
    let n = 40;
    let u = DMatrix::from_fn(n, 3, |i, j| (1.3 * i as f64 + 2.0 * j as f64).sin());
    let low = &u * u.transpose();
    let tail = DMatrix::from_diagonal(&DVector::from_fn(n, |i, _| 1e-3 * (i as f64).cos()));
    for seed in 0..10 {
        let mut exact = operator(&low);
        for found in [
            hutch_pp(&mut exact, Probes::Rademacher, 12, seed).unwrap(),
            hutch_pp(&mut exact, Probes::Gaussian, 15, seed).unwrap(),
            xtrace(&mut exact, 12, seed).unwrap(),
        ] {
            assert!((found.value - low.trace()).abs() < 1e-12 * low.trace(), "{found:?}");
            assert!(found.standard_error < 1e-12 * low.trace(), "{found:?}");
        }
        let nearly = &low + &tail;
        let plain = trace(&mut operator(&nearly), Probes::Rademacher, 24, seed).unwrap();
        for found in [
            hutch_pp(&mut operator(&nearly), Probes::Rademacher, 24, seed).unwrap(),
            xtrace(&mut operator(&nearly), 24, seed).unwrap(),
        ] {
            assert!(found.standard_error < 0.01 * plain.standard_error, "{found:?} {plain:?}");
            assert!((found.value - nearly.trace()).abs() < 0.05, "{found:?}");
            assert_eq!(found.num_matvecs, 24);
        }
    }
}

#[test]
fn a_basis_of_the_whole_space_gives_the_exact_trace() {
    for n in [1, 2, 7] {
        let a = dense(n);
        for found in [
            hutch_pp(&mut operator(&a), Probes::Gaussian, 3 * n, 1).unwrap(),
            xtrace(&mut operator(&a), 2 * n, 1).unwrap(),
            xtrace(&mut operator(&a), 100, 1).unwrap(),
        ] {
            assert!((found.value - a.trace()).abs() < 1e-12 * a.norm(), "{n}: {found:?}");
            assert_eq!((found.standard_error, found.num_matvecs), (0.0, 2 * n));
        }
    }
}

/// Mean and spread of a number over seeds, and the mean of what it reports as its error.
fn over_seeds(seeds: u64, run: impl Fn(u64) -> (f64, f64)) -> (f64, f64, f64) {
    let all: Vec<(f64, f64)> = (0..seeds).map(run).collect();
    let (mean, spread) = moments(&all.iter().map(|e| e.0).collect::<Vec<f64>>());
    (mean, spread, all.iter().map(|e| e.1).sum::<f64>() / seeds as f64)
}

#[test]
fn errors_follow_the_laws_that_the_documentation_states() {
    let n = 10;
    let a = dense(n);
    let square = &a * &a;
    let spare = |m: &DMatrix<f64>| 2.0 * (m.norm_squared() - m.diagonal().norm_squared());
    let exponential = a.clone().exp();
    let row = a.row(3).norm_squared() - a[(3, 3)].powi(2);
    let sphere = |m: &DMatrix<f64>| {
        let (n, t) = (n as f64, m.trace());
        2.0 * (m.norm_squared() - t * t / n) * n / (n + 2.0)
    };
    let count = 400;
    type Run<'a> = Box<dyn Fn(u64, Probes) -> (f64, f64) + 'a>;
    let pair = |e: Estimated| (e.value, e.standard_error);
    let third = |e: Estimated<Vec<f64>>| (e.value[3], e.standard_error[3]);
    let op = || operator(&a);
    // Target and variance of one probe: signs, normal.
    let cases: [(&str, Run<'_>, f64, [f64; 2]); 4] = [
        (
            "trace",
            Box::new(|seed, p| pair(trace(&mut op(), p, count, seed).unwrap())),
            a.trace(),
            [spare(&a), 2.0 * a.norm_squared()],
        ),
        (
            "norm",
            Box::new(|seed, p| pair(frobenius_norm(&mut op(), p, count, seed).unwrap())),
            a.norm(),
            [spare(&square), 2.0 * square.norm_squared()].map(|v| v / (4.0 * a.norm_squared())),
        ),
        (
            "diagonal",
            Box::new(|seed, p| third(diagonal(&mut op(), p, count, seed).unwrap())),
            a[(3, 3)],
            [row, row],
        ),
        (
            "exponential",
            Box::new(|seed, p| {
                let spectrum = Quadrature::new(&mut op(), p, count, n, seed).unwrap();
                pair(spectrum.trace_of(f64::exp).unwrap())
            }),
            exponential.trace(),
            [spare(&exponential), sphere(&exponential)],
        ),
    ];
    let seeds = 60;
    for (name, run, target, variances) in cases {
        for (probes, variance) in [Probes::Rademacher, Probes::Gaussian].into_iter().zip(variances)
        {
            let (mean, spread, reported) = over_seeds(seeds, |seed| run(seed, probes));
            let expected = (variance / count as f64).sqrt();
            println!("{name}, {probes:?}: {spread} {reported} {expected}");
            // The spread of 60 estimates is known to 1/√118 = 9 %: 1.4 is 4 of them. The mean of 60
            // errors of 400 samples each is known to 1 %, the delta method's to 1/400 besides.
            assert!((1.0 / 1.4..1.4).contains(&(spread / expected)), "{name}, {probes:?}");
            assert!((reported / expected - 1.0).abs() < 0.05, "{name}, {probes:?}");
            let bias = expected * expected / (2.0 * target.abs());
            let far = (mean - target).abs() - bias;
            assert!(far < 3.5 * expected / (seeds as f64).sqrt(), "{name}, {probes:?}: {mean}");
        }
    }
}

#[test]
fn the_diagonal_is_exact_where_there_is_nothing_beside_it() {
    let exact = [1.0, -2.0, 4.5, 0.0];
    let a = DMatrix::from_diagonal(&DVector::from_column_slice(&exact));
    for probes in [Probes::Rademacher, Probes::Gaussian] {
        let found = diagonal(&mut operator(&a), probes, 7, 1).unwrap();
        for (i, exact) in exact.into_iter().enumerate() {
            assert!((found.value[i] - exact).abs() < 1e-15, "{found:?}");
            // No loss of digits in the sum of squares.
            assert!(found.standard_error[i] < 1e-15, "{found:?}");
        }
    }
    let one = diagonal(&mut operator(&a), Probes::Rademacher, 1, 1).unwrap();
    assert_eq!(one.standard_error, [f64::INFINITY; 4]);
}

#[test]
fn what_overflows_is_an_error() {
    let a = 1e200 * DMatrix::<f64>::identity(3, 3);
    let e = frobenius_norm(&mut operator(&a), Probes::Rademacher, 3, 1).unwrap_err();
    assert_eq!(e.to_string(), "frobenius norm: the mean over the probes overflows");
    let spectrum = Quadrature::new(&mut operator(&a), Probes::Rademacher, 3, 3, 1).unwrap();
    let e = spectrum.moment(2).unwrap_err();
    let expected = "moment: the Ritz value 1.0000e200 is where the function is inf";
    assert_eq!(e.to_string(), expected);
    assert!((spectrum.log_det().unwrap().value - 3.0 * 1e200f64.ln()).abs() < 1e-9);
}

#[test]
fn operators_of_no_rows_have_zero_traces_and_no_density() {
    let none = DMatrix::zeros(0, 0);
    for p in [Probes::Rademacher, Probes::Gaussian] {
        for found in [
            trace(&mut operator(&none), p, 5, 1).unwrap(),
            frobenius_norm(&mut operator(&none), p, 5, 1).unwrap(),
            hutch_pp(&mut operator(&none), p, 5, 1).unwrap(),
            xtrace(&mut operator(&none), 5, 1).unwrap(),
        ] {
            assert_eq!((found.value, found.standard_error, found.num_matvecs), (0.0, 0.0, 0));
        }
        assert!(diagonal(&mut operator(&none), p, 5, 1).unwrap().value.is_empty());
        let spectrum = Quadrature::new(&mut operator(&none), p, 5, 3, 1).unwrap();
        assert_eq!(spectrum.log_det().unwrap().value, 0.0);
        assert_eq!((spectrum.spectral_bounds(), spectrum.rules().len()), (None, 0));
        let e = spectrum.density(5, None).unwrap_err();
        assert_eq!(e.to_string(), "spectral density: the operator has no rows");
    }
}

#[test]
fn zero_operators_give_zeros() {
    let zero = DMatrix::zeros(5, 5);
    for p in [Probes::Rademacher, Probes::Gaussian] {
        let spectrum = Quadrature::new(&mut operator(&zero), p, 5, 3, 1).unwrap();
        assert_eq!(spectrum.num_matvecs(), 5);
        for found in [
            trace(&mut operator(&zero), p, 5, 1).unwrap(),
            frobenius_norm(&mut operator(&zero), p, 5, 1).unwrap(),
            hutch_pp(&mut operator(&zero), p, 6, 1).unwrap(),
            xtrace(&mut operator(&zero), 6, 1).unwrap(),
            spectrum.moment(3).unwrap(),
            spectrum.trace_of(|x| x).unwrap(),
        ] {
            assert_eq!((found.value, found.standard_error), (0.0, 0.0));
        }
        assert_eq!(diagonal(&mut operator(&zero), p, 5, 1).unwrap().value, [0.0; 5]);
    }
}

type Run = fn(&mut dyn LinearOperator, usize) -> Result<()>;

const RUNS: [(&str, Run, usize); 6] = [
    ("trace", |a, n| trace(a, Probes::Rademacher, n, 1).map(drop), 1),
    ("frobenius norm", |a, n| frobenius_norm(a, Probes::Gaussian, n, 1).map(drop), 1),
    ("diagonal", |a, n| diagonal(a, Probes::Gaussian, n, 1).map(drop), 1),
    ("Hutch++", |a, n| hutch_pp(a, Probes::Gaussian, n, 1).map(drop), 3),
    ("XTrace", |a, n| xtrace(a, n, 1).map(drop), 2),
    (
        "stochastic Lanczos quadrature",
        |a, n| Quadrature::new(a, Probes::Gaussian, n, 3, 1).map(drop),
        1,
    ),
];

#[test]
fn products_that_are_not_finite_are_errors() {
    for bad in [f64::NAN, f64::INFINITY] {
        let a = DMatrix::from_element(3, 3, bad);
        for (name, run, _) in RUNS {
            let e = run(&mut operator(&a), 9).unwrap_err();
            assert_eq!(e.to_string(), format!("{name}: product 1 is not finite"));
        }
    }
}

#[test]
fn the_product_that_is_not_finite_is_named() {
    /// The identity, whose fifth product is NaN.
    struct Fifth(usize);
    impl LinearOperator for Fifth {
        fn dim(&self) -> usize {
            20
        }

        fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
            self.0 += 1;
            out.copy_from_slice(v);
            out[7] *= if self.0 == 5 { f64::NAN } else { 1.0 };
            Ok(())
        }

        fn num_matvecs(&self) -> usize {
            self.0
        }
    }
    // In the mean, in the basis, and in the basis' products.
    for (name, run, count) in
        [RUNS[0], RUNS[1], RUNS[2], RUNS[3], RUNS[4]].map(|(name, run, _)| (name, run, 9))
    {
        let e = run(&mut Fifth(0), count).unwrap_err();
        assert_eq!(e.to_string(), format!("{name}: product 5 is not finite"));
    }
}

#[test]
fn settings_that_mean_nothing_are_errors() {
    let a = dense(3);
    for (name, run, least) in RUNS {
        run(&mut operator(&a), least).unwrap();
        let e = run(&mut operator(&a), least - 1).unwrap_err();
        assert!(matches!(e, Error::Setting { .. }));
        let text = e.to_string();
        let expected = format!("is {}, but must be at least {least}", least - 1);
        assert!(text.starts_with(name) && text.ends_with(&expected), "{text}");
    }
    let e = Quadrature::new(&mut operator(&a), Probes::Gaussian, 1, 0, 1).unwrap_err();
    assert!(e.to_string().contains("the number of steps is 0"), "{e}");
    let spectrum = Quadrature::new(&mut operator(&a), Probes::Gaussian, 1, 3, 1).unwrap();
    assert_eq!(spectrum.moment(1).unwrap().standard_error, f64::INFINITY);
    let e = spectrum.density(1, None).unwrap_err();
    assert!(e.to_string().contains("the number of points is 1"), "{e}");
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let e = spectrum.density(5, Some(width)).unwrap_err();
        assert!(e.to_string().contains("the width is"), "{e}");
    }
    let e = spectrum.density_at(&[0.0, f64::NAN], 0.1).unwrap_err();
    assert_eq!(e.to_string(), "spectral density: a point is NaN, but must be finite");
}

#[test]
fn estimates_of_hessians_are_the_same_with_blocks_and_without() {
    let x: Vec<f64> = (0..18).map(|i| (i as f64 * 1.9).sin()).collect();
    let case = Case::new(network, &x, points(DType::F64, 0, 9));
    let hessian = || HessianOperator::new(&case.objective, &case.x, &[&case.batch]).unwrap();
    let near = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-10, "{a} {b}");
        }
    };
    for count in [3, 4, 14] {
        let (mut blocks, mut plain) = (hessian(), Plain(hessian()));
        let found = diagonal(&mut blocks, Probes::Gaussian, count, 2).unwrap();
        let expected = diagonal(&mut plain, Probes::Gaussian, count, 2).unwrap();
        near(&found.value, &expected.value);
        near(&found.standard_error, &expected.standard_error);
        let found = hutch_pp(&mut blocks, Probes::Gaussian, count, 2).unwrap();
        let expected = hutch_pp(&mut plain, Probes::Gaussian, count, 2).unwrap();
        near(&[found.value], &[expected.value]);
        let found = xtrace(&mut blocks, count, 2).unwrap();
        let expected = xtrace(&mut plain, count, 2).unwrap();
        near(&[found.value], &[expected.value]);
        let found = Quadrature::new(&mut blocks, Probes::Rademacher, count, 5, 2).unwrap();
        let expected = Quadrature::new(&mut plain, Probes::Rademacher, count, 5, 2).unwrap();
        for (a, b) in found.rules().iter().zip(expected.rules()) {
            near(&a.nodes, &b.nodes);
            near(&a.weights, &b.weights);
        }
        assert_eq!(blocks.num_matvecs(), plain.num_matvecs());
    }
}

#[test]
fn costs_of_sums_are_those_of_all_parts() {
    let a = dense(6);
    let mut sum = operator(&a).plus(operator(&a)).unwrap();
    assert_eq!(trace(&mut sum, Probes::Rademacher, 5, 1).unwrap().num_matvecs, 10);
    assert_eq!(Quadrature::new(&mut sum, Probes::Rademacher, 5, 2, 1).unwrap().num_matvecs(), 20);
    assert_eq!(xtrace(&mut sum, 8, 1).unwrap().num_matvecs, 16);
}
