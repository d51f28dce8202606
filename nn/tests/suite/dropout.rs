//! Dropout masks: a function of key and place, and of nothing else.

use crate::support::{assert_close, evaluate, f64s, noise, run};
use burlap_autodiff::{Array, DType, Tape};
use burlap_nn::{Dropout, Linear, Model, Module, Sequential};

const P: f64 = 0.3;

fn dropout(p: f64) -> Dropout {
    Dropout::new(p).unwrap()
}

/// The output of a network without parameters for ones, in training.
fn ones(net: impl Module + 'static, key: [u32; 2], dtype: DType, n: usize) -> Vec<f64> {
    let model = Model::new(net).unwrap();
    let tape = Tape::new();
    let params = tape.zeros(dtype, [0]);
    let k = tape.input("key", DType::U32, [2]);
    let x = tape.full(dtype, [n], 1.0);
    let y = model.forward_training(params, x, k);
    run(&tape, &[y], &[&Array::vector(key)])[0].to_f64_vec()
}

#[test]
fn value_gradient_and_hessian_product_see_one_mask() {
    let n = 200;
    let key = Array::vector([5u32, 6]);
    let (x, v) = (Array::vector(noise(1, n)), Array::vector(noise(2, n)));
    let model = Model::new(dropout(P)).unwrap();
    // A tape and a program for each, as the passes of a step may have.
    let pass = |which: usize| {
        let tape = Tape::new();
        let params = tape.zeros(DType::F64, [0]);
        let a = tape.input("x", DType::F64, [n]);
        let b = tape.input("v", DType::F64, [n]);
        let k = tape.input("key", DType::U32, [2]);
        let y = model.forward_training(params, a, k);
        let f = (y * y * y).sum();
        let output = [y, f.grad(a), f.hvp(a, b)][which];
        run(&tape, &[output], &[&x, &v, &key])[0].to_f64_vec()
    };
    let [value, grad, hvp] = [0, 1, 2].map(pass);
    let scale = 1.0 / (1.0 - P);
    let (x, v) = (x.to_f64_vec(), v.to_f64_vec());
    let kept: Vec<f64> = value.iter().map(|&y| if y == 0.0 { 0.0 } else { scale }).collect();
    assert!(kept.contains(&0.0) && kept.contains(&scale));
    let expected: Vec<f64> = (0..n).map(|i| 3.0 * kept[i].powi(3) * x[i] * x[i]).collect();
    assert_close(&grad, &expected, 1e-14);
    let expected: Vec<f64> = (0..n).map(|i| 6.0 * kept[i].powi(3) * x[i] * v[i]).collect();
    assert_close(&hvp, &expected, 1e-14);
}

#[test]
fn two_recordings_on_one_tape_share_the_mask() {
    let net = Sequential::new().then(Linear::new(4, 50)).then(dropout(0.5));
    let model = Model::new(net).unwrap();
    let tape = Tape::new();
    let clean = tape.input("params", DType::F64, [model.layout().total()]);
    let key = tape.literal(&Array::vector([1u32, 2]));
    let x = tape.literal(&f64s(&[3, 4], &noise(1, 12)));
    let there = model.forward_training(clean, x, key);
    let perturbed = model.forward_training(1.5 * clean, x, key);
    let out = run(&tape, &[there, perturbed], &[&model.init(1, DType::F64)]);
    let expected: Vec<f64> = out[0].to_f64_vec().iter().map(|y| 1.5 * y).collect();
    assert_close(&out[1].to_f64_vec(), &expected, 1e-14);
}

#[test]
fn keys_layers_and_applications_have_masks_of_their_own() {
    let n = 40_000;
    let half = || dropout(0.5);
    let a = ones(Sequential::new().named("a", half()), [1, 2], DType::F64, n);
    let again = ones(Sequential::new().named("a", half()), [1, 2], DType::F64, n);
    assert_eq!(a, again);
    // Independent masks agree in half of the places, within four standard errors.
    let independent = |b: &[f64]| {
        let equal = a.iter().zip(b).filter(|(a, b)| a == b).count() as f64;
        assert!((equal / n as f64 - 0.5).abs() < 4.0 * 0.5 / (n as f64).sqrt(), "{equal}");
    };
    independent(&ones(Sequential::new().named("a", half()), [1, 3], DType::F64, n));
    independent(&ones(Sequential::new().named("a", half()), [2, 2], DType::F64, n));
    independent(&ones(Sequential::new().named("b", half()), [1, 2], DType::F64, n));

    // After two of them a quarter is left: two layers, and one layer applied twice.
    for net in [
        Sequential::new().then(half()).then(half()),
        Sequential::new().named("a", half()).reuse("a"),
    ] {
        let y = ones(net, [1, 2], DType::F64, n);
        let kept = y.iter().filter(|&&y| y != 0.0).count() as f64 / n as f64;
        let error = (0.25f64 * 0.75 / n as f64).sqrt();
        assert!((kept - 0.25).abs() < 4.0 * error, "{kept}");
        assert!(y.iter().all(|&y| y == 0.0 || y == 4.0));
    }
}

#[test]
fn a_layer_keeps_its_mask_when_others_come_before_it() {
    let alone = Sequential::new().named("a", dropout(P));
    let beside = Sequential::new().named("new", dropout(0.0)).named("a", dropout(P));
    let key = [3, 4];
    assert_eq!(ones(alone, key, DType::F64, 100), ones(beside, key, DType::F64, 100));
}

#[test]
fn the_mean_is_preserved() {
    let n = 100_000;
    for p in [0.1, 0.5, 0.9] {
        let y = ones(dropout(p), [7, 8], DType::F64, n);
        let mean = y.iter().sum::<f64>() / n as f64;
        // Each element is 1/(1 − p) with probability 1 − p: variance p/(1 − p).
        let error = (p / (1.0 - p) / n as f64).sqrt();
        assert!((mean - 1.0).abs() < 4.0 * error, "{p}: {mean}");
    }
}

#[test]
fn single_and_double_precision_see_one_mask() {
    let zeros = |dtype| -> Vec<bool> {
        ones(dropout(P), [9, 1], dtype, 10_000).iter().map(|&y| y == 0.0).collect()
    };
    assert_eq!(zeros(DType::F32), zeros(DType::F64));
}

#[test]
fn evaluation_and_probability_zero_are_the_identity() {
    let x = f64s(&[5], &noise(1, 5));
    let none = f64s(&[0], &[]);
    let net = || Sequential::new().then(dropout(0.9)).then(dropout(0.0));
    assert_eq!(evaluate(&Model::new(net()).unwrap(), &none, &x), x);
    assert_eq!(ones(dropout(0.0), [1, 1], DType::F64, 5), [1.0; 5]);
}

#[test]
fn what_is_dropped_does_not_matter_even_if_infinite() {
    let model = Model::new(dropout(0.5)).unwrap();
    let tape = Tape::new();
    let params = tape.zeros(DType::F64, [0]);
    let x = tape.full(DType::F64, [64], f64::INFINITY);
    let key = tape.input("key", DType::U32, [2]);
    let y = model.forward_training(params, x, key);
    let out = run(&tape, &[y], &[&Array::vector([1u32, 1])])[0].to_f64_vec();
    assert!(out.iter().all(|&y| y == 0.0 || y == f64::INFINITY), "{out:?}");
    assert!(out.contains(&0.0));
}
