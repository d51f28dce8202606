//! What a batch is made of: arrays of examples and shared ones, ratios of sums over examples, and
//! what is said where it is not clear or does not fit.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{CurvatureOperator, Hessian, LinearOperator};
use burlap_optim::{BatchSpec, Error, Loss, Method, Objective, Sam};

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
        let found =
            objective.with_micro_batch_size(size).unwrap().value(&Array::vector([0.3]), &batch);
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
        Objective::new(cpu, DType::F64, 1, loss).with_batch(spec).with_micro_batch_size(1).unwrap();
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
    let pieces = build().with_micro_batch_size(2).unwrap();
    let mut sam = Sam::new(0.1).unwrap().with_m_sharpness(2).unwrap();
    let six = batch(6);
    let errors = [
        pieces.value(&x, &six).unwrap_err(),
        pieces.value_grad(&x, &six).unwrap_err(),
        sam.evaluate(&build(), &x, &six, 0).unwrap_err(),
        build().per_example_gradients(&x, &six).unwrap_err(),
        build().weights(&x, &[&six, &six]).unwrap_err(),
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
    assert_eq!(error, "batch: the number of arrays is 1, but must be 2 (inputs, coefficients)");
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
    let pieces = build().with_micro_batch_size(3).unwrap();
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
    let error =
        objective.with_micro_batch_size(2).unwrap().value(&x, &both).unwrap_err().to_string();
    let expected =
        "value: the loss's denominator is 0 on a part of the batch whose numerator is 12";
    assert_eq!(error, expected);
}

#[test]
fn batches_of_no_examples_are_errors_alone_and_count_for_nothing_beside_others() {
    let mean = |x: Var, batch: &[Var]| (x.at(0) * batch[0]).square().mean();
    let build = |ratio: bool| match ratio {
        true => Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, weighted),
        false => Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, mean),
    };
    let (x, none) = (Array::vector([3.0]), [Array::zeros(DType::F64, [0])]);
    let (two, six) = ([Array::vector([1.0, 2.0])], [Array::vector([1.0, 4.0, 1.0, 1.0, 1.0, 1.0])]);
    for ratio in [false, true] {
        let objective = build(ratio);
        let error = objective.value(&x, &none).unwrap_err().to_string();
        let expected = match ratio {
            true => {
                "batch: the number of examples is 0, but must be at least 1: the loss of none is NaN"
            }
            false => "mean: the mean of no elements: [0]",
        };
        assert!(error.starts_with(expected), "{error}");
        let weights = objective.weights(&x, &[&two, &none, &six]).unwrap();
        // Of two and six examples; of weights whose sums are three and nine.
        assert_eq!(weights, [0.25, 0.0, 0.75]);
        let error = objective.weights(&x, &[&none, &none]).unwrap_err().to_string();
        assert_eq!(
            error,
            "weights: the number of examples in all batches is 0, but must be at least 1"
        );
        let operator = CurvatureOperator::<Hessian>::new(&objective, &x, &[&none, &two]).unwrap();
        let alone = CurvatureOperator::<Hessian>::new(&objective, &x, &[&two]).unwrap();
        let [found, expected] = [operator, alone].map(|mut operator| {
            let mut out = [0.0];
            operator.apply(&[1.0], &mut out).unwrap();
            out
        });
        assert_eq!(found, expected);
    }
    // A form that changes with the number of examples.
    let either = |x: Var, batch: &[Var]| match batch[0].shape()[0] {
        2 => Loss::ratio(x.sum(), batch[0].sum()),
        _ => Loss::Mean(x.sum()),
    };
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, either);
    let error = objective.weights(&x, &[&two, &six]).unwrap_err().to_string();
    let expected = "weights: the loss is a mean on one part and a ratio on another, but must be of one \
                    form on all of them";
    assert_eq!(error, expected);
}

#[test]
fn a_nan_among_the_weights_is_named() {
    let build = || Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 1, weighted);
    let (x, batch) = (Array::vector([3.0]), [Array::vector([1.0, 1.0, 1.0, f64::NAN])]);
    let expected = "value: the loss is NaN; array 0 of the batch holds NaN at [3]";
    for size in [4, 3, 1] {
        let error =
            build().with_micro_batch_size(size).unwrap().value(&x, &batch).unwrap_err().to_string();
        assert_eq!(error, expected, "pieces of {size}");
    }
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
    let error = build().with_micro_batch_size(2).unwrap().value(&x, &batch).unwrap_err();
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
    let pieces = build(false).with_micro_batch_size(2).unwrap();
    let (loss, _, new) = pieces.value_grad_buffers(&x, &batch).unwrap();
    assert!((loss - (25.0 + 36.0 + 64.0) / 3.0).abs() < 1e-13, "{loss}");
    assert_eq!((new[0].item().unwrap(), new[1].item().unwrap()), (5.0, 1.0));
    let mut sam = Sam::new(0.1).unwrap().with_m_sharpness(2).unwrap();
    let found = sam.evaluate(&build(false), &x, &batch, 0).unwrap();
    assert_eq!(found.buffers, new);
    // Numbers of examples differ between parts, and nobody knows how to average a whole number.
    let error =
        build(true).with_micro_batch_size(2).unwrap().value_grad_buffers(&x, &batch).unwrap_err();
    assert!(error.to_string().contains("is 2 and 1 in two chunks"), "{error}");
}
