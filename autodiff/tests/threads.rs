//! The same bits at any number of threads, for random programs on values that are large
//! enough to be divided; and programs of scalars only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::{RandomProgram, random_programs};
use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape};

fn bits(arrays: &[Array]) -> Vec<u64> {
    arrays.iter().flat_map(Array::to_f64_vec).map(f64::to_bits).collect()
}

/// Loss, gradient, product and all that is computed on the way, twice at once, and staged.
fn run(program: &RandomProgram, dtype: DType, threads: usize) -> [Vec<u64>; 3] {
    let tape = Tape::new();
    let recorded = program.record(&tape, dtype);
    let all = recorded.loss.value_grad_hvp(recorded.x, recorded.x.sin());
    let mut outputs = vec![all.value, all.grad, all.hvp];
    outputs.extend(&recorded.results);
    let compiled = tape.compile(&Cpu::with_threads(threads).unwrap(), &outputs).unwrap();
    let inputs: Vec<&Array> = recorded.values.iter().collect();
    let bound = compiled.bind(&inputs[..1]).unwrap();
    bound.run(&inputs[1..]).unwrap();
    [
        bits(&compiled.run(&inputs).unwrap()),
        bits(&compiled.run(&inputs).unwrap()),
        bits(&bound.run(&inputs[1..]).unwrap()),
    ]
}

#[test]
fn random_programs_have_the_same_bits_at_one_two_and_four_threads() {
    let programs = random_programs(24, 5, false);
    for (i, mut program) in programs.into_iter().enumerate() {
        // Maps of 80 000 elements, reductions over any of the axes, products of 10⁷ flops.
        program.variable =
            [vec![80_000], vec![400, 200], vec![2, 200, 200], vec![20_000, 4]][i % 4].clone();
        program.data = [vec![], vec![200], vec![200, 200], vec![4]][i % 4].clone();
        let dtype = if i % 2 == 0 { DType::F64 } else { DType::F32 };
        let [one, again, staged] = run(&program, dtype, 1);
        assert!(one == again, "run again: {program:?}");
        for threads in [2, 4] {
            let [more, again, staged_too] = run(&program, dtype, threads);
            assert!(one == more && one == again, "{threads} threads: {program:?}");
            // Fused otherwise, but each element by the same operations.
            assert!(one == staged && one == staged_too, "{threads} threads, staged: {program:?}");
        }
    }
}

#[test]
fn programs_of_scalars() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let k = tape.input("k", DType::U32, ());
    let b = tape.input("b", DType::Bool, ());
    let table = tape.literal(&Array::vector([1.5, 2.5, 3.5]));
    let f = b.select(x.sin(), x) * x.exp() + table.gather(0, k) * x.square();
    let outputs = [
        f,
        f.grad(x),
        f.hvp(x, x),
        f.hessian(x),
        f.sum(),
        x.max_axes(&[]),
        x.t(),
        x.flip(&[]),
        x.reshape(()),
        x.transpose(&[]),
        x.broadcast_to(()),
        x.expand_dims(0).argmax(0),
        x.expand_dims(0).matmul(x.expand_dims(0)),
        k + k,
        !b,
        tape.stack(&[x, f], 0),
        k.one_hot(3, DType::F64),
        x.einsum(",->", x),
    ];
    let inputs = [&Array::scalar(0.7), &Array::scalar(2u32), &Array::scalar(true)];
    let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap().run(&inputs).unwrap();
    let oracle = tape.compile(&Interpreter, &outputs).unwrap().run(&inputs).unwrap();
    for (i, (a, b)) in cpu.iter().zip(&oracle).enumerate() {
        assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "output {i}");
        let close = |(a, b): (&f64, f64)| (a - b).abs() <= 1e-15 * b.abs();
        assert!(a.to_f64_vec().iter().zip(b.to_f64_vec()).all(close), "output {i}: {a} {b}");
    }
    let (x, e) = (0.7f64, 0.7f64.exp());
    let value = x.sin() * e + 3.5 * x * x;
    let slope = (x.cos() + x.sin()) * e + 7.0 * x;
    let curvature = 2.0 * x.cos() * e + 7.0;
    for (found, exact) in cpu.iter().zip([value, slope, curvature * x, curvature]) {
        assert!((found.to_f64_vec()[0] - exact).abs() < 1e-14, "{found} {exact}");
    }
}
