//! Products with many vectors at once are those with each of them, in number too, and what
//! makes use of them estimates the same.

use crate::common;
use crate::common::{Plain, network, relative};
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{
    HessianOperator, LinearOperator, MatrixOperator, Probes, frobenius_norm, trace,
};
use burlap_optim::{Error, Objective};

const COUNTS: [usize; 6] = [0, 1, 4, 5, 8, 17];

/// Directions of very different lengths, and one of zeros.
fn directions(dim: usize, count: usize) -> Vec<f64> {
    let element = |i: usize| (i as f64 * 1.37 + 0.2).sin() * [1.0, 1e-3, 30.0, 0.0][i / dim % 4];
    (0..dim * count).map(element).collect()
}

/// Examples without weights.
fn points(dtype: DType, from: usize, to: usize) -> Vec<Array> {
    common::points(dtype, from, to)[..2].to_vec()
}

struct Problem {
    name: &'static str,
    objective: Objective,
    x: Array,
    batches: Vec<Vec<Array>>,
}

fn problem(
    name: &'static str,
    (dtype, dim): (DType, usize),
    loss: impl Fn(Var, &[Var]) -> Var + Send + 'static,
    batches: Vec<Vec<Array>>,
) -> Problem {
    let start: Vec<f64> = (0..dim).map(|i| 0.7 * (i as f64 * 1.9 + 0.3).sin()).collect();
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), dtype, dim, loss);
    Problem { name, objective, x: Array::from_f64(dtype, [dim], &start).unwrap(), batches }
}

fn problems(dtype: DType) -> Vec<Problem> {
    let quartic = |x: Var, _: &[Var]| x.square().sum().square() + x.at(0).exp() * x.at(2).sin();
    let linear = |x: Var, _: &[Var]| 3.0 * x.sum();
    let parts = [(0, 9), (9, 11), (11, 17)].map(|(a, b)| points(dtype, a, b)).to_vec();
    vec![
        problem("quartic", (dtype, 5), quartic, vec![vec![]]),
        problem("network", (dtype, 18), network, vec![points(dtype, 0, 17)]),
        problem("network in batches", (dtype, 18), network, parts),
        problem("linear", (dtype, 3), linear, vec![vec![]]),
        problem("one parameter", (dtype, 1), |x, _| x.sin().sum(), vec![vec![]]),
    ]
}

impl Problem {
    fn hessian(&self) -> HessianOperator<'_> {
        let batches: Vec<&[Array]> = self.batches.iter().map(Vec::as_slice).collect();
        HessianOperator::new(&self.objective, &self.x, &batches).unwrap()
    }
}

/// Products of each row, by `apply` of another operator.
fn one_by_one(a: &mut dyn LinearOperator, vectors: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; vectors.len()];
    for (v, out) in vectors.chunks(a.dim()).zip(out.chunks_mut(a.dim())) {
        a.apply(v, out).unwrap();
    }
    out
}

#[test]
fn many_products_are_those_of_each_vector() {
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
        for p in problems(dtype) {
            let (mut many, mut single) = (p.hessian(), p.hessian());
            let mut counted = 0;
            for count in COUNTS {
                let vectors = directions(many.dim(), count);
                let mut out = vec![f64::NAN; vectors.len()];
                many.matmat(&vectors, &mut out).unwrap();
                counted += count;
                assert_eq!((many.num_matvecs(), single.num_matvecs()), (counted, counted - count));
                let expected = one_by_one(&mut single, &vectors);
                for (i, (a, b)) in out.chunks(p.x.len()).zip(expected.chunks(p.x.len())).enumerate()
                {
                    let (what, scale) = (p.name, b.iter().fold(0f64, |m, x| m.max(x.abs())));
                    let far = a.iter().zip(b).any(|(a, b)| (a - b).abs() > tolerance * scale);
                    assert!(!far, "{what} {dtype}, {i} of {count}: {a:?} {b:?}");
                }
            }
        }
    }
}

#[test]
fn many_products_are_the_dense_ones() {
    let case = common::Case::saddle();
    let mut hessian = HessianOperator::new(&case.objective, &case.x, &[&case.batch]).unwrap();
    let vectors = directions(4, 9);
    let mut out = vec![f64::NAN; 36];
    hessian.matmat(&vectors, &mut out).unwrap();
    let dense = &case.hessian * nalgebra::DMatrix::from_column_slice(4, 9, &vectors);
    assert!(relative(&out, dense.as_slice()) < 1e-13, "{out:?} {dense}");
}

#[test]
fn wrong_lengths_are_an_error_and_no_product() {
    let case = common::Case::saddle();
    let mut hessian = HessianOperator::new(&case.objective, &case.x, &[&case.batch]).unwrap();
    let eye = Array::eye(DType::F64, 4);
    let mut matrix = MatrixOperator::new(&eye).unwrap();
    let operators: [&mut dyn LinearOperator; 2] = [&mut hessian, &mut matrix];
    for a in operators {
        for (vectors, room) in [(7, 7), (8, 4), (4, 8), (0, 4), (33, 33)] {
            let e = a.matmat(&vec![1.0; vectors], &mut vec![0.0; room]).unwrap_err();
            assert!(matches!(e, Error::Vector { .. }), "{e}");
            let expected = "products: expected rows of 4 elements and room for as many, found ";
            assert_eq!(e.to_string(), format!("{expected}{vectors} and {room}"));
        }
        for (vector, room) in [(3, 4), (4, 3), (8, 8)] {
            let e = a.apply(&vec![1.0; vector], &mut vec![0.0; room]).unwrap_err();
            let expected = "product: expected 4 elements and room for 4, found ";
            assert_eq!(e.to_string(), format!("{expected}{vector} and {room}"));
        }
        assert_eq!(a.num_matvecs(), 0);
    }
    let mut none = MatrixOperator::new(&Array::zeros(DType::F64, [0, 0])).unwrap();
    none.matmat(&[], &mut []).unwrap();
    assert!(matches!(none.matmat(&[1.0], &mut [0.0]), Err(Error::Vector { .. })));
}

#[test]
fn estimates_are_the_same_with_blocks_and_without() {
    for p in problems(DType::F64) {
        for probes in [Probes::Rademacher, Probes::Gaussian] {
            for count in [1, 3, 4, 18] {
                for estimator in [trace, frobenius_norm] {
                    let (mut blocks, mut plain) = (p.hessian(), Plain(p.hessian()));
                    assert!(blocks.block() > 1 && plain.block() == 1);
                    let found = estimator(&mut blocks, probes, count, 3).unwrap();
                    let expected = estimator(&mut plain, probes, count, 3).unwrap();
                    assert_eq!((blocks.num_matvecs(), plain.num_matvecs()), (count, count));
                    let near =
                        |a: f64, b: f64| a == b || (a - b).abs() <= 1e-12 * expected.value.abs();
                    assert!(
                        near(found.value, expected.value)
                            && near(found.standard_error, expected.standard_error)
                            && found.num_matvecs == expected.num_matvecs,
                        "{} {probes:?} {count}: {found:?} {expected:?}",
                        p.name
                    );
                }
            }
        }
    }
}

#[test]
fn blocks_have_the_same_bits_on_any_number_of_threads() {
    // Long enough to be shared among threads.
    let loss = |x: Var, batch: &[Var]| {
        let n = x.shape().count();
        let links = x.slice_axis(0, 0, n - 1) * x.slice_axis(0, 1, n);
        ((batch[0] * x).square() + 1.0).log().mean() + links.sin().mean()
    };
    let n = 50_000;
    let x = Array::vector((0..n).map(|i| (i as f64 * 1.3).sin()).collect::<Vec<f64>>());
    let batch = [Array::full(DType::F64, [n], 1.5)];
    let vectors = directions(n, 5);
    let [one, two] = [1, 2].map(|threads| {
        let objective = Objective::new(Cpu::with_threads(threads).unwrap(), DType::F64, n, loss);
        let mut out = vec![0.0; vectors.len()];
        let mut hessian = HessianOperator::new(&objective, &x, &[&batch]).unwrap();
        hessian.matmat(&vectors, &mut out).unwrap();
        out
    });
    assert!(one == two);
}
