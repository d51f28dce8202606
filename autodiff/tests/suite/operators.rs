//! Operators: literals of both kinds, masks, and products and sums over axes.

use burlap_autodiff::testing::check_hessian;
use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape, Var};

fn texts(outputs: &[Var], tape: &Tape, inputs: &[&Array]) -> Vec<String> {
    let out = tape.compile(&Cpu::new(), outputs).unwrap().run(inputs).unwrap();
    out.iter().map(ToString::to_string).collect()
}

#[test]
fn whole_numbers_are_literals() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let mut y = x;
    y *= 3;
    y -= 1;
    let outputs = [2 * x, x * 2, 1 - x, x / 2, 6 / x, x + 1, x.max(2), x.equal(3), y, x.pow(2)];
    let expected = [
        "[2, 6]",
        "[2, 6]",
        "[0, -2]",
        "[0.5, 1.5]",
        "[6, 2]",
        "[2, 4]",
        "[2, 3]",
        "[false, true]",
        "[2, 8]",
        "[1, 9]",
    ];
    assert_eq!(texts(&outputs, &tape, &[&Array::vector([1.0, 3.0])]), expected);
}

#[test]
fn masks_combine() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [4]);
    let (a, b) = (x.gt(1.0), x.lt(3.0));
    let masks = [a & b, a | b, a ^ b, !a, a & x.at(0).gt(0.0)];
    let at = Array::vector([1.0, 2.0, 3.0, 4.0]);
    let expected = [
        "[false, true, false, false]",
        "[true, true, true, true]",
        "[true, false, true, true]",
        "[true, false, false, false]",
        "[false, true, true, true]",
    ];
    assert_eq!(texts(&masks, &tape, &[&at]), expected);
    let wrong = a & x;
    let error = tape.compile(&Cpu::new(), &[wrong]).unwrap_err().to_string();
    assert!(error.starts_with("and: both operands must be masks"), "{error}");
    assert!(error.contains("operators.rs:"), "{error}");
}

/// Σ of the elements that a product leaves out, by plain loops.
#[test]
fn products_and_running_ones() {
    for n in [0usize, 1, 2, 3, 5, 8, 13] {
        let values: Vec<f64> = (0..2 * n).map(|i| [1.5, -0.5, 0.0, 2.0, 1.0][i % 5]).collect();
        let at = Array::from_vec([2, n], values.clone()).unwrap();
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [2, n]);
        let outputs = [x.prod_axes(&[1]), x.cumsum(1), x.cumprod(1), x.prod(), x.prod().grad(x)];
        let out = tape.compile(&Interpreter, &outputs).unwrap().run(&[&at]).unwrap();
        let fold = |range: std::ops::Range<usize>, f: fn(f64, f64) -> f64, start: f64| {
            values[range].iter().fold(start, |a, &b| f(a, b))
        };
        let times: fn(f64, f64) -> f64 = |a, b| a * b;
        let plus: fn(f64, f64) -> f64 = |a, b| a + b;
        let rows = [0, 1].map(|r| fold(r * n..(r + 1) * n, times, 1.0));
        assert_eq!(out[0].to_f64_vec(), rows);
        for (found, f, start) in [(&out[1], plus, 0.0), (&out[2], times, 1.0)] {
            let expected = (0..2 * n).map(|i| fold(i / n * n..i + 1, f, start));
            assert_eq!(found.to_f64_vec(), expected.collect::<Vec<_>>(), "{n}");
        }
        assert_eq!(out[3].item().unwrap(), rows[0] * rows[1]);
        let others = (0..2 * n).map(|i| fold(0..i, times, 1.0) * fold(i + 1..2 * n, times, 1.0));
        assert_eq!(out[4].to_f64_vec(), others.collect::<Vec<_>>());
    }
    check_hessian(|x| (x.cumprod(0) * x.cumsum(0)).sum() + x.prod(), [0.5, 0.0, -1.5, 0.0, 2.0])
        .unwrap();
    check_hessian(|x| x.at(0).hypot(x.at(1)), [3.0, -4.0]).unwrap();
}

type Call = fn(Var) -> Var;

#[test]
fn axes_beyond_the_shape() {
    let calls: [(Call, &str); 4] = [
        (|x| x.cumsum(1), "cumsum: there is no axis 1 in the shape [2]"),
        (|x| x.cumprod(3), "cumprod: there is no axis 3 in the shape [2]"),
        (|x| x.prod_axes(&[1]), "sum: axes [1] are not distinct axes of the shape [2]"),
        (|x| x.prod_axes(&[0, 0]), "sum: axes [0, 0] are not distinct axes of the shape [2]"),
    ];
    let tape = Tape::new();
    let labels = tape.input("labels", DType::U32, [2]);
    let error = tape.compile(&Cpu::new(), &[labels.mean()]).unwrap_err().to_string();
    assert!(
        error.starts_with("mean: whole numbers and masks have none; cast them first"),
        "{error}"
    );
    for (call, message) in calls {
        let tape = Tape::new();
        let y = call(tape.input("x", DType::F64, [2]));
        let error = tape.compile(&Cpu::new(), &[y]).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
