//! Many directions and many examples at once.

use super::close;
use crate::vmap::assert_one;
use burlap_autodiff::testing::random_programs;
use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape, Var, map_rows, vmap};

fn wave(shape: &[usize], phase: f64) -> Array {
    let n = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|i| (1.3 * i as f64 + phase).sin()).collect();
    Array::from_vec(shape, values).unwrap()
}

fn run(tape: &Tape, outputs: &[Var], inputs: &[&Array]) -> Vec<Array> {
    tape.compile(&Cpu::with_threads(1).unwrap(), outputs).unwrap().run(inputs).unwrap()
}

const SIZES: [usize; 6] = [7, 9, 8, 6, 5, 3];

/// The parameters of a network of five layers as one vector, and its loss on a batch.
fn loss(parameters: Var, batch: Var, targets: Var) -> Var {
    let (mut h, mut start) = (batch, 0);
    for (i, w) in SIZES.windows(2).enumerate() {
        let mut take = |shape: &[usize]| {
            let n: usize = shape.iter().product();
            start += n;
            parameters.slice_axis(0, start - n, start).reshape(shape)
        };
        h = h.matmul(take(w)) + take(&w[1..]);
        if i < 4 {
            h = h.tanh();
        }
    }
    (h - targets).square().sum()
}

fn parameters() -> usize {
    SIZES.windows(2).map(|w| (w[0] + 1) * w[1]).sum()
}

#[test]
fn hvp_many_is_many_hvps() {
    for program in random_programs(200, 21, true) {
        let tape = Tape::new();
        let recorded = program.record(&tape, DType::F64);
        let (x, f) = (recorded.x, recorded.loss);
        let shape = [&[4], &x.shape()[..]].concat();
        let vs = tape.input("vs", DType::F64, shape.clone());
        let all = f.value_grad_hvp_many(x, vs);
        let each: Vec<Var> = (0..4).map(|i| f.hvp(x, vs.at(i))).collect();
        let again = f.hvp_many(x, vs);
        let mut inputs = recorded.values.clone();
        inputs.push(wave(&shape, 0.4));
        let inputs: Vec<&Array> = inputs.iter().collect();
        let found = run(&tape, &[all.hvp, all.grad, all.value], &inputs);
        assert_one(&tape, all.hvp, again, || format!("{program:?}"));
        let expected = run(&tape, &[tape.stack(&each, 0), f.grad(x), f], &inputs);
        for (a, b) in found.iter().zip(&expected) {
            close(a, b, &format!("{program:?}"));
        }
    }
}

#[test]
fn directions_that_the_function_uses_and_that_depend_on_the_variable() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let vs = tape.input("vs", DType::F64, [2, 3]);
    let ws = vs * x.sin();
    // It depends on the directions, on a product with them, and on x through them.
    let f = (x.exp() * ws.sum_axes(&[0])).sum() + vs.matmul(x).square().sum();
    let g = f + 0.1 * f.hvp_many(x, ws).square().sum();
    let each: Vec<Var> = (0..2).map(|i| g.hvp(x, ws.at(i))).collect();
    let looped = {
        let inner: Vec<Var> = (0..2).map(|i| f.hvp(x, ws.at(i))).collect();
        let g = f + 0.1 * tape.stack(&inner, 0).square().sum();
        let each: Vec<Var> = (0..2).map(|i| g.hvp(x, ws.at(i))).collect();
        tape.stack(&each, 0)
    };
    let all = g.value_grad_hvp_many(x, ws);
    // And the result depends on x in both ways.
    let outer = all.hvp.square().sum().grad(x);
    let outputs = [all.hvp, outer, all.grad, all.hvp];
    let expected = [tape.stack(&each, 0), looped.square().sum().grad(x), g.grad(x), looped];
    let inputs = [&wave(&[3], 0.2), &wave(&[2, 3], 0.9)];
    let found = run(&tape, &outputs, &inputs);
    for (i, (a, b)) in found.iter().zip(&run(&tape, &expected, &inputs)).enumerate() {
        close(a, b, &format!("output {i}"));
    }
}

#[test]
fn many_directions_share_the_primal_products() {
    let count = |k: usize| {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [parameters()]);
        let (batch, targets) =
            (tape.literal(&wave(&[4, 7], 0.1)), tape.literal(&wave(&[4, 3], 0.2)));
        let f = loss(x, batch, targets);
        let all = match k {
            0 => {
                let v = tape.input("v", DType::F64, [parameters()]);
                f.value_grad_hvp(x, v)
            }
            k => {
                let vs = tape.input("vs", DType::F64, [k, parameters()]);
                f.value_grad_hvp_many(x, vs)
            }
        };
        let program = tape.compile(&Interpreter, &[all.value, all.grad, all.hvp]).unwrap();
        program.op_counts()["contract"]
    };
    // None more than for one direction without an axis of its own.
    let one = count(0);
    assert_eq!([1, 7, 63].map(count), [one; 3]);
    println!("{one} products for any number of directions");
}

#[test]
fn per_example_gradients_sum_to_the_gradient() {
    let tape = Tape::new();
    let p = tape.input("p", DType::F64, [parameters()]);
    let xs = tape.input("xs", DType::F64, [6, 7]);
    let ys = tape.input("ys", DType::F64, [6, 3]);
    let each = map_rows([xs, ys], |[x, y]| {
        let f = loss(p, x.expand_dims(0), y.expand_dims(0));
        [f, f.grad(p), f.hvp(p, p)]
    });
    let f = loss(p, xs, ys);
    let sums: Vec<Var> = each.iter().map(|e| e.sum_axes(&[0])).collect();
    let slices: Vec<Var> = (0..6)
        .map(|i| {
            let entry = |a: Var| a.slice_axis(0, i, i + 1);
            loss(p, entry(xs), entry(ys)).grad(p)
        })
        .collect();
    let inputs = [&wave(&[parameters()], 0.3), &wave(&[6, 7], 0.7), &wave(&[6, 3], 0.8)];
    let found = run(&tape, &[sums[0], sums[1], sums[2], each[1]], &inputs);
    let expected = run(&tape, &[f, f.grad(p), f.hvp(p, p), tape.stack(&slices, 0)], &inputs);
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        close(a, b, &format!("output {i}"));
    }
}

/// Rows that each draw from their own key, and derivatives through what they drew.
#[test]
fn rows_with_keys_of_their_own() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let keys = tape.input("keys", DType::U32, [4, 2]);
    let f = |key: Var| (x * key.normal(0, DType::F64, [3])).sin().sum();
    let rows = map_rows([keys], |[key]| [f(key), f(key).grad(x)]);
    let each: Vec<Var> = (0..4).map(|i| f(keys.at(i)).grad(x)).collect();
    let keys = Array::from_vec([4, 2], vec![1u32, 2, 3, 4, 5, 6, 1, 2]).unwrap();
    let out = run(&tape, &[rows[0], rows[1], tape.stack(&each, 0)], &[&wave(&[3], 0.5), &keys]);
    assert_eq!(out[1], out[2]);
    let values = out[0].to_f64_vec();
    assert!(values[0] == values[3] && values[0] != values[1], "{values:?}");
}

#[test]
fn hessian_in_blocks_has_the_hvps_as_rows() {
    let tape = Tape::new();
    let n = 37;
    let x = tape.input("x", DType::F64, [n]);
    let f = (x * x.flip(&[0])).sin().sum() * x.exp().sum();
    let eye = tape.literal(&Array::eye(DType::F64, n));
    let rows: Vec<Var> = (0..n).map(|i| f.hvp(x, eye.at(i))).collect();
    let out = run(&tape, &[f.hessian(x), tape.stack(&rows, 0)], &[&wave(&[n], 0.1)]);
    close(&out[0], &out[1], "hessian");
    let y = (x * x.flip(&[0])).sin();
    for m in [3, n, 50] {
        let map = tape.literal(&wave(&[m, n], 0.6));
        let z = map.matmul(y).exp();
        let columns: Vec<Var> = (0..n).map(|i| z.jvp(x, eye.at(i))).collect();
        let out = run(&tape, &[z.jacobian(x), tape.stack(&columns, 1)], &[&wave(&[n], 0.1)]);
        close(&out[0], &out[1], "jacobian");
    }
}

#[test]
fn a_hundred_thousand_nodes() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let xs = tape.input("xs", DType::F64, [2]);
    let mut y = x;
    for i in 0..100_000 {
        y = if i % 2 == 0 { y.recip() } else { y * 1.000_001 };
    }
    let all = vmap(&[y, y.grad(x)], &[(x, xs)]);
    let program = tape.compile_with(&Cpu::new(), &[xs], &all).unwrap();
    let two = program.run(&[&Array::vector([0.3, 0.9])]).unwrap();
    let one = tape.compile_with(&Cpu::new(), &[x], &[y, y.grad(x)]).unwrap();
    for (i, x) in [0.3, 0.9].into_iter().enumerate() {
        let one = one.run(&[&Array::scalar(x)]).unwrap();
        for (two, one) in two.iter().zip(&one) {
            assert_eq!(two.to_f64_vec()[i], one.item().unwrap());
        }
    }
}
