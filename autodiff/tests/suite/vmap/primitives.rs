//! Every primitive, with every choice of batched operands.

use super::{bits, close};
use burlap_autodiff::testing::{Example, Sample, examples};
use burlap_autodiff::{Array, Backend, Cpu, DType, Interpreter, Tape, Var, vmap};

/// Numbers of a shape that begins with the leading axis, if any.
fn array(case: &Example, number: usize, lead: Option<usize>, real: DType) -> Array {
    let operand = case.operands[number];
    let shape: Vec<usize> = lead.into_iter().chain(operand.shape().iter().copied()).collect();
    let golden = |i: usize| (0.137 + (i + 17 * number) as f64 * 0.618_033_988_749_895).fract();
    let (low, high) = case.between;
    let (dtype, value): (DType, Box<dyn Fn(f64) -> f64>) = match operand {
        // Coarse, so that there are ties.
        Sample::Real(_) => {
            (real, Box::new(move |x| low + (high - low) * (x * 64.0).floor() / 64.0))
        }
        Sample::Integer(_, below) => {
            (DType::U32, Box::new(move |x| (x * f64::from(below)).floor()))
        }
        Sample::Mask(_) => (DType::Bool, Box::new(|x| f64::from(u8::from(x < 0.5)))),
    };
    let count = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|i| value(golden(i))).collect();
    Array::from_f64(dtype, shape, &values).unwrap()
}

/// One output of shape `[k, …]` per function: by `vmap`, and by the loop.
fn vmapped_and_looped(
    case: &Example,
    batched: usize,
    k: usize,
    real: DType,
    backend: &dyn Backend,
) -> [Array; 2] {
    let tape = Tape::new();
    let is_batched = |i: usize| batched >> i & 1 == 1;
    let mut values = Vec::new();
    let mut over = Vec::new();
    let mut operands = Vec::new();
    for (i, operand) in case.operands.iter().enumerate() {
        let array = array(case, i, is_batched(i).then_some(k), real);
        let x = tape.input(&format!("{i}"), array.dtype(), array.shape());
        if is_batched(i) {
            // A stand-in that no program needs.
            let entry = tape.input(&format!("entry {i}"), array.dtype(), operand.shape());
            over.push((entry, x));
            operands.push(entry);
        } else {
            operands.push(x);
        }
        values.push((x, array));
    }
    let y = (case.record)(&operands);
    let all = vmap(&[y], &over)[0];
    let rows: Vec<Var> = (0..k)
        .map(|row| {
            let at = |(i, &x): (usize, &Var)| {
                let found = over.iter().find(|p| p.0.is_same(x)).map(|p| p.1.at(row));
                assert_eq!(found.is_some(), is_batched(i));
                found.unwrap_or(x)
            };
            (case.record)(&operands.iter().enumerate().map(at).collect::<Vec<_>>())
        })
        .collect();
    let mut shape = y.shape().to_vec();
    shape.insert(0, 0);
    let looped = match k {
        0 => tape.zeros(y.dtype(), shape),
        _ => tape.stack(&rows, 0),
    };
    let inputs: Vec<Var> = values.iter().map(|v| v.0).collect();
    let arrays: Vec<&Array> = values.iter().map(|v| &v.1).collect();
    // Two programs, so that nothing of the one helps the other.
    [all, looped]
        .map(|y| tape.compile_with(backend, &inputs, &[y]).unwrap().run(&arrays).unwrap().remove(0))
}

/// Whether a program of the case contains the primitive; none contains `stop_gradient`.
fn contains(case: &Example, name: &str) -> bool {
    let tape = Tape::new();
    let input = |i: usize| {
        let array = array(case, i, None, DType::F64);
        tape.input(&format!("{i}"), array.dtype(), array.shape())
    };
    let operands: Vec<Var> = (0..case.operands.len()).map(input).collect();
    let program = tape.compile(&Interpreter, &[(case.record)(&operands)]).unwrap();
    name == "stop_gradient" || program.op_counts().contains_key(name)
}

#[test]
fn every_primitive_as_the_loop_does() {
    let mut compared = 0;
    for (name, cases) in examples() {
        assert!(!cases.is_empty(), "no example of {name}");
        for (number, case) in cases.iter().enumerate() {
            assert!(contains(case, name), "case {number} of {name} does without it");
            for batched in 1..1 << case.operands.len() {
                for k in [0, 1, 3] {
                    for real in [DType::F64, DType::F32] {
                        let what = format!("{name}, case {number}, {batched:b}, k = {k}, {real}");
                        let [a, b] = vmapped_and_looped(case, batched, k, real, &Interpreter);
                        assert_eq!(bits(&a), bits(&b), "{what}");
                        close(&a, &b, &what);
                        let cpu = Cpu::with_threads(1).unwrap();
                        let [c, d] = vmapped_and_looped(case, batched, k, real, &cpu);
                        close(&c, &d, &what);
                        close(&c, &a, &what);
                        compared += 1;
                    }
                }
            }
        }
    }
    println!("{compared} comparisons on two backends");
}
