//! Batches in parts are whole batches up to rounding, however they are cut: pieces, micro-batches,
//! batches of a curvature, single examples; for means and ratios of sums, with arrays that all
//! examples share, and with parts that count for nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{CurvatureOperator, EmpiricalFisher, Ggn, Hessian, LinearOperator};
use burlap_optim::{
    BatchSpec, Error, Estimator, Loss, Method, Objective, Sam, Sharpness, SharpnessMethod,
};
use common::relative;
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

fn objective(dtype: DType, loss: fn(Var, &[Var]) -> Loss) -> Objective {
    let cpu = Cpu::with_threads(1).unwrap();
    Objective::composed(cpu, dtype, DIM, model, loss).with_batch(spec())
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

const FORMS: [(&str, fn(Var, &[Var]) -> Loss); 2] = [("ratio", ratio), ("mean", mean)];

/// Calls with cases of all types and forms of losses.
fn cases(mut check: impl FnMut(&mut SmallRng, &str, DType, fn(Var, &[Var]) -> Loss)) {
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
        let pieces = objective(dtype, loss).with_pieces(size).unwrap();
        for (i, (found, expected)) in
            everything(&pieces, &x, &batch, &v).iter().zip(&expected).enumerate()
        {
            close(&format!("{what}, {n} by {size}, quantity {i}"), dtype, found, expected);
        }
    });
}

fn dense<C: burlap_optim::curvature::Curvature>(
    objective: &Objective,
    x: &Array,
    batches: &[Vec<Array>],
) -> Vec<f64> {
    let batches: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
    let mut operator = CurvatureOperator::<C>::new(objective, x, &batches).unwrap();
    let mut out = vec![f64::NAN; DIM * DIM];
    let eye = Array::eye(DType::F64, DIM).to_f64_vec();
    operator.apply_many(&eye, &mut out).unwrap();
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
        let pieces = objective(dtype, loss).with_pieces(random.random_range(1..n)).unwrap();
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
        let shares = one.shares(&x, &slices).unwrap();
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
        let pieces = objective(dtype, loss).with_pieces(size).unwrap();
        let exact = || Sharpness::frobenius().with_estimator(Estimator::Exact).with_rho(0.3);
        let log_det = || Sharpness::log_det(0.7).with_estimator(Estimator::Central).with_rho(0.3);
        let methods: [&dyn Fn() -> Box<dyn Method>; 4] = [
            &|| Box::new(Sam::new(0.2).unwrap()),
            &|| Box::new(Sam::surrogate_gap(0.2, 0.3).unwrap()),
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
            for (share, part) in one.shares(&x, &slices).unwrap().into_iter().zip(&slices) {
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
                let objective = objective(dtype, loss).with_pieces(piece).unwrap();
                let mut sam = Sam::new(0.2).unwrap().with_micro_batches(size).unwrap();
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
            Sam::fisher_masked(0.2, 0.5, 4, 1).unwrap()
        }];
    for (i, method) in methods.into_iter().enumerate() {
        let found = method().evaluate(&objective, &x, &some, 0).unwrap();
        let mut all = if i == 0 { Sam::new(0.2).unwrap() } else { method() };
        let expected = all.evaluate(&objective, &x, &two, 0).unwrap();
        let [found, expected] = [found, expected].map(|e| e.gradient.to_f64_vec());
        assert!(relative(&found, &expected) < 1e-12, "{i}: {found:?} {expected:?}");
    }
}

#[test]
fn a_token_mean_over_sequences_of_many_lengths_is_exact_in_pieces() {
    // Sequences of 6, 1, 5 and 2 tokens; ce = (x − a)².
    let lengths = [6, 1, 5, 2];
    let a: Vec<f64> = (0..24).map(|i| (i as f64 * 0.7).sin()).collect();
    let mask: Vec<f64> =
        lengths.iter().flat_map(|&l| (0..6).map(move |t| f64::from(u8::from(t < l)))).collect();
    let terms = |x: f64| a.iter().zip(&mask).map(move |(a, m)| m * (x - a).powi(2)).sum::<f64>();
    let expected = terms(0.3) / 14.0;
    let batch = [a.clone(), mask.clone()].map(|v| Array::from_vec([4, 6], v).unwrap());
    let loss = |x: Var, batch: &[Var]| {
        Loss::ratio((batch[1] * (x.at(0) - batch[0]).square()).sum(), batch[1].sum())
    };
    for size in 1..5 {
        let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, loss);
        let found = objective.with_pieces(size).unwrap().value(&Array::vector([0.3]), &batch);
        assert!((found.unwrap() - expected).abs() < 1e-15, "{size}");
    }
}

#[test]
fn shared_arrays_of_the_number_of_examples_are_not_cut() {
    // A dropout key of two numbers, and batches whose last has two examples.
    let loss = |x: Var, batch: &[Var]| {
        let kept = batch[1].uniform(0, DType::F64, batch[0].shape()).lt(0.5);
        (kept.cast(DType::F64) * x.at(0) * batch[0]).sum() * (1.0 / batch[0].shape()[0] as f64)
    };
    let spec = BatchSpec::new().by_example("inputs").shared("key");
    let cpu = Cpu::with_threads(1).unwrap();
    let objective =
        Objective::new(cpu, DType::F64, 1, loss).with_batch(spec).with_pieces(1).unwrap();
    let x = Array::vector([1.0]);
    for n in [1, 2, 3, 4] {
        let batch = [Array::vector(vec![1.0; n]), Array::vector([7u32, 11])];
        assert!(objective.value(&x, &batch).is_ok(), "{n}");
        let each = objective.per_example_gradients(&x, &batch).unwrap();
        assert_eq!(each.shape()[..], [n, 1]);
    }
}

#[test]
fn nothing_is_guessed_of_what_is_not_declared() {
    let loss = |x: Var, batch: &[Var]| batch[1].sum() * (x.at(0) * batch[0]).square().mean();
    let build = || Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, loss);
    let x = Array::vector([1.0]);
    let batch = |n: usize| [Array::vector(vec![1.0; n]), Array::vector([0.5; 4])];
    // In one piece nothing need be known.
    assert_eq!(build().value(&x, &batch(6)).unwrap(), 2.0);
    let expected = "batch: array 1 of the batch is f64[4], but must be the 6 examples of array 0 of \
                    the batch; Objective::with_batch says which arrays belong to examples and which \
                    are shared";
    let pieces = build().with_pieces(2).unwrap();
    let mut sam = Sam::new(0.1).unwrap().with_micro_batches(2).unwrap();
    let six = batch(6);
    let errors = [
        pieces.value(&x, &six).unwrap_err(),
        pieces.value_grad(&x, &six).unwrap_err(),
        sam.evaluate(&build(), &x, &six, 0).unwrap_err(),
        build().per_example_gradients(&x, &six).unwrap_err(),
        build().shares(&x, &[&six, &six]).unwrap_err(),
        CurvatureOperator::<Hessian>::new(&pieces, &x, &[&six]).unwrap_err(),
        CurvatureOperator::<Hessian>::new(&build(), &x, &[&six, &six]).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Batch { .. }), "{error}");
        assert_eq!(error.to_string(), expected);
    }
    // The shorter one may be the first.
    let few = [Array::vector([1.0]), Array::vector([0.5; 4])];
    assert!(matches!(pieces.value(&x, &few), Err(Error::Batch { .. })));
    // What is declared is checked in one piece, too.
    let spec = BatchSpec::new().by_example("inputs").shared("coefficients");
    let declared = build().with_batch(spec.clone());
    assert_eq!(declared.value(&x, &six).unwrap(), 2.0);
    let error = declared.value(&x, &six[..1]).unwrap_err().to_string();
    assert_eq!(error, "batch: the batch is 1 arrays, but must be 2: inputs, coefficients");
    let uneven = build().with_batch(BatchSpec::new().by_example("inputs").by_example("targets"));
    let error = uneven.value(&x, &six).unwrap_err().to_string();
    assert_eq!(error, "batch: targets is f64[4], but must be the 6 examples of inputs");
    let error = uneven.value(&x, &[six[0].clone(), Array::scalar(1.0)]).unwrap_err().to_string();
    assert_eq!(error, "batch: targets is f64[], but must be the 6 examples of inputs");
}

/// Σ w (x − 1)² / Σ w
fn weighted(x: Var, batch: &[Var]) -> Loss {
    Loss::ratio((batch[0] * (x.at(0) - 1.0).square()).sum(), batch[0].sum())
}

#[test]
fn a_ratio_by_nothing_is_an_error() {
    let build = || Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, weighted);
    let (x, none) = (Array::vector([3.0]), [Array::vector([0.0; 4])]);
    let whole = build().value(&x, &none).unwrap_err();
    assert_eq!(
        whole.to_string(),
        "value: the loss's denominator is 0 on the batch: no example counts"
    );
    let pieces = build().with_pieces(3).unwrap();
    let error = pieces.value_grad(&x, &none).unwrap_err();
    let expected = "gradient: the loss's denominator is 0 on all parts of the batch together";
    assert_eq!(error.to_string(), expected);
    // Weights of both signs, of which two make nothing.
    let signed = [Array::vector([1.0, -1.0, 2.0])];
    assert_eq!(build().value(&x, &signed).unwrap(), 4.0);
    let both = [Array::vector([1.0, -1.0, 2.0, 2.0]), Array::vector([5.0, 1.0, 2.0, 2.0])];
    let uneven =
        |x: Var, batch: &[Var]| Loss::ratio((batch[0] * batch[1] * x.at(0)).sum(), batch[0].sum());
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, uneven);
    let error = objective.with_pieces(2).unwrap().value(&x, &both).unwrap_err().to_string();
    let expected =
        "value: the loss's denominator is 0 on a part of the batch whose numerator is 12";
    assert_eq!(error, expected);
}

#[test]
fn a_denominator_of_parameters_is_right_in_one_piece_and_refused_in_several() {
    // Σ a x² / Σ a eˣ = x² e⁻ˣ
    let loss = |x: Var, batch: &[Var]| {
        Loss::ratio((batch[0] * x.at(0).square()).sum(), (batch[0] * x.at(0).exp()).sum())
    };
    let build = || Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, loss);
    let (x, batch) = (Array::vector([0.7]), [Array::vector([1.0, 2.0, 3.0])]);
    let (value, gradient) = build().value_grad(&x, &batch).unwrap();
    let expected = (0.49 * (-0.7f64).exp(), (1.4 - 0.49) * (-0.7f64).exp());
    assert!((value - expected.0).abs() < 1e-15, "{value}");
    assert!((gradient.item().unwrap() - expected.1).abs() < 1e-15, "{gradient}");
    let error = build().with_pieces(2).unwrap().value(&x, &batch).unwrap_err();
    let expected = "value: the loss's denominator is a function of the parameters, but must be one \
                    of the data alone where a batch is one of several parts";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn buffers_of_a_part_that_counts_for_nothing_are_averaged_too() {
    let build = |counted: bool| {
        let loss = move |x: Var, batch: &[Var], buffers: &[Var]| {
            let n = batch[0].shape()[0] as f64;
            let more = if counted { n } else { 1.0 };
            let count = (buffers[1].cast(DType::F64) + more).cast(DType::U32);
            let loss =
                Loss::ratio((batch[1] * (x.at(0) - batch[0]).square()).sum(), batch[1].sum());
            (loss, vec![batch[0].mean(), count])
        };
        let first = vec![("mean".into(), Array::scalar(0.0)), ("seen".into(), Array::scalar(0u32))];
        Objective::with_buffers(Cpu::with_threads(1).unwrap(), DType::F64, 1, first, loss)
    };
    let a = Array::vector([1.0, 2.0, 6.0, 7.0, 9.0]);
    let batch = [a, Array::vector([0.0, 0.0, 1.0, 1.0, 1.0])];
    let x = Array::vector([1.0]);
    let pieces = build(false).with_pieces(2).unwrap();
    let (loss, _, new) = pieces.value_grad_buffers(&x, &batch).unwrap();
    assert!((loss - (25.0 + 36.0 + 64.0) / 3.0).abs() < 1e-13, "{loss}");
    assert_eq!((new[0].item().unwrap(), new[1].item().unwrap()), (5.0, 1.0));
    let mut sam = Sam::new(0.1).unwrap().with_micro_batches(2).unwrap();
    let found = sam.evaluate(&build(false), &x, &batch, 0).unwrap();
    assert_eq!(found.buffers, new);
    // Numbers of examples differ between parts, and nobody knows how to average a whole number.
    let error = build(true).with_pieces(2).unwrap().value_grad_buffers(&x, &batch).unwrap_err();
    assert!(error.to_string().contains("is 2 and 1 in two parts"), "{error}");
}
