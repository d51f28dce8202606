//! Cheap values are computed again rather than stored, where that moves fewer bytes.

use burlap_autodiff::{Array, Backend, Cpu, DType, Interpreter, Program, Tape, Var};

const ROWS: usize = 256;
const WIDTH: usize = 128;

/// The gradients of a layer with the given activation, with respect to both its weights.
fn layer(tape: &Tape, activation: impl Fn(Var) -> Var) -> Vec<Var> {
    let x = tape.input("x", DType::F32, [ROWS, 8]);
    let w = tape.input("w", DType::F32, [8, WIDTH]);
    let b = tape.input("b", DType::F32, [WIDTH]);
    let v = tape.input("v", DType::F32, [WIDTH, 8]);
    let loss = activation(x.matmul(w) + b).matmul(v).square().sum();
    [w, b, v].map(|wrt| loss.grad(wrt)).to_vec()
}

fn inputs(program: &Program) -> Vec<Array> {
    let number = |i: usize| (0.7 * i as f32 + 0.2).sin();
    let input = |spec: &burlap_autodiff::InputSpec| {
        let values: Vec<f32> = (0..spec.shape.count()).map(number).collect();
        Array::from_vec(spec.shape.clone(), values).unwrap()
    };
    program.inputs().iter().map(input).collect()
}

/// Asserts how many arrays of `ROWS × WIDTH` the expressions over that domain read and write in
/// the gradients of a layer, as `explain` tells them; vectors make a few percent of one.
#[track_caller]
fn passes(activation: impl Fn(Var) -> Var, expected: f64) {
    let tape = Tape::new();
    let outputs = layer(&tape, activation);
    let program = tape.compile(&Cpu::with_threads(2).unwrap(), &outputs).unwrap();
    let domain = format!("[{ROWS}, {WIDTH}]");
    let lines = program.explain().lines().filter(|l| l.contains("map") && l.contains(&domain));
    let bytes = lines.map(|line| {
        let words: Vec<&str> = line[..line.find("map").unwrap()].split_whitespace().collect();
        let [.., number, "k"] = words[..] else { panic!("{line}") };
        number.parse::<f64>().unwrap() * 1e3
    });
    let found = bytes.sum::<f64>() / (ROWS * WIDTH * 4) as f64;
    assert!((found - expected).abs() < 0.1, "{found}: {}", program.explain());
}

/// Forward reads the product and writes the activation, sigmoid and sech²; backward reads the
/// product, those two and the cotangent and writes one. Halves, powers and the sum with the
/// bias are not stored.
#[test]
fn gelu_keeps_what_is_dear() {
    passes(Var::gelu_tanh, 9.0);
}

/// The mask of a choice has a byte an element: what it is made of, of four, is not kept in its
/// place.
#[test]
fn masks_of_bytes_stay() {
    passes(Var::relu, 4.5);
}

/// The same operations on the same numbers: a program that also returns every value that
/// could be computed again, so that all are stored, has the same bits.
#[test]
fn the_bits_are_those_of_stored_values() {
    for activation in [Var::gelu_tanh, Var::gelu, Var::softplus, Var::tanh, Var::relu] {
        let tape = Tape::new();
        let mut between = Vec::new();
        let seen = std::cell::RefCell::new(&mut between);
        let outputs = layer(&tape, |x| {
            let half = 0.5 * x;
            let cube = half * x * x;
            let y = activation(x - 0.1 * cube) * (1.0 + half);
            seen.borrow_mut().extend([x, half, cube, y]);
            y
        });
        let cpu = Cpu::with_threads(2).unwrap();
        let program = tape.compile(&cpu, &outputs).unwrap();
        let stored = tape.compile(&cpu, &[outputs.clone(), between].concat()).unwrap();
        let numbers = inputs(&program);
        let numbers: Vec<&Array> = numbers.iter().collect();
        let found = program.run(&numbers).unwrap();
        let expected = stored.run(&numbers).unwrap();
        assert_eq!(found[..], expected[..outputs.len()]);
    }
}

/// Values of the early part of a staged program are read by the late one, and not made anew.
#[test]
fn stages_stay_apart() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [ROWS]);
    let v = tape.input("v", DType::F64, [ROWS]);
    let early = 0.5 * x * x.tanh() + 3.0;
    let outputs = [(early * v + x).sum(), (early - v) * (0.5 * x)];
    let numbers =
        |scale: f64| Array::vector((0..ROWS).map(|i| (scale * i as f64).cos()).collect::<Vec<_>>());
    let reference = tape.compile(&Interpreter, &outputs).unwrap();
    for backend in [&Cpu::with_threads(1).unwrap() as &dyn Backend, &Cpu::with_threads(2).unwrap()]
    {
        let bound = tape.compile(backend, &outputs).unwrap().bind(&[&numbers(1.1)]).unwrap();
        for scale in [0.3, 0.4] {
            let found = bound.run(&[&numbers(scale)]).unwrap();
            let expected = reference.run(&[&numbers(1.1), &numbers(scale)]).unwrap();
            for (a, b) in found.iter().zip(&expected) {
                for (a, b) in a.to_f64_vec().iter().zip(b.to_f64_vec()) {
                    assert!((a - b).abs() <= 1e-13 * (1.0 + b.abs()), "{a} {b}");
                }
            }
        }
    }
}
