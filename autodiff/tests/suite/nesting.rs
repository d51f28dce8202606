//! Derivatives of derivatives where variable and direction are entangled.

use burlap_autodiff::{Array, Cpu, DType, Tape, Var};

const X: [f64; 3] = [0.7, -0.4, 1.3];

/// A function without symmetries that could hide a mistake.
fn f(x: Var) -> Var {
    (x.at(0) * x.at(1)).sin() + x.at(1).exp() * x.at(2).square() + (x * x).sum().sqrt() * x.at(0)
}

/// Runs what `build` records for x = X.
fn at_x(build: impl FnOnce(&Tape, Var) -> Vec<Var>) -> Vec<Array> {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let outputs = build(&tape, x);
    tape.compile(&Cpu::new(), &outputs).unwrap().run(&[&Array::vector(X)]).unwrap()
}

/// The Hessian at X times a vector, by the dense matrix.
fn dense(v: &[f64]) -> Vec<f64> {
    let h = at_x(|_, x| vec![f(x).hessian(x)])[0].to_f64_vec();
    h.chunks(3).map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum()).collect()
}

fn gradient() -> Vec<f64> {
    at_x(|_, x| vec![f(x).grad(x)])[0].to_f64_vec()
}

#[track_caller]
fn close(a: &[f64], b: &[f64]) {
    let scale = b.iter().fold(1e-300f64, |m, x| m.max(x.abs()));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        // A few dozen roundings of numbers of this size.
        assert!((a - b).abs() <= 1e-13 * scale, "{a} {b}");
    }
}

#[test]
fn a_direction_that_depends_on_the_variable_is_held_fixed() {
    let out = at_x(|_, x| {
        let g = f(x).grad(x);
        let all = f(x).value_grad_hvp(x, g);
        vec![all.hvp, all.grad]
    });
    close(&out[0].to_f64_vec(), &dense(&gradient()));
    close(&out[1].to_f64_vec(), &gradient());
}

#[test]
fn the_variable_itself_can_be_the_direction() {
    let out = at_x(|_, x| {
        let all = f(x).value_grad_hvp(x, x);
        vec![all.hvp, all.grad, f(x).second_directional(x, x)]
    });
    let hx = dense(&X);
    close(&out[0].to_f64_vec(), &hx);
    close(&out[1].to_f64_vec(), &gradient());
    close(&[out[2].item().unwrap()], &[hx.iter().zip(X).map(|(h, x)| h * x).sum()]);
}

#[test]
fn a_function_may_depend_on_the_direction() {
    // g(x) = f(x) (v·x)² with v also the direction.
    let v = [0.3, 1.1, -0.8];
    let build = |separate: bool| {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [3]);
        let v1 = tape.input("v", DType::F64, [3]);
        let v2 = tape.input("w", DType::F64, [3]);
        let g = f(x) * v1.dot(x).square();
        let all = g.value_grad_hvp(x, if separate { v2 } else { v1 });
        let inputs = [&Array::vector(X), &Array::vector(v), &Array::vector(v)];
        tape.compile(&Cpu::new(), &[all.hvp, all.grad]).unwrap().run(&inputs).unwrap()
    };
    let (same, apart) = (build(false), build(true));
    for (a, b) in same.iter().zip(&apart) {
        close(&a.to_f64_vec(), &b.to_f64_vec());
    }
}

#[test]
fn products_within_products_of_the_same_direction() {
    // s(x) = vᵀH(x)v by one hvp; its gradient and Hessian by further ones along the same v.
    let v = [0.3, 1.1, -0.8];
    let build = |again: bool| {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [3]);
        let v1 = tape.input("v", DType::F64, [3]);
        let v2 = tape.input("w", DType::F64, [3]);
        let s = f(x).hvp(x, v1).dot(v1);
        let all = s.value_grad_hvp(x, if again { v1 } else { v2 });
        let third = s.grad(x);
        let by_name = f(x).second_directional_grad(x, v1).1;
        let inputs = [&Array::vector(X), &Array::vector(v), &Array::vector(v)];
        let outputs = [all.hvp, all.grad, third, by_name];
        tape.compile(&Cpu::new(), &outputs).unwrap().run(&inputs).unwrap()
    };
    let (same, apart) = (build(true), build(false));
    for (a, b) in same.iter().zip(&apart) {
        close(&a.to_f64_vec(), &b.to_f64_vec());
    }
    close(&same[1].to_f64_vec(), &same[2].to_f64_vec());
    close(&same[2].to_f64_vec(), &same[3].to_f64_vec());
}

#[test]
fn a_product_still_depends_on_its_direction() {
    // ∂/∂v of u·H v is H u, and with v = x the total derivative has both parts.
    let u = [0.2, -1.0, 0.5];
    let out = at_x(|tape, x| {
        let u = tape.literal(&Array::vector(u));
        let v = x * 1.0 + 0.0;
        let w = (x.sin() * 2.0).exp();
        vec![f(x).hvp(x, w).dot(u).grad(x), f(x).hvp(x, v).dot(u).grad(x)]
    });
    // By differences of the gradient of u·H w with w held as a function of x.
    let g = |x: [f64; 3]| {
        let tape = Tape::new();
        let input = tape.input("x", DType::F64, [3]);
        let w = (input.sin() * 2.0).exp();
        let u = tape.literal(&Array::vector(u));
        let value = f(input).hvp(input, w).dot(u);
        tape.compile(&Cpu::new(), &[value]).unwrap().run(&[&Array::vector(x)]).unwrap()[0]
            .item()
            .unwrap()
    };
    let found = out[0].to_f64_vec();
    for (i, found) in found.iter().enumerate() {
        let difference = |h: f64| {
            let (mut a, mut b) = (X, X);
            a[i] += h;
            b[i] -= h;
            (g(a) - g(b)) / (2.0 * h)
        };
        // One step of Richardson: truncation h⁴, rounding 1e-16/h.
        let (coarse, fine) = (difference(2e-3), difference(1e-3));
        let expected = fine + (fine - coarse) / 3.0;
        assert!((found - expected).abs() <= 1e-8 * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn gradients_of_intermediate_values_and_of_several() {
    let out = at_x(|_, x| {
        let h = x.sin();
        let y = (h * h).sum();
        let both = (y + x.sum()).grads(&[h, x]);
        vec![y.grad(h), both[0], both[1], y.grad(x)]
    });
    let sin: Vec<f64> = X.iter().map(|x| 2.0 * x.sin()).collect();
    close(&out[0].to_f64_vec(), &sin);
    close(&out[1].to_f64_vec(), &sin);
    // Named together they are independent: what flows through h is not x's.
    close(&out[2].to_f64_vec(), &[1.0; 3]);
    let chain: Vec<f64> = X.iter().map(|x| 2.0 * x.sin() * x.cos()).collect();
    close(&out[3].to_f64_vec(), &chain);
}

#[test]
fn nothing_flows_through_stop_gradient() {
    let out = at_x(|_, x| {
        let y = (x * x.stop_gradient()).sum();
        vec![y.grad(x), y.hessian(x), y.jvp(x, x)]
    });
    close(&out[0].to_f64_vec(), &X);
    assert!(out[1].to_f64_vec().iter().all(|h| *h == 0.0));
    close(&[out[2].item().unwrap()], &[X.iter().map(|x| x * x).sum()]);
}

#[test]
fn what_does_not_depend_has_zero_derivatives() {
    let out = at_x(|tape, x| {
        let c = tape.constant(DType::F64, 3.0);
        let y = c * c;
        vec![y.grad(x), y.hvp(x, x), y.hessian(x), y.jvp(x, x), (x.sum() * 2.0).hessian(x)]
    });
    assert!(out.iter().all(|a| a.to_f64_vec().iter().all(|x| *x == 0.0)));
    assert_eq!(out[2].shape()[..], [3, 3]);
}

#[test]
fn overlapping_slices_add_up() {
    let out = at_x(|_, x| {
        let y = x.slice_axis(0, 1, 3) - x.slice_axis(0, 0, 2).square();
        vec![(y * y).sum().grad(x), (x.at(1) * x.at(1).sin()).grad(x)]
    });
    let [a, b, c] = X;
    let (p, q) = (b - a * a, c - b * b);
    close(&out[0].to_f64_vec(), &[-4.0 * a * p, 2.0 * p - 4.0 * b * q, 2.0 * q]);
    close(&out[1].to_f64_vec(), &[0.0, b.sin() + b * b.cos(), 0.0]);
}
