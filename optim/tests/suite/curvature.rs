//! Lanczos against dense eigenvalues, stochastic estimates against their targets, and the
//! Hessian over several batches.

use crate::common;
use crate::common::{eigenvalues, moments, operator};
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{
    Eigenpair, Estimated, HessianOperator, Lanczos, LinearOperator, MatrixOperator, Probes, Which,
    frobenius_norm, trace,
};
use burlap_optim::penalty::TopEigenvector;
use burlap_optim::{Error, Method, Objective, Sharpness, SharpnessMethod};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

const TIGHT: Lanczos = Lanczos { max_matvecs: 1000, tolerance: 1e-12 };

/// Q diag(λ) Qᵀ with an orthogonal Q from the entries of `mix`.
fn with_spectrum(values: &[f64], mix: &[f64]) -> DMatrix<f64> {
    let n = values.len();
    let q =
        DMatrix::from_fn(n, n, |i, j| mix[(i * n + j) % mix.len()] + f64::from(u8::from(i == j)));
    let q = q.qr().q();
    let a = &q * DMatrix::from_diagonal(&DVector::from_column_slice(values)) * q.transpose();
    0.5 * (&a + a.transpose())
}

/// Eigenvalues are the largest, in order; vectors are orthonormal; residuals are what they say.
fn check(matrix: &DMatrix<f64>, found: &[Eigenpair], count: usize) {
    let scale = matrix.amax();
    let mut expected = eigenvalues(matrix);
    expected.reverse();
    assert_eq!(found.len(), count.min(expected.len()));
    for (i, (pair, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (pair.value - expected).abs() <= 1e-8 * scale,
            "{i}: {pair:?}, {expected}, {matrix}"
        );
        let v = DVector::from_column_slice(&pair.vector);
        let residual = (matrix * &v - pair.value * &v).norm();
        assert!(residual <= FACTOR * pair.residual, "{residual} {pair:?}");
        for (j, other) in found[..=i].iter().enumerate() {
            let product = v.dot(&DVector::from_column_slice(&other.vector));
            let expected = f64::from(u8::from(i == j));
            assert!((product - expected).abs() < 1e-10, "{i} {j}: {product}");
        }
    }
}

/// What a reported residual may be too small by: errors of products are estimated, not known.
const FACTOR: f64 = 3.0;

/// ½xᵀAx in single precision, and its Hessian there: A, rounded.
fn single(matrix: &DMatrix<f64>) -> (Objective, [Array; 1], DMatrix<f64>) {
    let n = matrix.nrows();
    let loss = |x: Var, batch: &[Var]| 0.5 * x.dot(batch[0].matmul(x));
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F32, n, loss);
    let rounded = matrix.map(|x| f64::from(x as f32));
    let batch = [Array::from_f64(DType::F32, [n, n], matrix.as_slice()).unwrap()];
    (objective, batch, rounded)
}

/// Residuals in single precision are at least the true ones, and where all products are spent no
/// larger than what rounding explains.
fn check_single(matrix: &DMatrix<f64>, wanted: Which, lanczos: Lanczos) {
    let (objective, batch, exact) = single(matrix);
    let n = exact.nrows();
    let x = Array::zeros(DType::F32, [n]);
    let mut hessian = HessianOperator::new(&objective, &x, &[&batch]).unwrap();
    for pair in lanczos.eigenpairs(&mut hessian, wanted, None, 3).unwrap() {
        let v = DVector::from_column_slice(&pair.vector);
        let residual = (&exact * &v - pair.value * &v).norm();
        assert!(residual <= FACTOR * pair.residual, "{residual} {pair:?} {exact}");
        let rounding = f64::from(f32::EPSILON) * (n as f64).sqrt() * exact.norm();
        if hessian.num_matvecs() == n {
            assert!(pair.residual <= 10.0 * rounding, "{rounding} {pair:?}");
        }
    }
}

fn find(matrix: &DMatrix<f64>, count: usize, seed: u64) -> Vec<Eigenpair> {
    TIGHT.top(&mut operator(matrix), count, None, seed).unwrap()
}

/// The same matrices every time, and no file of those that failed.
fn config() -> ProptestConfig {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(5);
    ProptestConfig { cases: 300, failure_persistence: None, rng_seed, ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn top_eigenvalues_of_random_matrices_are_the_dense_ones(
        values in prop::collection::vec(-1.0..1.0f64, 1..13),
        mix in prop::collection::vec(-1.0..1.0f64, 30),
        count in 1usize..6,
        scale in prop::sample::select(vec![1.0, 1e8, 1e-8]),
    ) {
        let a = scale * with_spectrum(&values, &mix);
        check(&a, &find(&a, count, 3), count);
    }

    #[test]
    fn repeated_eigenvalues_are_found_as_often_as_they_occur(
        chosen in prop::collection::vec(0usize..4, 1..13),
        mix in prop::collection::vec(-1.0..1.0f64, 30),
        count in 1usize..6,
        scale in prop::sample::select(vec![1.0, 1e8, 1e-8]),
    ) {
        let values: Vec<f64> = chosen.iter().map(|&i| [2.0, -1.0, 0.0, 0.5][i]).collect();
        let a = scale * with_spectrum(&values, &mix);
        check(&a, &find(&a, count, 3), count);
    }

    #[test]
    fn residuals_in_single_precision_are_no_smaller_than_true_ones(
        chosen in prop::collection::vec(0usize..4, 1..25),
        random in prop::collection::vec(-1.0..1.0f64, 25),
        mix in prop::collection::vec(-1.0..1.0f64, 30),
        wanted in prop::sample::select(vec![
            Which::Largest(1), Which::Largest(3), Which::BothEnds(2, 1), Which::Magnitude(30),
        ]),
        // Repeated and zero eigenvalues, where the iteration breaks down, or others.
        breaks in any::<bool>(),
        scale in prop::sample::select(vec![1.0, 1e8, 1e-8]),
        early in any::<bool>(),
    ) {
        let value = |(k, &i): (usize, &usize)| if breaks { [2.0, -1.0, 0.0, 0.5][i] } else { random[k] };
        let values: Vec<f64> = chosen.iter().enumerate().map(value).collect();
        let lanczos = if early { Lanczos::default() } else { TIGHT };
        check_single(&(scale * with_spectrum(&values, &mix)), wanted, lanczos);
    }
}

#[test]
fn residuals_of_special_matrices_in_single_precision() {
    let third = DMatrix::from_element(1, 1, 1.0 / 3.0);
    let u = DVector::from_fn(30, |i, _| (i as f64 * 1.3).sin());
    let cases = [
        third,
        DMatrix::identity(12, 12) / 3.0,
        &u * u.transpose(),
        DMatrix::zeros(4, 4),
        common::dense(30),
    ];
    for a in cases {
        for wanted in [Which::Largest(1), Which::BothEnds(2, 2), Which::Magnitude(30)] {
            check_single(&a, wanted, TIGHT);
        }
    }
}

#[test]
fn residuals_of_a_network_in_single_precision_are_no_smaller_than_true_ones() {
    // Of sums and exponentials, whose rounding the operator does not know of.
    for seed in 0..10 {
        let x: Vec<f32> = (0..18).map(|i| ((i + 40 * seed) as f32 * 1.9).sin()).collect();
        let (dtype, cpu) = (DType::F32, Cpu::with_threads(1).unwrap());
        let batch = common::points(dtype, 0, 9);
        let doubled: Vec<Array> = batch
            .iter()
            .map(|b| if b.dtype() == dtype { b.cast(DType::F64) } else { b.clone() })
            .collect();
        let point: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let exact = common::Case::new(common::network, &point, doubled).hessian;
        let objective = Objective::new(cpu, dtype, 18, common::network);
        let x = Array::vector(x);
        let mut hessian = HessianOperator::new(&objective, &x, &[&batch]).unwrap();
        for pair in TIGHT.eigenpairs(&mut hessian, Which::Magnitude(18), None, 1).unwrap() {
            let v = DVector::from_column_slice(&pair.vector);
            let residual = (&exact * &v - pair.value * &v).norm();
            assert!(residual <= FACTOR * pair.residual, "{residual} {}", pair.residual);
        }
    }
}

#[test]
fn top_eigenvalues_of_special_matrices() {
    let diagonal = |d: &[f64]| DMatrix::from_diagonal(&DVector::from_column_slice(d));
    let u = DVector::from_fn(9, |i, _| (i as f64 - 3.0) / 4.0);
    let cases = [
        ("zero", DMatrix::zeros(5, 5)),
        ("1 × 1", diagonal(&[-3.0])),
        ("identity", DMatrix::identity(12, 12)),
        ("diagonal", diagonal(&[4.0, -2.0, 9.0, 0.0, 1e-3, 7.0, 7.5])),
        ("rank 1", &u * u.transpose()),
        ("negative rank 1", -&u * u.transpose()),
        ("two blocks", diagonal(&[5.0, 5.0, 3.0, 3.0, 1.0, 1.0, 0.0, 0.0])),
        ("negative", diagonal(&[-1.0, -2.0, -3.0, -3.0])),
        ("close", diagonal(&[1.0, 1.0 - 1e-6, 0.5, 0.2, 0.1, -1.0])),
    ];
    for (name, a) in cases {
        for count in 1..=4 {
            for seed in 0..5 {
                println!("{name}, {count} from seed {seed}");
                check(&a, &find(&a, count, seed), count);
            }
        }
    }
}

#[test]
fn very_large_and_very_small_operators_have_their_eigenvalues_too() {
    // Squares of their elements overflow or vanish.
    let values: Vec<f64> = (0..20).map(|i| (i as f64 * 1.7).sin()).collect();
    let a = with_spectrum(&values, &[0.3, -0.8, 0.5, 0.1, -0.4, 0.9, 0.2]);
    let dense = eigenvalues(&a);
    for scale in [1e200, 1e-200] {
        let wanted = Which::BothEnds(2, 2);
        let found = TIGHT.eigenpairs(&mut operator(&(scale * &a)), wanted, None, 1).unwrap();
        let found: Vec<f64> = found.iter().map(|pair| pair.value / scale).collect();
        for (found, expected) in found.iter().zip([dense[19], dense[18], dense[1], dense[0]]) {
            assert!((found - expected).abs() < 1e-10, "{scale}: {found} {expected}");
        }
    }
}

/// Eigenvalues 1/i², i up to 300.
fn decaying() -> DMatrix<f64> {
    let n = 300;
    let values = DVector::from_fn(n, |i, _| ((i + 1) as f64).powi(-2));
    DMatrix::from_diagonal(&values)
}

#[test]
fn the_iteration_stops_when_its_residuals_are_small() {
    let a = decaying();
    let mut counted = operator(&a);
    let lanczos = Lanczos { max_matvecs: 100, tolerance: 1e-6 };
    let found = lanczos.top(&mut counted, 3, None, 1).unwrap();
    assert!(counted.num_matvecs() < 60, "{}", counted.num_matvecs());
    for (i, pair) in found.iter().enumerate() {
        let v = DVector::from_column_slice(&pair.vector);
        let residual = (&a * &v - pair.value * &v).norm();
        assert!((residual - pair.residual).abs() < 1e-12, "{residual} {}", pair.residual);
        assert!(pair.residual <= 1e-6, "{}", pair.residual);
        let exact = ((i + 1) as f64).powi(-2);
        // At gaps of 0.1 the error of an eigenvalue is below the square of its residual over it.
        assert!((pair.value - exact).abs() < 1e-11, "{} {exact}", pair.value);
    }
}

#[test]
fn too_few_products_give_bounds_that_say_so() {
    let a = decaying();
    let lanczos = Lanczos { max_matvecs: 6, tolerance: 1e-12 };
    let mut counted = operator(&a);
    let found = lanczos.top(&mut counted, 2, None, 1).unwrap();
    assert_eq!(counted.num_matvecs(), 6);
    assert!(found[1].residual > 1e-4, "{}", found[1].residual);
    for pair in found {
        let exact = eigenvalues(&a);
        let nearest = exact.iter().fold(f64::INFINITY, |m, l| m.min((l - pair.value).abs()));
        assert!(nearest <= pair.residual, "{nearest} {}", pair.residual);
    }
}

#[test]
fn a_warm_start_saves_products_and_a_wrong_one_does_no_harm() {
    let a = decaying();
    let lanczos = Lanczos { max_matvecs: 100, tolerance: 1e-4 };
    let products = |start: Option<&[f64]>| {
        let mut counted = operator(&a);
        let found = lanczos.top(&mut counted, 1, start, 1).unwrap();
        assert!((found[0].value - 1.0).abs() < 1e-7, "{}", found[0].value);
        counted.num_matvecs()
    };
    let unit = |i: usize| {
        let mut v = vec![0.0; 300];
        v[i] = 2.5;
        v
    };
    let cold = products(None);
    assert!(products(Some(&unit(0))) < cold);
    // Another eigenvector, a vector of zeros, and one of another length.
    for start in [unit(299), vec![0.0; 300], vec![1.0; 7]] {
        products(Some(&start));
    }
}

#[test]
fn the_top_eigenvector_measure_begins_where_it_ended() {
    // Two products at a time from a random start see little of 300 eigenvalues; over and over
    // from the vector found before, they find the largest, up to what the noise in the start of
    // an iteration costs: 1 % of the vector, squared, times the spread of the spectrum.
    let loss = |x: Var, batch: &[Var]| 0.5 * (batch[0] * x * x).sum();
    let diagonal: Vec<f64> = (0..300).map(|i| ((i + 1) as f64).powi(-2)).collect();
    let case = common::Case::new(loss, &[1.0; 300], vec![Array::vector(diagonal)]);
    let lanczos = Lanczos { max_matvecs: 2, tolerance: 1e-6 };
    let measure = TopEigenvector::new(lanczos);
    let sharpness = Sharpness::custom("top", |t| vec![2.0 * t], |a| a[0], measure);
    let sharpness = sharpness.with_estimator(burlap_optim::Estimator::Exact);
    let mut method = SharpnessMethod::new(sharpness, 1.0, 1, 1).unwrap();
    let mut at = |step| {
        let found = method.evaluate(&case.objective, &case.x, &case.batch, step).unwrap();
        found.sharpness.unwrap()
    };
    let first = at(0);
    let last = (1..40).map(&mut at).last().unwrap();
    assert!(first < 0.7, "{first}");
    assert!((last - 1.0).abs() < 1e-3, "{last}");
}

#[test]
fn lanczos_refuses_what_has_no_meaning() {
    let a = DMatrix::identity(3, 3);
    for tolerance in [0.0, -1.0, f64::NAN] {
        let e = Lanczos { tolerance, ..TIGHT }.largest(&mut operator(&a), 1).unwrap_err();
        let expected =
            format!("lanczos: tolerance is {tolerance}, but must be positive and finite");
        assert_eq!(e.to_string(), expected);
    }
    assert!(TIGHT.top(&mut operator(&a), 0, None, 1).unwrap().is_empty());
    let none = TIGHT.largest(&mut operator(&DMatrix::zeros(0, 0)), 1).unwrap_err();
    assert_eq!(none.to_string(), "lanczos: the operator has no rows");
    let nan = TIGHT.largest(&mut operator(&DMatrix::from_element(2, 2, f64::NAN)), 1).unwrap_err();
    assert_eq!(nan.to_string(), "lanczos: product 1 is not finite");
    let oblong = MatrixOperator::new(&Array::zeros(DType::F64, [2, 3])).unwrap_err();
    assert!(oblong.to_string().contains("a square matrix, found [2, 3]"), "{oblong}");
}

type Estimator = fn(&mut dyn LinearOperator, Probes, usize, u64) -> burlap_optim::Result<Estimated>;

#[test]
fn stochastic_estimates_meet_their_targets_with_honest_errors() {
    let values: Vec<f64> = (0..12).map(|i| (i as f64 * 1.7).sin() * 3.0 + 1.0).collect();
    let mix: Vec<f64> = (0..30).map(|i| (i as f64 * 2.3).cos()).collect();
    let a = with_spectrum(&values, &mix);
    let diagonal: f64 = a.diagonal().norm_squared();
    let off = 2.0 * (a.norm_squared() - diagonal);
    let both = 2.0 * a.norm_squared();
    // The variance of one probe, where there is a formula.
    let cases: [(Estimator, Probes, f64, Option<f64>); 4] = [
        (trace, Probes::Rademacher, a.trace(), Some(off)),
        (trace, Probes::Gaussian, a.trace(), Some(both)),
        (frobenius_norm, Probes::Rademacher, a.norm(), None),
        (frobenius_norm, Probes::Gaussian, a.norm(), None),
    ];
    let (count, seeds) = (400, 60);
    for (estimator, probes, target, variance) in cases {
        let run = |seed| estimator(&mut operator(&a), probes, count, seed).unwrap();
        let all: Vec<Estimated> = (0..seeds).map(run).collect();
        let (mean, spread) = moments(&all.iter().map(|e| e.value).collect::<Vec<f64>>());
        let reported = all.iter().map(|e| e.standard_error).sum::<f64>() / seeds as f64;
        // The spread of 60 estimates is known to 1/√118 = 9 %: 1.4 is 4 of them.
        assert!((1.0 / 1.4..1.4).contains(&(spread / reported)), "{probes:?} {spread} {reported}");
        let distance = (mean - target).abs();
        // The root of an unbiased square is biased by about its variance over twice the value.
        let bias = spread * spread / (2.0 * target);
        assert!(
            distance < 3.0 * spread / (seeds as f64).sqrt() + bias,
            "{probes:?} {mean} {target}"
        );
        if let Some(variance) = variance {
            let expected = (variance / count as f64).sqrt();
            // A mean of 60 errors, each of 400 samples: known to 1 %.
            assert!((reported / expected - 1.0).abs() < 0.05, "{probes:?} {reported} {expected}");
        }
    }
}

#[test]
fn signs_give_the_trace_of_a_diagonal_matrix_without_error() {
    let a = DMatrix::from_diagonal(&DVector::from_column_slice(&[1.0, -2.0, 4.5]));
    let found = trace(&mut operator(&a), Probes::default(), 5, 1).unwrap();
    assert_eq!(found, Estimated { value: 3.5, standard_error: 0.0, num_matvecs: 5 });
    let one = trace(&mut operator(&a), Probes::Gaussian, 1, 1).unwrap();
    assert_eq!(one.standard_error, f64::INFINITY);
}

#[test]
fn no_probes_are_an_error() {
    let estimators: [(&str, Estimator); 2] = [("trace", trace), ("frobenius norm", frobenius_norm)];
    for (name, estimator) in estimators {
        let e = estimator(&mut operator(&DMatrix::identity(2, 2)), Probes::Gaussian, 0, 1);
        let e = e.unwrap_err();
        assert!(matches!(e, Error::Setting { .. }));
        let expected = format!("{name}: the number of probes is 0, but must be at least 1");
        assert_eq!(e.to_string(), expected);
    }
}

/// The mean over rows of log(1 + e^(−yᵢ aᵢᵀx)).
fn logistic(x: Var, batch: &[Var]) -> Var {
    (1.0 + (-(batch[1] * batch[0].matmul(x))).exp()).log().mean()
}

fn rows(from: usize, to: usize) -> Vec<Array> {
    let n = to - from;
    let a = (from * 4..to * 4).map(|i| (i as f64 * 0.77).sin() * 2.0).collect();
    let y = (from..to).map(|i| if i % 3 == 0 { 1.0 } else { -1.0 }).collect();
    vec![Array::from_vec::<f64>([n, 4], a).unwrap(), Array::from_vec::<f64>([n], y).unwrap()]
}

#[test]
fn batches_of_unequal_size_make_the_hessian_of_the_mean_loss() {
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 4, logistic);
    let x = Array::vector([0.3, -0.5, 0.1, 0.8]);
    let (whole, first, second, third) = (rows(0, 23), rows(0, 16), rows(16, 22), rows(22, 23));
    let parts: [&[Array]; 3] = [&first, &second, &third];
    let mut joined = HessianOperator::new(&objective, &x, &parts).unwrap();
    let mut image = vec![f64::NAN; 4];
    for i in 0..4 {
        let mut v = vec![0.0; 4];
        v[i] = -1.5;
        joined.apply(&v, &mut image).unwrap();
        let expected = objective.hvp(&x, &whole, &Array::vector(v)).unwrap().to_f64_vec();
        assert!(common::relative(&image, &expected) < 1e-13, "{image:?} {expected:?}");
    }
    assert_eq!((joined.num_matvecs(), joined.dim()), (4, 4));
    // And a list of equal batches is not the same as one with them weighed equally.
    let mut two = HessianOperator::new(&objective, &x, &[&first, &third]).unwrap();
    two.apply(&[1.0, 0.0, 0.0, 0.0], &mut image).unwrap();
    let of = |b: &[Array]| {
        objective.hvp(&x, b, &Array::vector([1.0, 0.0, 0.0, 0.0])).unwrap().to_f64_vec()
    };
    let expected: Vec<f64> =
        of(&first).iter().zip(of(&third)).map(|(a, b)| (16.0 * a + b) / 17.0).collect();
    assert!(common::relative(&image, &expected) < 1e-13, "{image:?} {expected:?}");
}

#[test]
fn a_hessian_refuses_vectors_and_losses_that_do_not_fit() {
    let objective = Objective::new(Cpu::new(), DType::F64, 4, logistic);
    let batch = rows(0, 5);
    let short = HessianOperator::new(&objective, &Array::vector([1.0; 3]), &[&batch]).unwrap_err();
    assert_eq!(short.to_string(), "hessian, parameters: expected f64[4], found f64[3]");
    let nan = Array::vector([f64::NAN; 4]);
    let e = HessianOperator::new(&objective, &nan, &[&batch]).unwrap_err();
    assert!(matches!(e, Error::NonFiniteLoss { .. }), "{e}");
}
