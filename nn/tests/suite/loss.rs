//! Losses against their closed forms in plain Rust.

use crate::support::{assert_close, f64s, noise, run};
use burlap_autodiff::{Array, Cpu, DType, Error as Engine, Interpreter, Tape, Var, map_rows};
use burlap_nn::{Error, loss};

/// Runs a loss on logits [n, classes] and labels [n].
fn on(f: impl Fn(Var, Var) -> Var, logits: &Array, labels: &[u32]) -> Array {
    let tape = Tape::new();
    let z = tape.input("logits", logits.dtype(), logits.shape());
    let l = tape.input("labels", DType::U32, [labels.len()]);
    run(&tape, &[f(z, l)], &[logits, &Array::vector(labels)]).remove(0)
}

/// −log softmax of one row.
fn minus_log_softmax(z: &[f64]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = z.iter().map(|z| (z - largest).exp()).sum();
    z.iter().map(|z| sum.ln() + largest - z).collect()
}

fn smoothed(z: &[f64], label: u32, s: f64) -> f64 {
    let m = minus_log_softmax(z);
    (1.0 - s) * m[label as usize] + s * m.iter().sum::<f64>() / m.len() as f64
}

#[test]
fn cross_entropy_is_its_closed_form() {
    let z = noise(1, 24).iter().map(|z| 5.0 * z).collect::<Vec<_>>();
    let labels = [0, 3, 2, 2, 1, 0];
    let logits = f64s(&[6, 4], &z);
    for s in [0.0, 0.1, 0.5, 0.99] {
        let expected: Vec<f64> = z.chunks(4).zip(labels).map(|(z, l)| smoothed(z, l, s)).collect();
        let each = |z, l| loss::cross_entropy_smoothed_per_example(z, l, s).unwrap();
        assert_close(&on(each, &logits, &labels).to_f64_vec(), &expected, 1e-14);
        let mean = expected.iter().sum::<f64>() / 6.0;
        let all = |z, l| loss::cross_entropy_smoothed(z, l, s).unwrap();
        assert_close(&[on(all, &logits, &labels).item().unwrap()], &[mean], 1e-14);
        if s == 0.0 {
            let each = on(loss::cross_entropy_per_example, &logits, &labels);
            assert_close(&each.to_f64_vec(), &expected, 1e-14);
            let all = on(loss::cross_entropy, &logits, &labels);
            assert_close(&[all.item().unwrap()], &[mean], 1e-14);
        }
    }
}

#[test]
fn the_smoothed_target_is_a_distribution() {
    // The gradient is (softmax − target)/n, which shows the target itself.
    let tape = Tape::new();
    let z = tape.input("logits", DType::F64, [1, 4]);
    let l = tape.literal(&Array::vector([2u32]));
    let f = loss::cross_entropy_smoothed(z, l, 0.2).unwrap();
    let target = z.softmax(1) - f.grad(z);
    let out = run(&tape, &[target], &[&f64s(&[1, 4], &noise(3, 4))]);
    assert_close(&out[0].to_f64_vec(), &[0.05, 0.05, 0.85, 0.05], 1e-14);
}

#[test]
fn extreme_logits_stay_finite_to_second_order() {
    let z = [1e4, -1e4, 0.0, -1e4, 1e4, 0.0, 1e4, 1e4, -1e4];
    let labels = [0u32, 0, 1];
    for dtype in [DType::F32, DType::F64] {
        let logits = f64s(&[3, 3], &z).cast(dtype);
        let each = on(loss::cross_entropy_per_example, &logits, &labels).to_f64_vec();
        assert_close(&each, &[0.0, 2e4, 2f64.ln()], 1e-7);

        let tape = Tape::new();
        let a = tape.input("logits", dtype, [3, 3]);
        let v = tape.full(dtype, [3, 3], 1.0);
        let l = tape.literal(&Array::vector(labels));
        for f in [loss::cross_entropy(a, l), loss::cross_entropy_smoothed(a, l, 0.1).unwrap()] {
            let out = run(&tape, &[f, f.grad(a), f.hvp(a, v)], &[&logits]);
            let all = out.iter().flat_map(Array::to_f64_vec);
            assert!(all.into_iter().all(f64::is_finite), "{out:?}");
        }
    }
}

#[test]
fn labels_may_have_any_number_of_axes() {
    let z = noise(4, 24);
    let tape = Tape::new();
    let logits = tape.input("logits", DType::F64, [2, 3, 4]);
    let labels = tape.input("labels", DType::U32, [2, 3]);
    let one = tape.input("one", DType::F64, [4]);
    let label = tape.input("label", DType::U32, ());
    let outputs = [
        loss::cross_entropy_per_example(logits, labels),
        loss::accuracy_per_example(logits, labels),
        loss::cross_entropy(one, label),
    ];
    let l = [0u32, 1, 2, 3, 0, 1];
    let inputs = [
        f64s(&[2, 3, 4], &z),
        Array::from_vec([2, 3], l.to_vec()).unwrap(),
        f64s(&[4], &z[..4]),
        Array::scalar(3u32),
    ];
    let out = run(&tape, &outputs, &inputs.each_ref());
    assert_eq!(*out[0].shape(), [2, 3]);
    assert_eq!(*out[1].shape(), [2, 3]);
    let expected: Vec<f64> = z.chunks(4).zip(l).map(|(z, l)| smoothed(z, l, 0.0)).collect();
    assert_close(&out[0].to_f64_vec(), &expected, 1e-14);
    assert_close(&[out[2].item().unwrap()], &[smoothed(&z[..4], 3, 0.0)], 1e-14);
}

#[test]
fn negative_log_likelihood_picks_the_labels() {
    let log_probs = f64s(&[2, 3], &[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]);
    let each = on(loss::nll_per_example, &log_probs, &[2, 0]);
    assert_eq!(each.to_f64_vec(), [3.0, 4.0]);
    assert_eq!(on(loss::nll, &log_probs, &[2, 0]).item().unwrap(), 3.5);
}

#[test]
fn mean_squared_error_is_a_mean_over_all_elements() {
    let tape = Tape::new();
    let p = tape.input("pred", DType::F64, [2, 3]);
    let t = tape.input("target", DType::F64, [2, 3]);
    let outputs = [loss::mse(p, t), loss::mse_per_example(p, t)];
    let (a, b) = (noise(1, 6), noise(2, 6));
    let out = run(&tape, &outputs, &[&f64s(&[2, 3], &a), &f64s(&[2, 3], &b)]);
    let square = |i: usize| (a[i] - b[i]) * (a[i] - b[i]);
    let rows = [0, 3].map(|r| (square(r) + square(r + 1) + square(r + 2)) / 3.0);
    assert_close(&out[1].to_f64_vec(), &rows, 1e-15);
    assert_close(&[out[0].item().unwrap()], &[(rows[0] + rows[1]) / 2.0], 1e-15);
}

#[test]
fn accuracy_counts_the_first_largest() {
    let logits = f64s(&[4, 3], &[0., 2., 1., 5., 5., 1., 5., 5., 1., -3., -2., -1.]);
    let labels = [1, 0, 1, 2];
    let each = on(loss::accuracy_per_example, &logits, &labels);
    assert_eq!(each.to_f64_vec(), [1.0, 1.0, 0.0, 1.0]);
    for dtype in [DType::F32, DType::F64] {
        let fraction = on(loss::accuracy, &logits.cast(dtype), &labels);
        assert_eq!((fraction.dtype(), fraction.item().unwrap()), (dtype, 0.75));
    }
}

#[test]
fn a_label_beyond_the_classes_is_an_error_of_the_run() {
    let tape = Tape::new();
    let z = tape.input("logits", DType::F32, [2, 3]);
    let l = tape.input("labels", DType::U32, [2]);
    let f = loss::cross_entropy(z, l);
    let smoothed = loss::cross_entropy_smoothed(z, l, 0.1).unwrap();
    // A gradient needs the labels only, which are still checked.
    for (name, output) in [
        ("cross_entropy", f),
        ("cross_entropy", f.grad(z)),
        ("cross_entropy", f.hvp(z, z)),
        ("cross_entropy_smoothed", smoothed),
        ("nll", loss::nll(z, l)),
        ("accuracy", loss::accuracy(z, l)),
    ] {
        let logits = Array::zeros(DType::F32, [2, 3]);
        let both = [tape.compile(&Cpu::new(), &[output]), tape.compile(&Interpreter, &[output])];
        for program in both.map(Result::unwrap) {
            for wrong in [3, u32::MAX] {
                let error = program.run(&[&logits, &Array::vector([1, wrong])]).unwrap_err();
                let said = format!(
                    "{name}: label {wrong} at position 1, but there are 3 classes, 0 to 2 ("
                );
                assert!(error.to_string().starts_with(&said), "{error}");
                let Engine::Label { label, position, classes, .. } = error else {
                    panic!("{error}");
                };
                assert_eq!((label, position, classes), (wrong, 1, 3));
            }
            assert!(program.run(&[&logits, &Array::vector([1u32, 2])]).is_ok());
        }
    }
}

#[test]
fn a_label_is_told_in_the_same_words_from_within_a_map() {
    let tape = Tape::new();
    let z = tape.input("logits", DType::F64, [3, 4]);
    let l = tape.input("labels", DType::U32, [3]);
    let each = map_rows([z, l], |[z, l]| [loss::cross_entropy(z, l)])[0];
    let program = tape.compile(&Cpu::new(), &[each.sum().grad(z)]).unwrap();
    let error = program.run(&[&Array::zeros(DType::F64, [3, 4]), &Array::vector([0u32, 3, 4])]);
    let said = error.unwrap_err().to_string();
    let wanted = "cross_entropy: label 4 at position 2, but there are 4 classes, 0 to 3 (";
    assert!(said.starts_with(wanted), "{said}");
}

#[test]
fn shapes_that_do_not_fit_are_errors_of_the_tape() {
    // Closures, since a pointer to a function would lose the caller.
    let classes: [Loss; 3] =
        [|z, l| loss::cross_entropy(z, l), |z, l| loss::nll(z, l), |z, l| loss::accuracy(z, l)];
    for (f, logits, labels) in classes
        .into_iter()
        .flat_map(|f| [(f, &[4, 3][..], &[5][..]), (f, &[4, 3], &[4, 1]), (f, &[], &[])])
    {
        let tape = Tape::new();
        let z = tape.input("logits", DType::F64, logits);
        let l = tape.input("labels", DType::U32, labels);
        let error = tape.compile(&Cpu::new(), &[f(z, l)]).map(|_| ()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("tests/suite/loss.rs:"), "{logits:?} {labels:?}: {error}");
        let said = match labels {
            [] => "a logit for each class is needed, not a scalar".to_owned(),
            _ => format!(
                "labels of shape {labels:?} do not fit values of shape [4, 3], whose last axis are the \
                 3 classes: labels of shape [4] are needed"
            ),
        };
        assert!(error.contains(&said) || error.starts_with("nll: a value for each"), "{error}");
    }
    let tape = Tape::new();
    let (z, l) = (tape.input("z", DType::F64, [4, 3]), tape.input("l", DType::F64, [4]));
    let error = tape.compile(&Cpu::new(), &[loss::cross_entropy(z, l)]).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("cross_entropy: labels must be u32, not f64"), "{error}");
    let squares: [(&str, Loss); 6] = [
        ("mse: prediction", loss::mse),
        ("mse: prediction", loss::mse_per_example),
        ("huber: prediction", |p, t| loss::huber(p, t, 1.0).unwrap()),
        ("smooth_l1: prediction", |p, t| loss::smooth_l1_per_example(p, t, 1.0).unwrap()),
        ("cross_entropy_soft: logits", loss::cross_entropy_soft),
        ("binary_cross_entropy_with_logits: logits", loss::binary_cross_entropy_with_logits),
    ];
    for (said, f) in squares {
        let tape = Tape::new();
        let p = tape.input("pred", DType::F64, [4]);
        let t = tape.input("target", DType::F64, [4, 1]);
        let error = tape.compile(&Cpu::new(), &[f(p, t)]).map(|_| ()).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("{said} [4] and target [4, 1] differ")),
            "{error}"
        );
    }
}

#[test]
fn smoothing_outside_its_range_is_refused() {
    let tape = Tape::new();
    let z = tape.input("logits", DType::F64, [2, 3]);
    let l = tape.input("labels", DType::U32, [2]);
    for s in [-0.1, 1.0, 2.0, f64::NAN] {
        let error = loss::cross_entropy_smoothed(z, l, s).unwrap_err();
        assert!(matches!(error, Error::Fraction { .. }), "{s}: {error}");
    }
    assert!(tape.error().is_none());
}

type Loss = fn(Var, Var) -> Var;

/// Every loss, of values and of what they are compared with: labels where the flag says so.
fn all() -> Vec<(&'static str, bool, Loss)> {
    vec![
        ("cross_entropy", true, |z, l| loss::cross_entropy(z, l)),
        ("cross_entropy_per_example", true, |z, l| loss::cross_entropy_per_example(z, l)),
        ("smoothed", true, |z, l| loss::cross_entropy_smoothed(z, l, 0.1).unwrap()),
        ("nll", true, |z, l| loss::nll(z, l)),
        ("accuracy", true, |z, l| loss::accuracy(z, l)),
        ("accuracy_per_example", true, |z, l| loss::accuracy_per_example(z, l)),
        ("cross_entropy_soft", false, |z, t| loss::cross_entropy_soft(z, t)),
        ("binary", false, |z, t| loss::binary_cross_entropy_with_logits(z, t)),
        ("mse", false, |p, t| loss::mse(p, t)),
        ("mse_per_example", false, |p, t| loss::mse_per_example(p, t)),
        ("huber", false, |p, t| loss::huber(p, t, 1.0).unwrap()),
        ("smooth_l1", false, |p, t| loss::smooth_l1_per_example(p, t, 1.0).unwrap()),
    ]
}

#[test]
fn what_has_no_examples_or_no_classes_is_an_error_or_empty_but_never_nan() {
    for (name, labelled, f) in all() {
        for shape in [&[0, 3][..], &[2, 0], &[0, 0], &[0], &[]] {
            let tape = Tape::new();
            let x = tape.input("x", DType::F64, shape);
            let (dtype, other) = match labelled {
                true => (DType::U32, &shape[..shape.len().saturating_sub(1)]),
                false => (DType::F64, shape),
            };
            let y = tape.input("y", dtype, other);
            let ran = tape.compile(&Cpu::new(), &[f(x, y)]).and_then(|program| {
                program.run(&[&Array::zeros(DType::F64, shape), &Array::zeros(dtype, other)])
            });
            if let Ok(out) = ran {
                let finite = out[0].to_f64_vec().iter().all(|x| x.is_finite());
                assert!(finite, "{name} of {shape:?}: {}", out[0]);
                assert!(shape.is_empty() || out[0].is_empty(), "{name} of {shape:?}: {}", out[0]);
            }
        }
    }
}

#[test]
fn losses_of_whole_numbers_are_refused() {
    for (name, labelled, f) in all() {
        for dtype in [DType::U32, DType::Bool] {
            let tape = Tape::new();
            let x = tape.input("x", dtype, [2, 3]);
            let y = match labelled {
                true => tape.input("y", DType::U32, [2]),
                false => tape.input("y", dtype, [2, 3]),
            };
            let compiled = tape.compile(&Cpu::new(), &[f(x, y)]);
            let error = compiled.map(drop).expect_err(name).to_string();
            assert!(error.contains("tests/suite/loss.rs:"), "{name}: {error}");
        }
    }
}
