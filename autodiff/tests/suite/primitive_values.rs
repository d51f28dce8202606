//! The values of every primitive against plain Rust, on both backends.

use burlap_autodiff::{
    Array, Backend, Binary, Compare, Cpu, DType, Interpreter, Op, Padding, Tape, Unary, Var,
};
use std::collections::BTreeSet;

type Function = fn(&Tape, Var) -> Var;

fn indices(tape: &Tape, shape: &[usize], values: &[u32]) -> Var {
    tape.literal(&Array::from_vec(shape, values.to_vec()).unwrap())
}

fn pad3(before: usize, between: usize, after: usize) -> Padding {
    Padding { before, between, after }
}

/// Comparisons against plain Rust, on both backends and in both float types. The values of other
/// elementwise primitives are those of `range`, which has a case of each.
#[test]
fn values_of_comparisons() {
    let xs = [0.3, 0.5, 1.0, 1.7, f64::NAN];
    let ys = [1.3, 0.5, -1.0, f64::NAN, 0.25];
    let compare = |f: Compare, a: f64, b: f64| match f {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    };
    let record = |f: Compare, a: Var, b: Var| match f {
        Compare::Eq => a.equal(b),
        Compare::Ne => a.not_equal(b),
        Compare::Lt => a.lt(b),
        Compare::Le => a.le(b),
        Compare::Gt => a.gt(b),
        Compare::Ge => a.ge(b),
    };
    for dtype in [DType::F32, DType::F64] {
        let tape = Tape::new();
        let [a, b] = ["a", "b"].map(|name| tape.input(name, dtype, [5]));
        let outputs: Vec<Var> = Compare::ALL.iter().map(|&f| record(f, a, b)).collect();
        let inputs = [xs, ys].map(|v| Array::from_f64(dtype, [5], &v).unwrap());
        let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
        let interpreter = tape.compile(&Interpreter, &outputs).unwrap();
        for program in [cpu, interpreter] {
            let out = program.run(&[&inputs[0], &inputs[1]]).unwrap();
            for (&f, out) in Compare::ALL.iter().zip(&out) {
                // No two of these round to the same number.
                let expected = xs.iter().zip(&ys).map(|(&x, &y)| compare(f, x, y));
                let expected: Vec<f64> = expected.map(|e| f64::from(u8::from(e))).collect();
                assert_eq!(out.to_f64_vec(), expected, "{} in {dtype}", f.name());
            }
        }
    }
}

/// Movements of the numbers 0, 1, 2, …: where each ends up.
#[test]
fn values_of_structural_primitives() {
    type Movement = (&'static str, &'static [usize], Function, &'static [f64]);
    let movements: Vec<Movement> = vec![
        ("select", &[4], |_, x| x.gt(1.0).select(x, -x), &[0., -1., 2., 3.]),
        ("cast", &[3], |_, x| (x + 0.9).cast(DType::U32).cast(DType::F64), &[0., 1., 2.]),
        ("cast", &[3], |_, x| (x - 1.0).cast(DType::Bool).cast(DType::F64), &[1., 0., 1.]),
        (
            "cast",
            &[3],
            |_, x| (1e10 * (x - 1.0)).cast(DType::U32).cast(DType::F64),
            &[0., 0., 4294967295.],
        ),
        ("stop_gradient", &[2], |_, x| x.stop_gradient() + 1.0, &[1., 2.]),
        ("sum", &[2, 3], |_, x| x.sum_axes(&[1]), &[3., 12.]),
        ("cumsum", &[2, 3], |_, x| x.cumsum(1), &[0., 1., 3., 3., 7., 12.]),
        ("max_over", &[2, 3], |_, x| x.max_axes(&[0]), &[3., 4., 5.]),
        ("min_over", &[2, 3], |_, x| (-x).min_axes(&[1]), &[-2., -5.]),
        ("argmax", &[2, 3], |_, x| (-(x - 1.0).square()).argmax(1).cast(DType::F64), &[1., 0.]),
        ("reshape", &[2, 3], |_, x| x.t().reshape([6]), &[0., 3., 1., 4., 2., 5.]),
        ("broadcast", &[2, 1], |_, x| x.broadcast_to([2, 2, 2]), &[0., 0., 1., 1., 0., 0., 1., 1.]),
        ("broadcast", &[2], |_, x| x.broadcast_axes([2, 2], &[0]), &[0., 0., 1., 1.]),
        ("transpose", &[2, 1, 3], |_, x| x.transpose(&[2, 0, 1]), &[0., 3., 1., 4., 2., 5.]),
        ("slice", &[2, 4], |_, x| x.slice_steps(&[(1, 2, 1), (1, 4, 2)]), &[5., 7.]),
        ("pad", &[2], |_, x| (x + 1.0).pad(&[pad3(1, 2, 1)]), &[0., 1., 0., 0., 2., 0.]),
        ("concat", &[2, 1], |t, x| t.concat(&[x, x + 5.0], 1), &[0., 5., 1., 6.]),
        ("concat", &[2], |t, x| t.stack(&[x, x + 5.0], 0), &[0., 1., 5., 6.]),
        ("flip", &[2, 2], |_, x| x.flip(&[1]), &[1., 0., 3., 2.]),
        ("contract", &[2, 2], |_, x| x.matmul(x), &[2., 3., 6., 11.]),
        ("contract", &[2, 2], |_, x| x.einsum("ij,ik->kj", x + 1.0), &[6., 10., 8., 14.]),
        ("gather", &[3], |t, x| x.gather(0, indices(t, &[2], &[2, 0])), &[2., 0.]),
        (
            "scatter_add",
            &[3],
            |t, x| t.zeros(DType::F64, [2]).scatter_add(0, indices(t, &[3], &[1, 1, 0]), x),
            &[2., 1.],
        ),
        ("take_along", &[2, 2], |t, x| x.take_along(1, indices(t, &[2, 1], &[1, 0])), &[1., 2.]),
        (
            "one_hot",
            &[2],
            |t, _| indices(t, &[2], &[1, 7]).one_hot(2, DType::F64),
            &[0., 1., 0., 0.],
        ),
    ];
    let mut covered = BTreeSet::new();
    for (name, shape, f, expected) in movements {
        covered.insert(name);
        let n: usize = shape.iter().product();
        let numbers = Array::from_vec(shape, (0..n).map(|i| i as f64).collect()).unwrap();
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, shape);
        let y = f(&tape, x);
        let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &[y]).unwrap();
        let interpreter = tape.compile(&Interpreter, &[y]).unwrap();
        for program in [cpu, interpreter] {
            assert_eq!(program.run(&[&numbers]).unwrap()[0].to_f64_vec(), expected, "{name}");
        }
    }
    let elementwise = |name: &str| {
        Unary::ALL.iter().any(|f| f.name() == name)
            || Binary::ALL.iter().any(|f| f.name() == name)
            || Compare::ALL.iter().any(|f| f.name() == name)
    };
    // Random numbers have tests of their own below; the others occur in derivatives alone.
    let elsewhere = ["uniform", "normal", "bits", "scatter_along", "recompute"];
    for name in Op::names() {
        assert!(covered.contains(name) || elementwise(name) || elsewhere.contains(&name), "{name}");
    }
}

/// Running sums from either end, of each type, on both backends, for any place of the axis: in the order
/// that is told, with one rounding each where the type is F32.
#[test]
fn running_sums() {
    for (shape, axis) in [([3, 5, 130], 1), ([4, 7, 1], 1), ([2, 3, 4], 2), ([5, 2, 3], 0)] {
        for dtype in [DType::F64, DType::F32, DType::U32] {
            let n: usize = shape.iter().product();
            let number = |i: usize| match dtype {
                DType::U32 => f64::from(u32::MAX - 7 * i as u32),
                DType::F32 | DType::F64 | DType::Bool => dtype.round((1.3 * i as f64).sin()),
            };
            let values: Vec<f64> = (0..n).map(number).collect();
            let tape = Tape::new();
            let x = tape.input("x", dtype, shape);
            let forward = x.cumsum(axis);
            let mut outputs = vec![forward];
            if dtype.is_float() {
                outputs.push(forward.vjp(x, x));
            }
            let at = Array::from_f64(dtype, shape, &values).unwrap();
            let inner: usize = shape[axis + 1..].iter().product();
            // What comes before an element, nearest last.
            let sum = |i: usize, reverse: bool| {
                let j = i / inner % shape[axis];
                let from = |k: usize| values[i + k * inner - j * inner];
                let plus = |a: f64, b: f64| match dtype {
                    DType::U32 => f64::from((a as u32).wrapping_add(b as u32)),
                    DType::F32 | DType::F64 | DType::Bool => a + b,
                };
                let all = match reverse {
                    false => (0..=j).map(from).reduce(plus),
                    true => (j..shape[axis]).rev().map(from).reduce(plus),
                };
                dtype.round(all.unwrap())
            };
            let (cpu, interpreter) = (Cpu::with_threads(2).unwrap(), Interpreter);
            for backend in [&cpu as &dyn Backend, &interpreter] {
                let out = tape.compile(backend, &outputs).unwrap().run(&[&at]).unwrap();
                for (found, reverse) in out.iter().zip([false, true]) {
                    let expected: Vec<f64> = (0..n).map(|i| sum(i, reverse)).collect();
                    assert_eq!(found.to_f64_vec(), expected, "{dtype} {shape:?} {axis} {reverse}");
                }
            }
        }
    }
    let tape = Tape::new();
    let wrong = tape.input("x", DType::Bool, [2]).cumsum(0);
    let error = tape.compile(&Interpreter, &[wrong]).unwrap_err().to_string();
    assert!(error.starts_with("cumsum: the operand must be numeric; cast masks first"), "{error}");
}

/// Random numbers depend on key and stream alone, and have the moments they should.
#[test]
fn random_primitives() {
    const N: usize = 40_000;
    let tape = Tape::new();
    let key = tape.input("key", DType::U32, [2]);
    let outputs = [
        key.uniform(0, DType::F64, [N]),
        key.normal(0, DType::F64, [N]),
        key.bits(0, [N]).cast(DType::F64) * (0.5f64.powi(32)),
        key.uniform(1, DType::F64, [N]),
        key.uniform(0, DType::F32, [N]).cast(DType::F64),
        key.bits(3, [2]).uniform(0, DType::F64, [N]),
    ];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let out = program.run(&[&Array::vector([1u32, 2])]).unwrap();
    let moments = |a: &Array| {
        let x = a.to_f64_vec();
        let mean = x.iter().sum::<f64>() / N as f64;
        (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64)
    };
    for (i, a) in out.iter().enumerate() {
        let (mean, variance) = moments(a);
        let (expected_mean, expected_variance) =
            if i == 1 { (0.0, 1.0) } else { (0.5, 1.0 / 12.0) };
        // Five standard errors of the mean, and of the variance (at most that of the normal).
        let error = 5.0 * (expected_variance / N as f64).sqrt();
        assert!((mean - expected_mean).abs() < error, "{i}: {mean}");
        let error = 5.0 * expected_variance * (2.0 / N as f64).sqrt();
        assert!((variance - expected_variance).abs() < error, "{i}: {variance}");
        assert!(i == 1 || a.to_f64_vec().iter().all(|x| (0.0..1.0).contains(x)), "{i}");
    }
    assert_ne!(out[0], out[3], "streams differ");
    assert_ne!(out[0], out[5], "keys differ");
    assert_eq!(
        program.run(&[&Array::vector([1u32, 2])]).unwrap(),
        out,
        "the same key, the same numbers"
    );
    assert_ne!(program.run(&[&Array::vector([1u32, 3])]).unwrap()[0], out[0]);
}
