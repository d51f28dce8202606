//! Exact derivatives of whole networks against central differences.

use crate::support::{assert_close, f64s, noise};
use burlap_autodiff::{Array, Cpu, DType, Tape};
use burlap_nn::{Activation, Dropout, Linear, Model, Module, Sequential, SimpleNet, loss, mlp};

const BATCH: usize = 6;
const INPUTS: usize = 4;
const CLASSES: usize = 3;

/// Compares gradient and Hessian-vector product of the cross-entropy in training with central
/// differences of value and gradient.
fn check(net: impl Module + 'static, smoothing: f64) {
    let model = Model::new(net).unwrap();
    let n = model.layout().total();
    let tape = Tape::new();
    let params = tape.input("params", DType::F64, [n]);
    let v = tape.input("v", DType::F64, [n]);
    let key = tape.input("key", DType::U32, [2]);
    let x = tape.literal(&f64s(&[BATCH, INPUTS], &noise(1, BATCH * INPUTS)));
    let labels = tape.literal(&Array::vector([0u32, 1, 2, 2, 1, 0]));
    let logits = model.forward_training(params, x, key);
    let f = loss::cross_entropy_smoothed(logits, labels, smoothing).unwrap();
    let all = f.value_grad_hvp(params, v);
    let program =
        tape.compile(&Cpu::new(), &[f, f.grad(params), f.hvp(params, v), all.grad]).unwrap();

    let at = model.init(5, DType::F64).to_f64_vec();
    let direction = noise(6, n);
    let (v, key) = (Array::vector(&direction[..]), Array::vector([11u32, 12]));
    let run = |step: f64| {
        let moved: Vec<f64> = at.iter().zip(&direction).map(|(a, d)| a + step * d).collect();
        program.run(&[&Array::vector(moved), &v, &key]).unwrap()
    };
    let h = 1e-5;
    let (here, plus, minus) = (run(0.0), run(h), run(-h));
    let difference = |i: usize| -> Vec<f64> {
        let (plus, minus) = (plus[i].to_f64_vec(), minus[i].to_f64_vec());
        plus.iter().zip(minus).map(|(p, m)| (p - m) / (2.0 * h)).collect()
    };
    let grad = here[1].to_f64_vec();
    let slope: f64 = grad.iter().zip(&direction).map(|(g, d)| g * d).sum();
    assert_close(&difference(0), &[slope], 1e-8);
    assert_close(&difference(1), &here[2].to_f64_vec(), 1e-8);
    assert_close(&here[3].to_f64_vec(), &grad, 1e-14);
    let size: f64 = here[2].to_f64_vec().iter().map(|x| x * x).sum();
    assert!(size > 1e-6, "nothing was tested");
}

#[test]
fn hessian_products_of_smooth_networks_are_exact() {
    for activation in [
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Softplus,
        Activation::Silu,
    ] {
        check(mlp(&[INPUTS, 8, 7, CLASSES], activation).unwrap(), 0.0);
        check(mlp(&[INPUTS, 8, CLASSES], activation).unwrap(), 0.1);
    }
}

#[test]
fn hessian_products_with_dropout_are_exact() {
    let net = Sequential::new()
        .then(Linear::new(INPUTS, 16))
        .then(Activation::Tanh)
        .then(Dropout::new(0.4).unwrap())
        .then(Linear::new(16, 16))
        .then(Activation::Gelu)
        .then(Dropout::new(0.2).unwrap())
        .then(Linear::new(16, CLASSES));
    check(net, 0.0);
}

#[test]
fn hessian_products_through_a_shared_layer_are_exact() {
    let net = Sequential::new()
        .named("in", Linear::new(INPUTS, 6))
        .named("shared", Linear::new(6, 6))
        .then(Activation::Tanh)
        .reuse("shared")
        .then(Activation::Tanh)
        .named("out", Linear::new(6, CLASSES));
    check(net, 0.0);
    check(SimpleNet::new(INPUTS, CLASSES), 0.0);
}
