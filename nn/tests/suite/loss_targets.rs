//! Losses whose targets are probabilities or numbers, against closed forms of all orders.

use crate::support::{assert_close, f64s, noise, run};
use burlap_autodiff::{Array, DType, Tape, Var};
use burlap_nn::{Error, loss};

fn softmax(z: &[f64]) -> Vec<f64> {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z.exp() / sum).collect()
}

/// Positive numbers of sum 1.
fn distribution(seed: u64, n: usize) -> Vec<f64> {
    softmax(&noise(seed, n))
}

/// Value, gradient, product H v, and ∇(vᵀHv) of a loss of one vector and its target.
fn orders(f: impl Fn(Var, Var) -> Var, x: &[f64], target: &[f64], v: &[f64]) -> [Vec<f64>; 4] {
    let tape = Tape::new();
    let shape = [1, x.len()];
    let [z, t, d] = ["z", "t", "d"].map(|name| tape.input(name, DType::F64, shape));
    let f = f(z, t);
    let product = f.hvp(z, d);
    let third = (product * d).sum().grad(z);
    let inputs = [f64s(&shape, x), f64s(&shape, target), f64s(&shape, v)];
    let out = run(&tape, &[f, f.grad(z), product, third], &inputs.each_ref());
    [0, 1, 2, 3].map(|i| out[i].to_f64_vec())
}

#[test]
fn soft_cross_entropy_is_its_closed_form() {
    let (z, t, v) = (noise(1, 5), distribution(2, 5), noise(3, 5));
    let p = softmax(&z);
    let [value, gradient, product, _] = orders(loss::cross_entropy_soft, &z, &t, &v);
    let expected: f64 = t.iter().zip(&p).map(|(t, p)| -t * p.ln()).sum();
    assert_close(&value, &[expected], 1e-14);
    let expected: Vec<f64> = p.iter().zip(&t).map(|(p, t)| p - t).collect();
    assert_close(&gradient, &expected, 1e-14);
    // H = diag p − ppᵀ.
    let mean: f64 = p.iter().zip(&v).map(|(p, v)| p * v).sum();
    let expected: Vec<f64> = p.iter().zip(&v).map(|(p, v)| p * (v - mean)).collect();
    assert_close(&product, &expected, 1e-14);
}

#[test]
fn one_hot_targets_give_the_cross_entropy_of_labels() {
    let tape = Tape::new();
    let z = tape.input("z", DType::F32, [3, 4]);
    let labels = tape.literal(&Array::vector([3u32, 0, 2]));
    let soft = loss::cross_entropy_soft_per_example(z, labels.one_hot(4, DType::F32));
    let hard = loss::cross_entropy_per_example(z, labels);
    let out = run(&tape, &[soft, hard], &[&f64s(&[3, 4], &noise(5, 12)).cast(DType::F32)]);
    assert_eq!(out[0], out[1]);
}

#[test]
fn a_class_that_is_ruled_out_is_as_if_it_were_not_there() {
    let (z, t, v) = (noise(1, 4), distribution(2, 4), noise(3, 4));
    let without = orders(loss::cross_entropy_soft, &z, &t, &v);
    for place in 0..=4 {
        let with = |values: &[f64], more: f64| {
            let mut values = values.to_vec();
            values.insert(place, more);
            values
        };
        let (z, t, v) = (with(&z, f64::NEG_INFINITY), with(&t, 0.0), with(&v, 0.7));
        let mut found = orders(loss::cross_entropy_soft, &z, &t, &v);
        for derivative in &mut found[1..] {
            assert_eq!(derivative.remove(place), 0.0);
        }
        for (found, expected) in found.iter().zip(&without) {
            assert_close(found, expected, 1e-14);
        }
    }
}

#[test]
fn a_target_of_zero_still_has_its_derivative() {
    // ∂/∂t of −t log p is −log p, also at t = 0.
    let tape = Tape::new();
    let (z, t) = (tape.input("z", DType::F64, [1, 3]), tape.input("t", DType::F64, [1, 3]));
    let f = loss::cross_entropy_soft(z, t);
    let values = noise(4, 3);
    let out =
        run(&tape, &[f.grad(t)], &[&f64s(&[1, 3], &values), &f64s(&[1, 3], &[0.0, 1.0, 0.0])]);
    let expected: Vec<f64> = softmax(&values).iter().map(|p| -p.ln()).collect();
    assert_close(&out[0].to_f64_vec(), &expected, 1e-14);
}

#[test]
fn binary_cross_entropy_is_accurate_at_zero_and_in_the_tails() {
    // Relative errors: what is small must be as accurate as what is large.
    let near = |found: f64, expected: f64, of: &str, x: f64| {
        let error = (found - expected).abs();
        // A dozen roundings and the engine's 2 units in the last place.
        assert!(error <= 1e-14 * expected.abs(), "{of} at {x}: {found} is not {expected}");
    };
    for x in [0.0, 1e-300, 1e-9, 0.3, 2.0, 20.0, 40.0, 100.0, 700.0] {
        for x in [x, -x] {
            for t in [0.0, 1.0, 0.25] {
                let f = loss::binary_cross_entropy_with_logits;
                let [value, gradient, product, third] = orders(f, &[x], &[t], &[1.0]);
                // e^(−|x|), from which all follow without cancellation.
                let e = (-x.abs()).exp();
                let (yes, no) = if x > 0.0 { (1.0, e) } else { (e, 1.0) };
                let (yes, no) = (yes / (1.0 + e), no / (1.0 + e));
                let against = |x: f64| e.ln_1p() + x.max(0.0);
                near(value[0], t * against(-x) + (1.0 - t) * against(x), "value", x);
                let curvature = e / (1.0 + e).powi(2);
                near(product[0], curvature, "second derivative", x);
                if t != 0.25 {
                    near(gradient[0], if t == 0.0 { yes } else { -no }, "gradient", x);
                    // σ″ = σ(1 − σ)(1 − 2σ), and 1 − 2σ = −tanh(x/2).
                    near(third[0], -curvature * (0.5 * x).tanh(), "third derivative", x);
                }
            }
        }
    }
}

#[test]
fn the_binary_hessian_at_zero_logits_is_a_quarter_of_the_mean_outer_product() {
    let (n, d) = (6, 3);
    let x = noise(1, n * d);
    let tape = Tape::new();
    let w = tape.input("w", DType::F64, [d]);
    let rows = tape.literal(&f64s(&[n, d], &x));
    let t = tape.literal(&Array::vector([0.0, 1.0, 0.5, 1.0, 0.0, 0.2]));
    let f = loss::binary_cross_entropy_with_logits(rows.matmul(w), t);
    let out = run(&tape, &[f.hessian(w)], &[&Array::zeros(DType::F64, [d])]);
    let expected: Vec<f64> = (0..d * d)
        .map(|k| x.chunks(d).map(|x| x[k / d] * x[k % d]).sum::<f64>() / (4 * n) as f64)
        .collect();
    assert_close(&out[0].to_f64_vec(), &expected, 1e-15);
}

#[test]
fn infinite_logits_that_agree_with_their_targets_cost_nothing() {
    let infinities = [f64::INFINITY, f64::NEG_INFINITY];
    let f = loss::binary_cross_entropy_with_logits;
    let found = orders(f, &infinities, &[1.0, 0.0], &[0.3, 0.4]);
    assert!(found.iter().flatten().all(|&x| x == 0.0), "{found:?}");
}

/// Loss, first and second derivative by r of each r, for a target that is not 0.
fn by_difference(f: impl Fn(Var, Var) -> Var, r: &[f64], dtype: DType) -> [Vec<f64>; 3] {
    let tape = Tape::new();
    let [p, t] = ["p", "t"].map(|name| tape.input(name, dtype, [r.len()]));
    let each = f(p, t);
    let ones = tape.full(dtype, [r.len()], 1.0);
    let outputs = [each, each.sum().grad(p), each.sum().hvp(p, ones)];
    let target: Vec<f64> = r.iter().map(|_| 8.0).collect();
    let pred: Vec<f64> = r.iter().map(|r| r + 8.0).collect();
    let inputs = [pred, target].map(|x| Array::from_f64(dtype, [r.len()], &x).unwrap());
    let out = run(&tape, &outputs, &inputs.each_ref());
    [0, 1, 2].map(|i| out[i].to_f64_vec())
}

#[test]
fn huber_is_a_parabola_with_tangents_and_belongs_to_it_at_the_kinks() {
    let (delta, r) = (1.5, [-4.0, -1.5, -0.5, 0.0, 1.0, 1.5, 1.75]);
    let square = |r: f64| r.abs() <= delta;
    let value = r.map(|r| if square(r) { 0.5 * r * r } else { delta * (r.abs() - 0.5 * delta) });
    let first = r.map(|r| r.clamp(-delta, delta));
    let second = r.map(|r| f64::from(u8::from(square(r))));
    for dtype in [DType::F32, DType::F64] {
        // All of these are sums and products of few bits, so exact.
        let f = |p, t| loss::huber_per_example(p, t, delta).unwrap();
        let found = by_difference(f, &r, dtype);
        assert_eq!(found, [value.to_vec(), first.to_vec(), second.to_vec()]);
        let f = |p, t| loss::smooth_l1_per_example(p, t, delta).unwrap();
        let tolerance = if dtype == DType::F32 { 1e-7 } else { 1e-15 };
        for (found, huber) in by_difference(f, &r, dtype).iter().zip([value, first, second]) {
            assert_close(found, &huber.map(|x| x / delta), tolerance);
        }
    }
    let tape = Tape::new();
    let (p, t) = (tape.full(DType::F64, [2, 2], 3.0), tape.full(DType::F64, [2, 2], 1.0));
    let means = [loss::huber(p, t, 1.0).unwrap(), loss::smooth_l1(p, t, 4.0).unwrap()];
    let out = run(&tape, &means, &[]);
    assert_eq!([out[0].item().unwrap(), out[1].item().unwrap()], [1.5, 0.5]);
}

#[test]
fn huge_differences_neither_overflow_nor_spoil_the_gradient() {
    let f = |p, t| loss::huber_per_example(p, t, 1.0).unwrap();
    let [value, first, second] = by_difference(f, &[1e30, -1e30], DType::F32);
    assert!(value.iter().all(|x| x.is_finite()), "{value:?}");
    assert_eq!((first, second), (vec![1.0, -1.0], vec![0.0, 0.0]));
}

#[test]
fn bends_that_are_not_positive_are_refused() {
    let tape = Tape::new();
    let p = tape.input("p", DType::F64, [2]);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-60] {
        for result in [
            loss::huber(p, p, bad),
            loss::huber_per_example(p, p, bad),
            loss::smooth_l1(p, p, bad),
            loss::smooth_l1_per_example(p, p, bad),
        ] {
            assert!(matches!(result, Err(Error::Positive { .. })), "{bad}");
        }
    }
    let said = loss::huber(p, p, -1.0).unwrap_err().to_string();
    assert_eq!(said, "the δ of Huber's loss must be positive and finite, but is -1");
    assert!(tape.error().is_none());
}
