//! Kinds of curvature against dense matrices that are computed otherwise, and the algebra of operators
//! against that of matrices.

use crate::common::{eigenvalues, operator, points, relative};
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{
    Curvature, CurvatureOperator, EmpiricalFisherOperator, GgnOperator, HessianOperator, Lanczos,
    LinearOperator,
};
use burlap_optim::{Error, Objective, Result};
use nalgebra::DMatrix;
use proptest::prelude::*;
use std::ops::Range;

const DIM: usize = 18;

/// The logits of a network of two inputs, 3 tanh units and 4 classes.
fn logits(x: Var, batch: &[Var]) -> Var {
    let hidden = batch[0].matmul(x.slice_axis(0, 0, 6).reshape([2, 3])).tanh();
    hidden.matmul(x.slice_axis(0, 6, 18).reshape([3, 4]))
}

/// The same, whose hidden layer is recomputed.
fn checkpointed(x: Var, batch: &[Var]) -> Var {
    let input = batch[0];
    let hidden = x.checkpoint(|x| input.matmul(x.slice_axis(0, 0, 6).reshape([2, 3])).tanh());
    hidden.matmul(x.slice_axis(0, 6, 18).reshape([3, 4]))
}

/// Four outputs of 2 · 18 features of the inputs: linear in the parameters.
fn linear(x: Var, batch: &[Var]) -> Var {
    let features = batch[0].square() * batch[0].sin();
    let first = features.matmul(x.slice_axis(0, 0, 8).reshape([2, 4]));
    first + batch[0].matmul(x.slice_axis(0, 10, 18).reshape([2, 4]))
}

/// One number an example.
fn single(x: Var, batch: &[Var]) -> Var {
    logits(x, batch).square().sum_axes(&[1])
}

/// One number altogether.
fn scalar(x: Var, batch: &[Var]) -> Var {
    single(x, batch).mean()
}

/// The weighted cross-entropy: convex in the logits.
fn cross_entropy(logits: Var, batch: &[Var]) -> Var {
    let chosen = logits.take_along(1, batch[1].expand_dims(1)).reshape(batch[1].shape());
    ((logits.logsumexp(&[1]) - chosen) * batch[2]).mean()
}

fn square(outputs: Var, _: &[Var]) -> Var {
    (outputs - 0.5).square().mean()
}

/// Neither convex nor separable.
fn waves(outputs: Var, _: &[Var]) -> Var {
    outputs.sin().sum() * outputs.square().mean()
}

type Formula = fn(Var, &[Var]) -> Var;

const PAIRS: [(&str, Formula, Formula); 8] = [
    ("network, cross-entropy", logits, cross_entropy),
    ("network, square", logits, square),
    ("network, waves", logits, waves),
    ("recomputed, cross-entropy", checkpointed, cross_entropy),
    ("linear, cross-entropy", linear, cross_entropy),
    ("one output, square", single, square),
    ("scalar, waves", scalar, waves),
    ("identity, waves", |x, _| x, waves),
];

fn composed(dtype: DType, model: Formula, loss: Formula) -> Objective {
    Objective::model_and_loss(Cpu::with_threads(1).unwrap(), dtype, DIM, model, loss)
}

fn whole(dtype: DType, model: Formula, loss: Formula) -> Objective {
    let all = move |x: Var, batch: &[Var]| loss(model(x, batch), batch);
    Objective::new(Cpu::with_threads(1).unwrap(), dtype, DIM, all)
}

fn parameters(dtype: DType, shift: f64) -> Array {
    let x: Vec<f64> = (0..DIM).map(|i| 0.7 * (i as f64 * 1.9 + shift).sin()).collect();
    Array::from_f64(dtype, [DIM], &x).unwrap()
}

/// All elements, by products with the rows of the identity in one call.
fn dense(a: &mut dyn LinearOperator) -> DMatrix<f64> {
    let n = a.dim();
    let mut out = vec![f64::NAN; n * n];
    a.matmat(DMatrix::<f64>::identity(n, n).as_slice(), &mut out).unwrap();
    DMatrix::from_vec(n, n, out)
}

/// JᵀHJ of dense J and H from the tape.
fn dense_ggn(objective: &Objective, x: &Array, batch: &[Array]) -> DMatrix<f64> {
    let program = objective.program("dense parts", batch, |r| {
        let (outputs, loss) = r.output_and_loss(r.x).unwrap();
        vec![outputs.jacobian(r.x), loss.hessian(outputs)]
    });
    let inputs: Vec<&Array> = std::iter::once(x).chain(batch).collect();
    let found = program.unwrap().run(&inputs).unwrap();
    let j = DMatrix::from_row_slice(found[0].len() / DIM, DIM, &found[0].to_f64_vec());
    let h = DMatrix::from_row_slice(j.nrows(), j.nrows(), &found[1].to_f64_vec());
    j.transpose() * h * j
}

fn near(a: &DMatrix<f64>, b: &DMatrix<f64>, tolerance: f64, what: &str) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    assert!((a - b).norm() <= tolerance * b.norm(), "{what}: {a} {b}");
}

fn config(cases: u32) -> ProptestConfig {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(11);
    ProptestConfig { cases, failure_persistence: None, rng_seed, ..Default::default() }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn the_generalised_gauss_newton_matrix_is_the_dense_product(
        pair in prop::sample::select(PAIRS.to_vec()),
        from in 0usize..50,
        count in 1usize..9,
        shift in 0.0..6.0f64,
    ) {
        let (name, model, loss) = pair;
        let objective = composed(DType::F64, model, loss);
        let (x, batch) = (parameters(DType::F64, shift), points(DType::F64, from, from + count));
        let mut ggn = GgnOperator::new(&objective, &x, &[&batch]).unwrap();
        near(&dense(&mut ggn), &dense_ggn(&objective, &x, &batch), 1e-10, name);
        prop_assert_eq!(ggn.num_matvecs(), DIM);
    }

    #[test]
    fn the_empirical_fisher_matrix_is_the_mean_of_squared_gradients(
        pair in prop::sample::select(PAIRS[..6].to_vec()),
        from in 0usize..50,
        count in 1usize..9,
        shift in 0.0..6.0f64,
    ) {
        let (name, model, loss) = pair;
        let objective = whole(DType::F64, model, loss);
        let (x, batch) = (parameters(DType::F64, shift), points(DType::F64, from, from + count));
        let mut expected = DMatrix::zeros(DIM, DIM);
        for i in from..from + count {
            let (_, g) = objective.value_grad(&x, &points(DType::F64, i, i + 1)).unwrap();
            let g = DMatrix::from_vec(DIM, 1, g.to_f64_vec());
            expected += &g * g.transpose() / count as f64;
        }
        let mut fisher = EmpiricalFisherOperator::new(&objective, &x, &[&batch]).unwrap();
        near(&dense(&mut fisher), &expected, 1e-10, name);
    }

    #[test]
    fn the_algebra_of_operators_is_that_of_matrices(
        entries in prop::collection::vec(-1.0..1.0f64, 200),
        n in 1usize..12,
        cuts in prop::collection::vec(0usize..12, 4),
        (factor, shift) in (-3.0..3.0f64, -3.0..3.0f64),
        count in 0usize..7,
    ) {
        let symmetric = |skip: usize| {
            DMatrix::from_fn(n, n, |i, j| entries[(i.min(j) * n + i.max(j) + skip) % 200])
        };
        let (a, b) = (symmetric(0), symmetric(77));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c % (n + 1)).collect();
        cuts.sort_unstable();
        // The later range first.
        let ranges = [cuts[2]..cuts[3], cuts[0]..cuts[1]];
        let rows: Vec<usize> = ranges.iter().flat_map(Clone::clone).collect();
        let whole = factor * &a + &b + shift * DMatrix::identity(n, n);
        let expected = whole.select_rows(&rows).select_columns(&rows);
        let (mut first, mut second) = (operator(&a), operator(&b));
        let sum = (&mut first).scaled(factor).unwrap().plus(&mut second).unwrap();
        let mut composed = sum.shifted(shift).unwrap().restricted_to(ranges).unwrap();
        let m = rows.len();
        prop_assert_eq!(composed.dim(), m);
        let vectors = DMatrix::from_fn(m, count, |i, j| entries[(i + 31 * j) % 200]);
        let product = expected * &vectors;
        let mut out = vec![f64::NAN; m * count];
        composed.matmat(vectors.as_slice(), &mut out).unwrap();
        let far = |out: &[f64]| {
            out.iter().zip(product.as_slice()).any(|(a, b)| (a - b).abs() > 1e-13 * n as f64)
        };
        prop_assert!(!far(&out), "{:?} {}", out, product);
        out.fill(f64::NAN);
        for i in 0..count {
            let part = i * m..(i + 1) * m;
            composed.apply(&vectors.as_slice()[part.clone()], &mut out[part]).unwrap();
        }
        prop_assert!(!far(&out), "{:?} {}", out, product);
        // Each product is one with either; where there are no rows there is none.
        let counted = if m == 0 { 0 } else { 2 * count };
        prop_assert_eq!(composed.num_matvecs(), 2 * counted);
        drop(composed);
        prop_assert_eq!((first.num_matvecs(), second.num_matvecs()), (counted, counted));
    }
}

#[test]
fn a_composed_objective_is_the_composition() {
    for (name, model, loss) in PAIRS {
        let (two, one) = (composed(DType::F64, model, loss), whole(DType::F64, model, loss));
        assert!(two.has_model() && !one.has_model());
        let (x, batch) = (parameters(DType::F64, 0.3), points(DType::F64, 0, 7));
        let v = parameters(DType::F64, 1.0);
        let found = two.value_grad_hvp(&x, &batch, &v).unwrap();
        assert_eq!(found, one.value_grad_hvp(&x, &batch, &v).unwrap(), "{name}");
    }
}

#[test]
fn gauss_newton_is_the_hessian_of_linear_models_and_not_of_others() {
    let (x, batch) = (parameters(DType::F64, 0.3), points(DType::F64, 0, 9));
    for (name, model, loss) in PAIRS {
        let objective = composed(DType::F64, model, loss);
        let ggn = dense(&mut GgnOperator::new(&objective, &x, &[&batch]).unwrap());
        let hessian = dense(&mut HessianOperator::new(&objective, &x, &[&batch]).unwrap());
        if name.starts_with("linear") || name.starts_with("identity") {
            near(&ggn, &hessian, 1e-13, name);
        } else {
            assert!((&ggn - &hessian).norm() > 0.01 * hessian.norm(), "{name}: {ggn} {hessian}");
        }
        let (values, scale) = (eigenvalues(&ggn), ggn.norm());
        // Zero eigenvalues are rounded to 1e-16 of the norm, each of 18 sums.
        assert!(name.ends_with("waves") || values[0] > -1e-14 * scale, "{name}: {}", values[0]);
        if name == "network, waves" {
            assert!(values[0] < -0.01 * scale, "{}", values[0]);
        }
        if name == "network, cross-entropy" {
            assert!(eigenvalues(&hessian)[0] < -0.01 * scale);
        }
    }
}

fn in_batches<C: Curvature + Default>(objective: &Objective, what: &str) {
    let x = parameters(DType::F64, 0.3);
    let whole = points(DType::F64, 0, 23);
    let parts = [(0, 16), (16, 22), (22, 23)].map(|(a, b)| points(DType::F64, a, b));
    let parts: Vec<&[Array]> = parts.iter().map(Vec::as_slice).collect();
    let expected = dense(&mut CurvatureOperator::<C>::new(objective, &x, &[&whole]).unwrap());
    let mut joined = CurvatureOperator::<C>::new(objective, &x, &parts).unwrap();
    near(&dense(&mut joined), &expected, 1e-13, what);
    let v = parameters(DType::F64, 1.0).to_f64_vec();
    let mut out = vec![f64::NAN; DIM];
    joined.apply(&v, &mut out).unwrap();
    let product = expected * DMatrix::from_vec(DIM, 1, v);
    assert!(relative(&out, product.as_slice()) < 1e-13, "{what}");
    assert_eq!(joined.num_matvecs(), DIM + 1);
}

#[test]
fn batches_of_unequal_size_make_the_curvature_of_the_whole() {
    let objective = composed(DType::F64, logits, cross_entropy);
    in_batches::<burlap_optim::curvature::Hessian>(&objective, "hessian");
    in_batches::<burlap_optim::curvature::Ggn>(&objective, "ggn");
    in_batches::<burlap_optim::curvature::EmpiricalFisher>(&objective, "fisher");
}

#[test]
fn curvature_in_single_precision_is_that_in_double_up_to_rounding() {
    fn both<C: Curvature + Default>() -> [DMatrix<f64>; 2] {
        [DType::F32, DType::F64].map(|dtype| {
            let objective = composed(dtype, logits, cross_entropy);
            let (x, batch) = (parameters(dtype, 0.3), points(dtype, 0, 9));
            dense(&mut CurvatureOperator::<C>::new(&objective, &x, &[&batch]).unwrap())
        })
    }
    let all = [
        both::<burlap_optim::curvature::Hessian>(),
        both::<burlap_optim::curvature::Ggn>(),
        both::<burlap_optim::curvature::EmpiricalFisher>(),
    ];
    for [single, double] in all {
        // Some ten roundings of 6e-8 each.
        near(&single, &double, 1e-6, "f32");
        assert!(single != double);
    }
}

#[test]
fn a_model_without_parameters_has_no_gauss_newton_matrix_but_zero() {
    let objective = composed(DType::F64, |_, batch| batch[0], square);
    let (x, batch) = (parameters(DType::F64, 0.3), points(DType::F64, 0, 3));
    let ggn = dense(&mut GgnOperator::new(&objective, &x, &[&batch]).unwrap());
    assert_eq!(ggn, DMatrix::zeros(DIM, DIM));
}

#[test]
fn restricted_curvature_is_the_submatrix_of_the_layers() {
    let objective = composed(DType::F64, logits, cross_entropy);
    let (x, batch) = (parameters(DType::F64, 0.3), points(DType::F64, 0, 9));
    let mut hessian = HessianOperator::new(&objective, &x, &[&batch]).unwrap();
    let full = dense(&mut hessian);
    let layers: [&[Range<usize>]; 6] =
        [&[0..6, 0..0], &[6..12, 12..18], &[12..14, 3..6], &[], &[1..1, 5..6], &[3..4, 2..3, 1..2]];
    for ranges in layers {
        let rows: Vec<usize> = ranges.iter().flat_map(Clone::clone).collect();
        let expected = full.select_rows(&rows).select_columns(&rows);
        let before = hessian.num_matvecs();
        let mut layer = (&mut hessian).restricted_to(ranges.iter().cloned()).unwrap();
        let found = dense(&mut layer);
        assert_eq!(layer.num_matvecs() - before, rows.len());
        near(&found, &expected, 1e-13, "layer");
        if rows.is_empty() {
            continue;
        }
        let tight = Lanczos { max_matvecs: 100, tolerance: 1e-12 };
        let top = tight.largest(&mut layer, 1).unwrap().value;
        let largest = *eigenvalues(&expected).last().unwrap();
        assert!((top - largest).abs() < 1e-10 * full.norm(), "{top} {largest}");
    }
}

#[test]
fn progress_comes_by_blocks_and_counts_all_products() {
    let objective = composed(DType::F64, logits, cross_entropy);
    let (x, batch) = (parameters(DType::F64, 0.3), points(DType::F64, 0, 9));
    let mut hessian = HessianOperator::new(&objective, &x, &[&batch]).unwrap();
    let mut seen = Vec::new();
    let mut observed = (&mut hessian).observed(|done| seen.push(done));
    let found = dense(&mut observed);
    observed.apply(&[1.0; DIM], &mut [0.0; DIM]).unwrap();
    assert_eq!((observed.dim(), observed.block(), observed.num_matvecs()), (DIM, 4, 19));
    assert_eq!(seen, [4, 8, 12, 16, 18, 19]);
    near(&found, &dense(&mut hessian), 1e-15, "observed");
}

#[test]
fn what_has_no_such_curvature_is_an_error() {
    let (x, batch) = (parameters(DType::F64, 0.3), points(DType::F64, 0, 3));
    let one = whole(DType::F64, logits, cross_entropy);
    let e = GgnOperator::new(&one, &x, &[&batch]).unwrap_err();
    let expected = "generalised Gauss-Newton: the objective is a loss alone, but must be a model \
                    and a loss of its output (Objective::model_and_loss)";
    assert_eq!(e.to_string(), expected);
    let plain = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, DIM, |x, _| x.sum());
    let e = EmpiricalFisherOperator::new(&plain, &x, &[&[]]).unwrap_err();
    let expected = "empirical Fisher: the number of the batch's arrays of examples is 0, but must be \
                    from 1 to 4";
    assert_eq!(e.to_string(), expected);
    let e = EmpiricalFisherOperator::new(&one, &x, &[]).unwrap_err();
    let expected = "empirical Fisher: the number of batches is 0, but must be at least 1 (an empty \
                    one, for a loss without data)";
    assert_eq!(e.to_string(), expected);
    let vector = composed(DType::F64, logits, |outputs, _| outputs);
    let e = GgnOperator::new(&vector, &x, &[&batch]).unwrap_err();
    assert!(e.to_string().contains("the loss must be a scalar of type f64"), "{e}");
    let nan = composed(DType::F64, logits, |outputs, _| (outputs.sum() - 1e9).log());
    let e = GgnOperator::new(&nan, &x, &[&batch]).unwrap_err();
    assert!(matches!(e, Error::NonFiniteLoss { .. }), "{e}");
}

#[test]
fn what_cannot_be_composed_is_an_error() {
    let a = operator(&DMatrix::identity(4, 4));
    let text = |e: Error| e.to_string();
    let e = text(a.clone().plus(operator(&DMatrix::identity(3, 3))).unwrap_err());
    assert_eq!(e, "sum: expected operators of 4 rows, found one of 3");
    for bad in [f64::NAN, f64::INFINITY] {
        let e = text(a.clone().scaled(bad).unwrap_err());
        assert_eq!(e, format!("multiple: the factor is {bad}, but must be finite"));
        let e = text(a.clone().shifted(bad).unwrap_err());
        assert_eq!(e, format!("shifted operator: the shift is {bad}, but must be finite"));
    }
    let refused = |ranges: &[Range<usize>]| {
        text(a.clone().restricted_to(ranges.iter().cloned()).unwrap_err())
    };
    let expected = "in ascending order and within the operator's rows";
    let backwards = Range { start: 3, end: 2 };
    assert_eq!(
        text(a.clone().restricted(backwards).unwrap_err()),
        format!("restriction: a range is 3..2 of 4 rows, but must be {expected}")
    );
    assert_eq!(
        refused(&[0..1, 2..5]),
        format!("restriction: a range is 2..5 of 4 rows, but must be {expected}")
    );
    let expected = "restriction: a range is 2..4 beside 1..3, but must be disjoint from others";
    assert_eq!(refused(&[2..4, 0..0, 1..3]), expected);
    let mut part = a.restricted(1..3).unwrap();
    let e = text(part.apply(&[1.0; 4], &mut [0.0; 4]).unwrap_err());
    assert_eq!(e, "product: expected 2 elements and room for 2, found 4 and 4");
    assert_eq!(part.num_matvecs(), 0);
}

/// An operator that fails.
struct Failing;

impl LinearOperator for Failing {
    fn dim(&self) -> usize {
        2
    }

    fn apply(&mut self, _: &[f64], _: &mut [f64]) -> Result<()> {
        Err(Error::Iteration { of: "test", problem: "no product".into() })
    }

    fn num_matvecs(&self) -> usize {
        0
    }
}

#[test]
fn errors_of_operators_reach_those_who_use_them() {
    let boxed: Box<dyn LinearOperator> = Box::new(Failing);
    let mut count = 0;
    let mut all = boxed.scaled(2.0).unwrap().shifted(1.0).unwrap().observed(|_| count += 1);
    let e = Lanczos::default().largest(&mut all, 1).unwrap_err();
    assert_eq!(e.to_string(), "test: no product");
    assert_eq!(count, 0);
}
