//! Eigenpairs and stochastic estimates on 240 random symmetric operators, against dense
//! eigenvalues.

use crate::common::{Case, network, operator, points};
use burlap_autodiff::{Array, DType};
use burlap_optim::curvature::{
    Eigenpair, Estimated, HessianOperator, Lanczos, LinearOperator, MatrixOperator, Probes,
    Quadrature, Which, diagonal, frobenius_norm, hutch_pp, trace, xtrace,
};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A symmetric operator, its dense matrix and its eigenvalues, ascending.
struct Instance {
    name: String,
    source: Source,
    matrix: DMatrix<f64>,
    values: Vec<f64>,
}

enum Source {
    Matrix(MatrixOperator),
    Network(Box<Case>),
}

const KINDS: [&str; 9] = [
    "indefinite",
    "positive",
    "clustered",
    "low rank",
    "decaying",
    "identity",
    "repeated",
    "zero",
    "one outlier",
];

fn spectrum(kind: &str, n: usize, random: &[f64]) -> Vec<f64> {
    let r = |i: usize| random[i % random.len()];
    let value = |i: usize| match kind {
        "indefinite" => r(i),
        "positive" => 0.1 + 2.0 * r(i).abs(),
        "clustered" => [1.0, -0.5, 0.3][i % 3] + 1e-6 * r(i),
        "low rank" if i < 4 => r(i),
        "decaying" => 0.7f64.powi(i as i32),
        "identity" => 2.5,
        "repeated" => [2.0, -1.0, 0.0, 0.5][(r(i) * 1e6) as usize % 4],
        "one outlier" => {
            if i == 0 {
                50.0
            } else {
                r(i)
            }
        }
        _ => 0.0,
    };
    (0..n).map(value).collect()
}

/// Q diag(λ) Qᵀ with Q a product of three reflections.
fn with_spectrum(values: &[f64], random: &[f64]) -> DMatrix<f64> {
    let n = values.len();
    let mut a = DMatrix::from_diagonal(&DVector::from_column_slice(values));
    for round in 0..3 {
        let u = DVector::from_fn(n, |i, _| random[(7 * i + 13 * round) % random.len()] + 0.01);
        let u = &u / u.norm();
        let au = &a * &u;
        let form = u.dot(&au);
        let left = &au - form * &u;
        a = &a - 2.0 * (&left * u.transpose() + &u * left.transpose());
    }
    0.5 * (&a + a.transpose())
}

fn new(name: String, source: Source, matrix: DMatrix<f64>) -> Instance {
    let mut values = SymmetricEigen::new(matrix.clone()).eigenvalues.as_slice().to_vec();
    values.sort_by(f64::total_cmp);
    Instance { name, source, matrix, values }
}

/// The same every time: 200 matrices of up to 200 rows and 40 Hessians of networks.
fn instances() -> Vec<Instance> {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(2024);
    let mut runner = TestRunner::new(ProptestConfig { rng_seed, ..Default::default() });
    let parts = (
        prop_oneof![20 => 1usize..30, 24 => 30usize..80, 3 => 150usize..=200],
        prop::collection::vec(-1.0..1.0f64, 211),
        prop::sample::select(vec![1.0, 1e6, 1e-6]),
    );
    let mut all = Vec::new();
    for i in 0..200 {
        let (n, random, scale) = parts.new_tree(&mut runner).unwrap().current();
        let kind = KINDS[i % KINDS.len()];
        let matrix = scale * with_spectrum(&spectrum(kind, n, &random), &random);
        let array = Array::from_vec([n, n], matrix.as_slice().to_vec()).unwrap();
        let source = Source::Matrix(MatrixOperator::new(&array).unwrap());
        all.push(new(format!("{i}: {kind}, {n} rows, scale {scale:e}"), source, matrix));
    }
    let parts = (prop::collection::vec(-1.5..1.5f64, 18), 0usize..100, 1usize..20);
    for i in 0..40 {
        let (x, from, count) = parts.new_tree(&mut runner).unwrap().current();
        let case = Case::new(network, &x, points(DType::F64, from, from + count));
        let matrix = case.hessian.clone();
        all.push(new(format!("{i}: network"), Source::Network(Box::new(case)), matrix));
    }
    all
}

impl Instance {
    /// Calls `f` with the operator.
    fn with<R>(&self, f: impl FnOnce(&mut dyn LinearOperator) -> R) -> R {
        match &self.source {
            Source::Matrix(a) => f(&mut a.clone()),
            Source::Network(case) => {
                f(&mut HessianOperator::new(&case.objective, &case.x, &[&case.batch]).unwrap())
            }
        }
    }

    fn norm(&self) -> f64 {
        self.values.iter().fold(0.0, |m, x| m.max(x.abs()))
    }
}

fn check(instance: &Instance, wanted: Which, expected: &[f64]) {
    let Instance { name, matrix, .. } = instance;
    let scale = instance.norm();
    let tight = Lanczos { max_matvecs: 1000, tolerance: 1e-12 };
    let found: Vec<Eigenpair> = instance.with(|a| tight.eigenpairs(a, wanted, None, 3)).unwrap();
    assert_eq!(found.len(), expected.len(), "{name}, {wanted:?}");
    for (i, (pair, expected)) in found.iter().zip(expected).enumerate() {
        let far = (pair.value - expected).abs();
        assert!(far <= 1e-8 * scale, "{name}, {wanted:?}, {i}: {} {expected}", pair.value);
        let v = DVector::from_column_slice(&pair.vector);
        // The residual of 1e-12, and rounding of 1e-16 for each of up to 200 terms.
        let residual = (matrix * &v - pair.value * &v).norm();
        assert!(residual <= 1e-11 * scale, "{name}, {wanted:?}, {i}: {residual}");
        for (j, other) in found[..=i].iter().enumerate() {
            let product = v.dot(&DVector::from_column_slice(&other.vector));
            assert!((product - f64::from(u8::from(i == j))).abs() < 1e-10, "{name}: {i} {j}");
        }
    }
}

#[test]
fn eigenpairs_at_both_ends_are_the_dense_ones() {
    for instance in instances() {
        let (ascending, n) = (&instance.values, instance.values.len());
        let descending: Vec<f64> = ascending.iter().rev().copied().collect();
        check(&instance, Which::Largest(4), &descending[..n.min(4)]);
        check(&instance, Which::Smallest(3), &ascending[..n.min(3)]);
        let ends = if n <= 5 {
            descending.clone()
        } else {
            [&descending[..3], &descending[n - 2..]].concat()
        };
        check(&instance, Which::BothEnds(3, 2), &ends);
        let by_size = |values: &mut Vec<f64>| {
            values.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
            values.truncate(3);
        };
        let mut magnitude = descending;
        by_size(&mut magnitude);
        // λ and −λ are found in either order.
        let scale = instance.norm();
        if magnitude.windows(2).all(|p| p[0].abs() - p[1].abs() > 1e-7 * scale) {
            check(&instance, Which::Magnitude(3), &magnitude);
        }
    }
}

/// The distances of estimates from what they estimate, in standard errors.
struct Distances {
    all: Vec<f64>,
    exact: usize,
    /// What none may exceed: 5 by the normal law, and with as small a chance 7.3 and 10.2 by
    /// Student's law of 20 and 12 probes.
    limit: f64,
}

impl Distances {
    fn new(limit: f64) -> Distances {
        Distances { all: Vec::new(), exact: 0, limit }
    }

    /// `rounding` is the error that an estimate has beside the one over its probes.
    fn push(&mut self, found: &Estimated, target: f64, rounding: f64, what: &str) {
        let far = (found.value - target).abs();
        if found.standard_error <= 10.0 * rounding {
            assert!(far <= 40.0 * rounding, "{what}: {found:?}, {target}, {rounding}");
            self.exact += 1;
            return;
        }
        let distance = (far - rounding).max(0.0) / found.standard_error;
        assert!(distance < self.limit, "{what}: {found:?}, {target}");
        self.all.push(distance);
    }

    /// How many lie beyond 1, 2 and 3.
    fn counts(&self, what: &str) -> [f64; 3] {
        let beyond = |limit: f64| self.all.iter().filter(|&&d| d > limit).count() as f64;
        let counts = [1.0, 2.0, 3.0].map(beyond);
        println!("{what}: beyond 1, 2, 3 of {}: {counts:?}; exact: {}", self.all.len(), self.exact);
        assert!(self.all.len() >= 100, "{what}");
        counts
    }

    /// A part p of all, with four standard deviations of the number of those among so many.
    fn allowed(&self, p: f64) -> f64 {
        let n = self.all.len() as f64;
        n * p + 4.0 * (n * p * (1.0 - p)).sqrt()
    }

    /// What the normal law allows: 4.6 % beyond 2 standard errors and 0.27 % beyond 3, and 31.7 %
    /// beyond 1, which errors that are too large would not reach either. `tail` is the factor by
    /// which few probes make the 0.27 % larger, after Student's law.
    fn check(&self, what: &str, tail: f64) {
        let (counts, n) = (self.counts(what), self.all.len() as f64);
        assert!(counts[1] <= self.allowed(0.0455), "{what}: {counts:?}");
        assert!(counts[2] <= self.allowed(0.0027 * tail), "{what}: {counts:?}");
        let expected = 0.317 * n;
        assert!((counts[0] - expected).abs() <= self.allowed(0.317) - expected, "{what}");
    }
}

#[test]
fn estimates_lie_within_three_standard_errors_as_often_as_the_normal_law_says() {
    const COUNT: usize = 150;
    let names = [
        "trace, signs",
        "trace, normal",
        "norm, signs",
        "norm, normal",
        "Hutch++, signs",
        "Hutch++, normal",
        "log-determinant",
        "diagonal, signs",
        "diagonal, normal",
        "moments",
    ];
    let mut kinds = names.map(|name| {
        let few = name.starts_with("Hutch");
        (name, Distances::new(if few { 7.3 } else { 5.0 }))
    });
    for (i, instance) in instances().iter().enumerate() {
        let Instance { name, matrix, values, .. } = instance;
        let (n, scale) = (values.len(), instance.norm());
        let rounding = 1e-15 * scale * n as f64;
        // Every estimate has draws of its own.
        let seed = |kind: usize| (100 * i + kind) as u64;
        let probes = [Probes::Rademacher, Probes::Gaussian];
        for k in 0..2 {
            let found = instance.with(|a| trace(a, probes[k], COUNT, seed(k))).unwrap();
            assert_eq!(found.num_matvecs, COUNT);
            kinds[k].1.push(&found, matrix.trace(), rounding, name);
            let found =
                instance.with(|a| frobenius_norm(a, probes[k], COUNT, seed(2 + k))).unwrap();
            // The root of an unbiased square is biased by its variance over twice the value.
            let bias = found.standard_error.powi(2) / (2.0 * matrix.norm().max(1e-300));
            kinds[2 + k].1.push(&found, matrix.norm(), rounding + bias, name);
            // 20 products each for a basis of low rank, the trace on it, and what is left.
            let found = instance.with(|a| hutch_pp(a, probes[k], 60, seed(4 + k))).unwrap();
            assert!(found.num_matvecs <= 60, "{name}: {found:?}");
            kinds[4 + k].1.push(&found, matrix.trace(), rounding, name);
            let found = instance.with(|a| diagonal(a, probes[k], COUNT, seed(6 + k))).unwrap();
            for j in [0, n / 2, n - 1] {
                let (value, standard_error) = (found.value[j], found.standard_error[j]);
                let found = Estimated { value, standard_error, num_matvecs: COUNT };
                kinds[7 + k].1.push(&found, matrix[(j, j)], rounding, name);
            }
        }
        // Positive definite, of condition at most 22.
        let shift = 0.1 * scale - values[0];
        let shift = if scale == 0.0 { 1.0 } else { shift };
        let spectrum = instance.with(|a| {
            let mut a = a.shifted(shift).unwrap();
            Quadrature::new(&mut a, Probes::Rademacher, COUNT / 2, 40, seed(8))
        });
        let spectrum = spectrum.unwrap();
        let target: f64 = values.iter().map(|x| (x + shift).ln()).sum();
        // Gauss quadrature of 40 nodes errs by ((√22 − 1)/(√22 + 1))^80 = 6e-16 of log 22; beyond
        // that it is the rounding of log det, at the least eigenvalue.
        let error = 3e-14 * n as f64 * target.abs().max(1.0);
        kinds[6].1.push(&spectrum.log_det().unwrap(), target, error, name);
        let spectrum =
            instance.with(|a| Quadrature::new(a, Probes::Gaussian, COUNT, 4, seed(9))).unwrap();
        assert!(spectrum.num_matvecs() <= COUNT * 4);
        for power in 1..=4 {
            let target = values.iter().map(|x| x.powi(power)).sum::<f64>() / n as f64;
            let rounding = rounding * scale.powi(power - 1);
            kinds[9].1.push(&spectrum.moment(power as u32).unwrap(), target, rounding, name);
        }
    }
    for (what, distances) in &kinds {
        // Student's law of 20 probes has 2.8 times as much beyond 3 as the normal law, that of 150
        // probes 1.2 times, and 1.3 that of 75.
        distances.check(what, if what.starts_with("Hutch") { 2.8 } else { 1.3 });
    }
}

#[test]
fn exchangeable_estimates_lie_within_their_standard_errors() {
    let mut distances = Distances::new(10.2);
    for (i, instance) in instances().iter().enumerate() {
        let Instance { name, matrix, values, .. } = instance;
        let (n, scale) = (values.len(), instance.norm());
        let rounding = 1e-14 * scale * n as f64;
        for (round, products) in [(0, 24), (1, 40), (2, 60)] {
            let seed = (10 * i + round) as u64;
            let found = instance.with(|a| xtrace(a, products, seed)).unwrap();
            assert!(found.num_matvecs <= products.min(2 * n), "{name}: {found:?}");
            distances.push(&found, matrix.trace(), rounding, name);
        }
    }
    // Student's law of 12 vectors has 4.5 times as much beyond 3.
    distances.check("XTrace", 4.5);
}

#[test]
fn errors_of_exchangeable_estimates_are_as_large_as_they_say() {
    const SEEDS: u64 = 200;
    let n = 100;
    type Spectrum = (&'static str, fn(f64) -> f64);
    let spectra: [Spectrum; 8] = [
        ("flat", |i| 0.5 + i / 100.0),
        ("flat, of both signs", |i| i / 50.0 - 0.7),
        ("geometric", |i| 0.8f64.powf(i)),
        ("fast geometric", |i| 0.5f64.powf(i)),
        ("harmonic", |i| 1.0 / (i + 1.0)),
        ("one dominant", |i| if i == 0.0 { 1000.0 } else { 0.5 + i / 100.0 }),
        ("low rank", |i| if i < 30.0 { 1.0 + i / 30.0 } else { 0.0 }),
        ("low rank and more", |i| if i < 10.0 { 1.0 + i / 10.0 } else { 1e-3 * i / 100.0 }),
    ];
    for (name, f) in spectra {
        let values = DVector::from_fn(n, |i, _| f(i as f64));
        let a = DMatrix::from_diagonal(&values);
        let square = |seed: u64| {
            let found = xtrace(&mut operator(&a), 40, seed).unwrap();
            ((found.value - values.sum()) / found.standard_error).powi(2)
        };
        let rms = ((0..SEEDS).map(square).sum::<f64>() / SEEDS as f64).sqrt();
        println!("{name}: {rms:.2}");
        // The rms of z over 200 seeds is known to 1/√400 = 5 % for a normal law; Student's law of 20
        // vectors has 1.06. Decaying spectra, of which few vectors see most, have up to 1.2.
        assert!((0.8..1.25).contains(&rms), "{name}: {rms}");
    }
}
