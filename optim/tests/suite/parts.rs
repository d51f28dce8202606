//! Batches in parts are whole batches up to rounding, however they are cut: pieces, micro-batches,
//! batches of a curvature, single examples; for means and ratios of sums, with arrays that all
//! examples share, and with parts that count for nothing.

use crate::common::relative;
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{CurvatureOperator, EmpiricalFisher, Ggn, Hessian, LinearOperator};
use burlap_optim::{
    BatchSpec, Estimator, Loss, Method, Objective, Sam, Sharpness, SharpnessMethod,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Tokens of a sequence, and classes.
const TOKENS: usize = 3;
const CLASSES: usize = 4;
const DIM: usize = 18;

/// Logits `[n, TOKENS, CLASSES]` of a network of two inputs and three tanh units a token.
fn model(p: Var, batch: &[Var]) -> Var {
    let n = batch[0].shape()[0];
    let x = batch[0].reshape([n * TOKENS, 2]);
    let hidden = x.matmul(p.slice_axis(0, 0, 6).reshape([2, 3])).tanh();
    let logits = hidden.matmul(p.slice_axis(0, 6, 18).reshape([3, CLASSES]));
    logits.reshape([n, TOKENS, CLASSES])
}

/// The cross-entropy of each token, and its weight by class and mask.
fn terms(logits: Var, batch: &[Var]) -> (Var, Var) {
    let labels = batch[1];
    let chosen = logits.take_along(2, labels.expand_dims(2)).reshape(labels.shape());
    let n = labels.shape()[0];
    let weights = batch[3].gather(0, labels.reshape([n * TOKENS])).reshape(labels.shape());
    (logits.logsumexp(&[2]) - chosen, weights * batch[2])
}

/// Σ w ce / Σ w over all tokens.
fn ratio(logits: Var, batch: &[Var]) -> Loss {
    let (each, weights) = terms(logits, batch);
    Loss::ratio((weights * each).sum(), weights.sum())
}

/// The mean of w ce over all tokens.
fn mean(logits: Var, batch: &[Var]) -> Loss {
    let (each, weights) = terms(logits, batch);
    (weights * each).mean().into()
}

fn spec() -> BatchSpec {
    BatchSpec::new().by_example("inputs").by_example("labels").by_example("mask").shared("weights")
}

fn objective(dtype: DType, loss: Form) -> Objective {
    let cpu = Cpu::with_threads(1).unwrap();
    Objective::model_and_loss(cpu, dtype, DIM, model, loss).with_batch(spec())
}

/// `n` sequences, of which some are masked wholly, but not the first.
fn batch(random: &mut SmallRng, dtype: DType, n: usize) -> Vec<Array> {
    let mut numbers = |count: usize, f: &dyn Fn(f64) -> f64| -> Vec<f64> {
        (0..count).map(|_| f(random.random_range(-1.0..1.0))).collect()
    };
    let inputs = numbers(n * TOKENS * 2, &|u| 2.0 * u);
    let labels: Vec<u32> =
        numbers(n * TOKENS, &|u| 2.0 + 2.0 * u).iter().map(|&u| u as u32).collect();
    let mut mask = numbers(n * TOKENS, &|u| f64::from(u8::from(u > -0.2)));
    let ignored = numbers(n, &|u| f64::from(u8::from(u > 0.2)));
    for (row, ignored) in mask.chunks_mut(TOKENS).zip(ignored) {
        row.iter_mut().for_each(|m| *m *= 1.0 - ignored);
    }
    mask[0] = 1.0;
    // As many as there are examples, now and then.
    let weights = numbers(CLASSES, &|u| 1.5 + u);
    vec![
        Array::from_f64(dtype, [n, TOKENS, 2], &inputs).unwrap(),
        Array::from_vec([n, TOKENS], labels).unwrap(),
        Array::from_f64(dtype, [n, TOKENS], &mask).unwrap(),
        Array::from_f64(dtype, [CLASSES], &weights).unwrap(),
    ]
}

fn point(random: &mut SmallRng, dtype: DType) -> Array {
    let x: Vec<f64> = (0..DIM).map(|_| random.random_range(-1.0..1.0)).collect();
    Array::from_f64(dtype, [DIM], &x).unwrap()
}

/// The examples from..to, and what is shared.
fn cut(batch: &[Array], from: usize, to: usize) -> Vec<Array> {
    let rows = |a: &Array| {
        let width = a.len() / a.shape()[0];
        let mut shape = a.shape().to_vec();
        shape[0] = to - from;
        Array::from_f64(a.dtype(), &shape[..], &a.to_f64_vec()[from * width..to * width]).unwrap()
    };
    let mut parts: Vec<Array> = batch[..3].iter().map(rows).collect();
    parts.push(batch[3].clone());
    parts
}

/// Batches of random sizes, which may be none, of all examples in their order.
fn split(random: &mut SmallRng, batch: &[Array]) -> Vec<Vec<Array>> {
    let n = batch[0].shape()[0];
    let (mut from, mut parts) = (0, Vec::new());
    while from < n {
        let to = n.min(from + random.random_range(0..4));
        parts.push(cut(batch, from, to));
        from = to;
    }
    parts
}

/// Each product of a step is rounded at the type's precision; sums of some hundred terms of
/// both signs lose at most about two of their digits.
fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-12 } else { 2e-4 }
}

type Form = fn(Var, &[Var]) -> Loss;

const FORMS: [(&str, Form); 2] = [("ratio", ratio), ("mean", mean)];

/// Calls with cases of all types and forms of losses.
fn cases(mut check: impl FnMut(&mut SmallRng, &str, DType, Form)) {
    let mut random = SmallRng::seed_from_u64(5);
    for dtype in [DType::F64, DType::F32] {
        for (name, loss) in FORMS {
            for case in 0..10 {
                check(&mut random, &format!("{name} {dtype}, case {case}"), dtype, loss);
            }
        }
    }
}

fn close(what: &str, dtype: DType, found: &[f64], expected: &[f64]) {
    let error = relative(found, expected);
    assert!(error < tolerance(dtype), "{what}: {error:e}\n{found:?}\n{expected:?}");
}

/// Everything that an objective computes, one after the other.
fn everything(objective: &Objective, x: &Array, batch: &[Array], v: &Array) -> Vec<Vec<f64>> {
    let (value, gradient) = objective.value_grad(x, batch).unwrap();
    let (_, _, product) = objective.value_grad_hvp(x, batch, v).unwrap();
    let (curvature, of_curvature) = objective.curvature(x, batch, v).unwrap();
    let vectors = [gradient, product, of_curvature].map(|a| a.to_f64_vec());
    let numbers = vec![vec![objective.value(x, batch).unwrap()], vec![value], vec![curvature]];
    numbers.into_iter().chain(vectors).collect()
}

#[test]
fn pieces_of_any_size_are_the_whole() {
    cases(|random, what, dtype, loss| {
        let n = random.random_range(2..10);
        let (x, v) = (point(random, dtype), point(random, dtype));
        let batch = batch(random, dtype, n);
        let expected = everything(&objective(dtype, loss), &x, &batch, &v);
        let size = random.random_range(1..n);
        let pieces = objective(dtype, loss).with_micro_batch_size(size).unwrap();
        for (i, (found, expected)) in
            everything(&pieces, &x, &batch, &v).iter().zip(&expected).enumerate()
        {
            close(&format!("{what}, {n} by {size}, quantity {i}"), dtype, found, expected);
        }
    });
}

fn dense<C: burlap_optim::curvature::Curvature + Default>(
    objective: &Objective,
    x: &Array,
    batches: &[Vec<Array>],
) -> Vec<f64> {
    let batches: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
    let mut operator = CurvatureOperator::<C>::new(objective, x, &batches).unwrap();
    let mut out = vec![f64::NAN; DIM * DIM];
    let eye = Array::eye(DType::F64, DIM).to_f64_vec();
    operator.matmat(&eye, &mut out).unwrap();
    out
}

#[test]
fn batches_of_a_curvature_are_the_whole_in_any_number() {
    cases(|random, what, dtype, loss| {
        let n = random.random_range(2..8);
        let x = point(random, dtype);
        let whole = vec![batch(random, dtype, n)];
        let parts = split(random, &whole[0]);
        let one = objective(dtype, loss);
        let pieces =
            objective(dtype, loss).with_micro_batch_size(random.random_range(1..n)).unwrap();
        let said = |kind: &str| format!("{what}, {kind}");
        let compare = |kind: &str, of: fn(&Objective, &Array, &[Vec<Array>]) -> Vec<f64>| {
            let expected = of(&one, &x, &whole);
            close(&said(kind), dtype, &of(&one, &x, &parts), &expected);
            close(&said(kind), dtype, &of(&pieces, &x, &whole), &expected);
            close(&said(kind), dtype, &of(&pieces, &x, &parts), &expected);
        };
        compare("hessian", dense::<Hessian>);
        compare("ggn", dense::<Ggn>);
        compare("fisher", dense::<EmpiricalFisher>);
        // And the shares make the loss.
        let slices: Vec<&[Array]> = parts.iter().map(Vec::as_slice).collect();
        let shares = one.weights(&x, &slices).unwrap();
        let pairs = shares.iter().zip(&slices).filter(|(share, _)| **share != 0.0);
        let loss: f64 = pairs.map(|(share, part)| share * one.value(&x, part).unwrap()).sum();
        close(&said("loss"), dtype, &[loss], &[one.value(&x, &whole[0]).unwrap()]);
    });
}

#[test]
fn the_hessian_is_that_of_the_formula_and_the_fisher_matrix_that_of_single_examples() {
    cases(|random, what, dtype, loss| {
        let x = point(random, dtype);
        let batch = batch(random, dtype, 5);
        let objective = objective(dtype, loss);
        let program = objective.program("dense", &batch, |r| vec![r.loss(r.x).hessian(r.x)]);
        let inputs: Vec<&Array> = std::iter::once(&x).chain(&batch).collect();
        let expected = program.unwrap().run(&inputs).unwrap()[0].to_f64_vec();
        let found = dense::<Hessian>(&objective, &x, std::slice::from_ref(&batch));
        close(what, dtype, &found, &expected);
        // Σ dᵢ gᵢgᵢᵀ / Σ dᵢ from the weights of the batch's own arrays.
        let each = objective.per_example_gradients(&x, &batch).unwrap().to_f64_vec();
        let (labels, mask, weights) =
            (batch[1].to_f64_vec(), batch[2].to_f64_vec(), batch[3].to_f64_vec());
        let token = |t: usize| weights[labels[t] as usize] * mask[t];
        let is_mean = what.starts_with("mean");
        let d = |i: usize| match is_mean {
            true => 1.0,
            false => (0..TOKENS).map(|j| token(i * TOKENS + j)).sum::<f64>(),
        };
        let total: f64 = (0..5).map(d).sum();
        let mut expected = vec![0.0; DIM * DIM];
        let mut gradient = [0.0; DIM];
        for (i, g) in each.chunks(DIM).enumerate() {
            for (a, row) in expected.chunks_mut(DIM).enumerate() {
                row.iter_mut().zip(g).for_each(|(e, b)| *e += d(i) / total * g[a] * b);
                gradient[a] += d(i) / total * g[a];
            }
        }
        let found = dense::<EmpiricalFisher>(&objective, &x, std::slice::from_ref(&batch));
        close(what, dtype, &found, &expected);
        let expected = objective.value_grad(&x, &batch).unwrap().1.to_f64_vec();
        close(what, dtype, &gradient, &expected);
    });
}

#[test]
fn methods_see_the_whole_batch_in_pieces() {
    cases(|random, what, dtype, loss| {
        let (x, batch) = (point(random, dtype), batch(random, dtype, 7));
        let size = random.random_range(1..7);
        let pieces = objective(dtype, loss).with_micro_batch_size(size).unwrap();
        let exact = || Sharpness::frobenius().with_estimator(Estimator::Exact).with_rho(0.3);
        let log_det = || Sharpness::log_det(0.7).with_estimator(Estimator::Central).with_rho(0.3);
        let methods: [&dyn Fn() -> Box<dyn Method>; 4] = [
            &|| Box::new(Sam::new(0.2).unwrap()),
            &|| Box::new(Sam::gsam(0.2, 0.3).unwrap()),
            &|| Box::new(SharpnessMethod::new(exact(), 1.0, 5, 3).unwrap()),
            &|| Box::new(SharpnessMethod::new(log_det(), 1.0, 3, 3).unwrap()),
        ];
        for method in methods {
            let on = |o: &Objective| method().evaluate(o, &x, &batch, 0).unwrap();
            let (found, expected) = (on(&pieces), on(&objective(dtype, loss)));
            let what = format!("{what}, {}, {size}", method().name());
            // Differences of losses lose the digits that they have in common.
            let lost = if dtype == DType::F32 { 20.0 } else { 1.0 };
            let error = relative(&found.gradient.to_f64_vec(), &expected.gradient.to_f64_vec());
            assert!(error < lost * tolerance(dtype), "{what}: {error:e}");
            close(&what, dtype, &[found.loss], &[expected.loss]);
        }
    });
}

#[test]
fn micro_batches_count_by_their_shares() {
    cases(|random, what, dtype, loss| {
        let (x, batch) = (point(random, dtype), batch(random, dtype, 7));
        let one = objective(dtype, loss);
        for size in 1..7 {
            let parts: Vec<Vec<Array>> =
                (0..7).step_by(size).map(|i| cut(&batch, i, 7.min(i + size))).collect();
            let slices: Vec<&[Array]> = parts.iter().map(Vec::as_slice).collect();
            let (mut expected, mut value) = (vec![0.0; DIM], 0.0);
            for (share, part) in one.weights(&x, &slices).unwrap().into_iter().zip(&slices) {
                if share == 0.0 {
                    continue;
                }
                let found = Sam::new(0.2).unwrap().evaluate(&one, &x, part, 0).unwrap();
                value += share * found.loss;
                let g = found.gradient.to_f64_vec();
                expected.iter_mut().zip(g).for_each(|(e, g)| *e += share * g);
            }
            // Micro-batches of a size, and of these pieces.
            for piece in [size, 1] {
                let objective = objective(dtype, loss).with_micro_batch_size(piece).unwrap();
                let mut sam = Sam::new(0.2).unwrap().with_m_sharpness(size).unwrap();
                let found = sam.evaluate(&objective, &x, &batch, 0).unwrap();
                let what = format!("{what}, {size} by {piece}");
                close(&what, dtype, &found.gradient.to_f64_vec(), &expected);
                close(&what, dtype, &[found.loss], &[value]);
            }
            close(what, dtype, &[value], &[one.value(&x, &batch).unwrap()]);
        }
    });
}

#[test]
fn choices_of_examples_leave_out_what_counts_for_nothing() {
    let mut random = SmallRng::seed_from_u64(2);
    let (x, batch) = (point(&mut random, DType::F64), batch(&mut random, DType::F64, 4));
    // Of four sequences, the second and the last count.
    let mut some = batch.clone();
    let mask: Vec<f64> = [0.0, 1.0, 0.0, 1.0].iter().flat_map(|m| [*m; TOKENS]).collect();
    some[2] = Array::from_vec([4, TOKENS], mask).unwrap();
    let two: Vec<Array> = {
        let (second, last) = (cut(&some, 1, 2), cut(&some, 3, 4));
        let join = |(a, b): (&Array, &Array)| {
            let mut shape = a.shape().to_vec();
            shape[0] = 2;
            Array::from_f64(a.dtype(), &shape[..], &[a.to_f64_vec(), b.to_f64_vec()].concat())
                .unwrap()
        };
        let mut joined: Vec<Array> = second.iter().zip(&last).take(3).map(join).collect();
        joined.push(batch[3].clone());
        joined
    };
    let objective = objective(DType::F64, ratio);
    let methods: [&dyn Fn() -> Sam; 2] =
        [&|| Sam::new(0.2).unwrap().with_selection(0.5).unwrap(), &|| {
            Sam::ssam_f(0.2, 0.5, 4, 1).unwrap()
        }];
    for (i, method) in methods.into_iter().enumerate() {
        let found = method().evaluate(&objective, &x, &some, 0).unwrap();
        let mut all = if i == 0 { Sam::new(0.2).unwrap() } else { method() };
        let expected = all.evaluate(&objective, &x, &two, 0).unwrap();
        let [found, expected] = [found, expected].map(|e| e.gradient.to_f64_vec());
        assert!(relative(&found, &expected) < 1e-12, "{i}: {found:?} {expected:?}");
    }
}
