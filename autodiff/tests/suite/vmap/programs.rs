//! Random programs: their values and derivatives, nested and differentiated.

use super::{bits, close};
use burlap_autodiff::testing::{RandomProgram, random_programs};
use burlap_autodiff::{Array, Backend, Cpu, DType, Interpreter, Tape, Var, vmap};

/// A random program on a tape, with everything it computes and its derivatives.
struct Whole {
    tape: Tape,
    inputs: Vec<Var>,
    values: Vec<Array>,
    outputs: Vec<Var>,
    decisions: usize,
}

fn whole(program: &RandomProgram, dtype: DType) -> Whole {
    let tape = Tape::new();
    let recorded = program.record(&tape, dtype);
    let all = recorded.loss.value_grad_hvp(recorded.x, recorded.x.sin());
    let mut outputs = vec![all.value, all.grad, all.hvp, recorded.loss.grad(recorded.x)];
    outputs.extend(&recorded.results);
    let decisions = outputs.len();
    outputs.push(recorded.decisions);
    Whole { tape, inputs: recorded.inputs, values: recorded.values, outputs, decisions }
}

/// The same elements beginning elsewhere, so that programs with bounds still fit.
fn rolled(array: &Array, by: usize) -> Array {
    let mut values = array.to_f64_vec();
    if !values.is_empty() {
        let n = values.len();
        values.rotate_left(by % n);
    }
    Array::from_f64(array.dtype(), array.shape(), &values).unwrap()
}

fn stacked(rows: &[Array], like: &Array) -> Array {
    let shape: Vec<usize> =
        std::iter::once(rows.len()).chain(like.shape().iter().copied()).collect();
    let values: Vec<f64> = rows.iter().flat_map(Array::to_f64_vec).collect();
    Array::from_f64(like.dtype(), shape, &values).unwrap()
}

/// Row `i` of an array.
fn row(array: &Array, i: usize) -> Array {
    let n: usize = array.shape()[1..].iter().product();
    let values = &array.to_f64_vec()[i * n..(i + 1) * n];
    Array::from_f64(array.dtype(), &array.shape()[1..], values).unwrap()
}

/// Runs the outputs for `k` entries of the chosen inputs at once, and one after the other.
fn at_once_and_in_turn(
    program: &RandomProgram,
    dtype: DType,
    chosen: usize,
    k: usize,
    backend: &dyn Backend,
) -> (Vec<Array>, Vec<Vec<Array>>, usize) {
    let w = whole(program, dtype);
    let is_chosen = |i: usize| chosen >> i & 1 == 1;
    let rows: Vec<Vec<Array>> = (0..k)
        .map(|row| {
            let value = |(i, v)| if is_chosen(i) { rolled(v, row) } else { Array::clone(v) };
            w.values.iter().enumerate().map(value).collect()
        })
        .collect();
    let single = w.tape.compile_with(backend, &w.inputs, &w.outputs).unwrap();
    let in_turn: Vec<Vec<Array>> =
        rows.iter().map(|values| single.run(&values.iter().collect::<Vec<_>>()).unwrap()).collect();
    let mut inputs = w.inputs.clone();
    let mut values = w.values.clone();
    let mut over = Vec::new();
    for i in (0..w.inputs.len()).filter(|&i| is_chosen(i)) {
        let column: Vec<Array> = rows.iter().map(|r| r[i].clone()).collect();
        values[i] = stacked(&column, &w.values[i]);
        inputs[i] = w.tape.input(&format!("all {i}"), values[i].dtype(), values[i].shape());
        over.push((w.inputs[i], inputs[i]));
    }
    let all = vmap(&w.outputs, &over);
    let compiled = w
        .tape
        .compile_with(backend, &inputs, &all)
        .unwrap_or_else(|error| panic!("{error}: {program:?}"));
    (compiled.run(&values.iter().collect::<Vec<_>>()).unwrap(), in_turn, w.decisions)
}

#[test]
fn random_programs_as_the_loop_does() {
    let (mut compared, mut undecided) = (0, 0);
    for (i, program) in random_programs(400, 11, false).iter().enumerate() {
        let dtype = if i % 2 == 0 { DType::F64 } else { DType::F32 };
        // Any of x, data, key, indices and mask, and x mostly among them.
        let chosen = (i % 31 + 1) | usize::from(i % 3 > 0);
        for backend in [&Interpreter as &dyn Backend, &Cpu::with_threads(1).unwrap()] {
            let (all, rows, decisions) = at_once_and_in_turn(program, dtype, chosen, 3, backend);
            let same = |r: usize| bits(&row(&all[decisions], r)) == bits(&rows[r][decisions]);
            if !(0..rows.len()).all(same) {
                // A rounding decided otherwise.
                undecided += 1;
                continue;
            }
            for (r, outputs) in rows.iter().enumerate() {
                for (o, output) in outputs.iter().enumerate() {
                    let what =
                        format!("{}, output {o}, row {r}, {chosen:b}: {program:?}", backend.name());
                    close(&row(&all[o], r), output, &what);
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} outputs compared; {undecided} programs undecided");
    assert!(undecided <= 16, "{undecided}");
}

/// One output of a program over chosen inputs, and the inputs with their numbers.
fn gradient_sums(program: &RandomProgram) -> Option<[Vec<Array>; 2]> {
    let tape = Tape::new();
    let recorded = program.record(&tape, DType::F64);
    let (x, f) = (recorded.x, recorded.loss);
    let xs = tape.input("xs", DType::F64, [&[3], &x.shape()[..]].concat());
    let weights = tape.literal(&Array::vector([1.0, -0.5, 2.0]));
    let [fs, gs, hs] = vmap(&[f, f.grad(x), f.hvp(x, x.cos())], &[(x, xs)])[..] else {
        return None;
    };
    // The gradient of Σ wᵢ f(xᵢ) has the rows wᵢ ∇f(xᵢ); its Hessian has the blocks of f's.
    let total = (weights * fs).sum();
    let spread = |y: Var| weights.broadcast_axes(y.shape(), &[0]) * y;
    let all = [
        (total.grad(xs), spread(gs)),
        (total.hvp(xs, xs.cos()), spread(hs)),
        (fs.jvp(xs, xs.cos()), vmap(&[f.jvp(x, x.cos())], &[(x, xs)])[0]),
    ];
    let mut values = recorded.values.clone();
    let rows: Vec<Array> = (0..3).map(|i| rolled(&values[0], i)).collect();
    values.push(stacked(&rows, &values[0].clone()));
    let run = |outputs: &[Var]| {
        let program = tape.compile(&Cpu::with_threads(1).unwrap(), outputs).unwrap();
        program.run(&values.iter().collect::<Vec<_>>()).unwrap()
    };
    Some([run(&all.map(|p| p.0)), run(&all.map(|p| p.1))])
}

#[test]
fn derivatives_of_vmap_are_vmap_of_derivatives() {
    for program in random_programs(300, 12, true) {
        let [outer, inner] = gradient_sums(&program).unwrap();
        for (i, (a, b)) in outer.iter().zip(&inner).enumerate() {
            close(a, b, &format!("output {i}: {program:?}"));
        }
    }
}

#[test]
fn vmap_of_vmap_is_a_double_loop() {
    let mut undecided = 0;
    for program in random_programs(150, 13, false) {
        let w = whole(&program, DType::F64);
        let (x, data) = (w.inputs[0], w.inputs[1]);
        let xs = w.tape.input("xs", DType::F64, [&[2], &x.shape()[..]].concat());
        let datas = w.tape.input("datas", DType::F64, [&[3], &data.shape()[..]].concat());
        let all = vmap(&vmap(&w.outputs, &[(x, xs)]), &[(data, datas)]);
        let single = w.tape.compile_with(&Interpreter, &w.inputs, &w.outputs).unwrap();
        let (mut inputs, mut values) = (w.inputs.clone(), w.values.clone());
        for (i, var, n) in [(0, xs, 2), (1, datas, 3)] {
            let rows: Vec<Array> = (0..n).map(|r| rolled(&w.values[i], r)).collect();
            (inputs[i], values[i]) = (var, stacked(&rows, &w.values[i]));
        }
        let all = w.tape.compile_with(&Interpreter, &inputs, &all).unwrap();
        let all = all.run(&values.iter().collect::<Vec<_>>()).unwrap();
        for (d, r) in (0..3).flat_map(|d| (0..2).map(move |r| (d, r))) {
            let mut values = w.values.clone();
            values[0] = rolled(&w.values[0], r);
            values[1] = rolled(&w.values[1], d);
            let expected = single.run(&values.iter().collect::<Vec<_>>()).unwrap();
            let entry = |o: usize| row(&row(&all[o], d), r);
            if bits(&entry(w.decisions)) != bits(&expected[w.decisions]) {
                undecided += 1;
                continue;
            }
            for (o, expected) in expected.iter().enumerate() {
                close(&entry(o), expected, &format!("output {o}: {program:?}"));
            }
        }
    }
    assert!(undecided <= 9, "{undecided}");
}

#[test]
fn the_same_bits_at_one_two_and_four_threads() {
    for (i, mut program) in random_programs(16, 14, false).into_iter().enumerate() {
        // Enough to be divided: maps of 120 000 elements, products of 10⁷ flops.
        program.variable = [vec![40_000], vec![200, 200], vec![2, 150, 150]][i % 3].clone();
        program.data = [vec![], vec![200], vec![150, 150]][i % 3].clone();
        let dtype = if i % 2 == 0 { DType::F64 } else { DType::F32 };
        let run = |threads| {
            let cpu = Cpu::with_threads(threads).unwrap();
            let w = whole(&program, dtype);
            let x = w.inputs[0];
            let xs = w.tape.input("xs", dtype, [&[3], &x.shape()[..]].concat());
            let all = vmap(&w.outputs, &[(x, xs)]);
            let mut inputs = w.inputs.clone();
            let mut values = w.values.clone();
            inputs[0] = xs;
            let rows: Vec<Array> = (0..3).map(|r| rolled(&w.values[0], r)).collect();
            values[0] = stacked(&rows, &w.values[0]);
            let compiled = w.tape.compile_with(&cpu, &inputs, &all).unwrap();
            let out = compiled.run(&values.iter().collect::<Vec<_>>()).unwrap();
            out.iter().flat_map(bits).collect::<Vec<u64>>()
        };
        let one = run(1);
        for threads in [2, 4] {
            assert!(one == run(threads), "{threads} threads: {program:?}");
        }
    }
}
