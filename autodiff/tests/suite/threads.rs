//! The same bits at any number of threads, for random programs on values that are large
//! enough to be divided; programs that threads share; and programs of scalars only.

use burlap_autodiff::testing::{RandomProgram, random_programs};
use burlap_autodiff::{Array, Bound, Cpu, DType, Error, Interpreter, Program, Tape};
use rayon::prelude::*;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

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

/// Row-wise chains with products, softmax, dropout and reductions across rows; sizes that no
/// division divides.
#[test]
fn a_network_has_the_same_bits_at_any_number_of_threads() {
    let (batch, inputs, width, classes) = (151, 67, 93, 11);
    let tape = Tape::new();
    let w = tape.input("w", DType::F32, [width * inputs + width * width + classes * width + width]);
    let v = tape.input("v", DType::F32, w.shape());
    let x = tape.input("x", DType::F32, [batch, inputs]);
    let y = tape.input("y", DType::U32, [batch, 1]);
    let mut at = 0;
    let mut matrix = |rows: usize, columns: usize| {
        at += rows * columns;
        w.slice_axis(0, at - rows * columns, at).reshape([rows, columns])
    };
    let (first, shared, last) =
        (matrix(width, inputs), matrix(width, width), matrix(classes, width));
    let bias = matrix(1, width).flatten();
    let key = tape.literal(&Array::vector([3u32, 4]));
    let keep = key.uniform(0, DType::F32, [batch, width]).lt(0.8);
    let dropped = |h: burlap_autodiff::Var| keep.select(h, h.constant_like(0.0));
    let mut h = dropped((x.matmul(first.t()) + bias).relu());
    h = (h.matmul(shared.t()) + bias).tanh();
    h = dropped((h.matmul(shared.t()) * 1.5).sigmoid());
    let mean = h.mean_axes(&[1]).expand_dims(1);
    let loss = -(h - mean).matmul(last.t()).log_softmax(1).take_along(1, y).mean();
    let all = loss.value_grad_hvp(w, v);
    let third = loss.second_directional_grad(w, v).1;
    let outputs = [all.value, all.grad, all.hvp, third, h];
    let noise = |n: usize, scale: f32| {
        Array::vector((0..n).map(|i| scale * (i as f32 * 12.9898).sin()).collect::<Vec<f32>>())
    };
    let values = [
        noise(w.shape().count(), 0.2),
        noise(w.shape().count(), 1.0),
        noise(batch * inputs, 1.0).reshaped([batch, inputs]).unwrap(),
        Array::from_vec([batch, 1], (0..batch as u32).map(|i| i % 11).collect()).unwrap(),
    ];
    let values: Vec<&Array> = values.iter().collect();
    let of = |threads: usize| {
        tape.compile_with(&Cpu::with_threads(threads).unwrap(), &[w, v, x, y], &outputs).unwrap()
    };
    let one = bits(&of(1).run(&values).unwrap());
    let oracle = tape.compile_with(&Interpreter, &[w, v, x, y], &outputs).unwrap();
    let oracle: Vec<f64> =
        oracle.run(&values).unwrap().iter().flat_map(Array::to_f64_vec).collect();
    for (a, b) in one.iter().map(|b| f64::from_bits(*b)).zip(oracle) {
        // f32 on the Cpu, f64 inside of the interpreter: some hundred rounding errors.
        assert!((a - b).abs() <= 2e-5 * (1.0 + b.abs()), "{a} {b}");
    }
    for threads in [2, 3, 4] {
        let program = of(threads);
        // Threads come in another order each time.
        for turn in 0..40 {
            assert!(one == bits(&program.run(&values).unwrap()), "{threads} threads, turn {turn}");
        }
    }
}

/// Attention with two heads: products of matrices of their own in every example, softmax over
/// their rows and a sum over an axis in the middle, so that one chain goes through the examples.
#[test]
fn attention_has_the_same_bits_at_any_number_of_threads() {
    let (batch, heads, time, width) = (7, 2, 61, 9);
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [batch, heads, time, width]);
    let scale = tape.input("scale", DType::F64, [3, width]);
    let v = tape.input("v", DType::F64, scale.shape());
    let part = |i: usize| x * scale.slice_axis(0, i, i + 1).reshape([width]);
    let scores = part(0).matmul(part(1).transpose(&[0, 1, 3, 2]));
    let mixed = scores.softmax(3).matmul(part(2));
    let loss =
        (mixed.square().sum_axes(&[2]) + scores.mean_axes(&[2, 3]).expand_dims(2)).tanh().sum();
    let all = loss.value_grad_hvp(scale, v);
    let third = loss.second_directional_grad(scale, v).1;
    let outputs = [all.value, all.grad, all.hvp, third, mixed];
    let noise = |shape: &[usize], scale: f64| {
        let n = shape.iter().product();
        let values =
            (0..n).map(|i: usize| scale * (i as f64 * 12.9898).sin()).collect::<Vec<f64>>();
        Array::from_vec(shape, values).unwrap()
    };
    let values = [
        noise(&[batch, heads, time, width], 1.0),
        noise(&[3, width], 0.7),
        noise(&[3, width], 1.0),
    ];
    let values: Vec<&Array> = values.iter().collect();
    let of = |threads: usize| {
        let cpu = Cpu::with_threads(threads).unwrap();
        tape.compile_with(&cpu, &[x, scale, v], &outputs).unwrap()
    };
    let one = bits(&of(1).run(&values).unwrap());
    let oracle = tape.compile_with(&Interpreter, &[x, scale, v], &outputs).unwrap();
    let oracle = oracle.run(&values).unwrap();
    let mut found = one.iter().map(|b| f64::from_bits(*b));
    for expected in &oracle {
        let expected = expected.to_f64_vec();
        // Sums of some ten thousand terms of either sign, against the largest of each result.
        let size = expected.iter().fold(0.0f64, |size, x| size.max(x.abs()));
        for b in expected {
            let a = found.next().unwrap();
            assert!((a - b).abs() <= 1e-12 * size, "{a} {b}");
        }
    }
    for threads in [2, 3, 4] {
        let program = of(threads);
        for turn in 0..20 {
            assert!(one == bits(&program.run(&values).unwrap()), "{threads} threads, turn {turn}");
        }
    }
}

/// Fails where the work stands still: it takes a second.
fn within_a_minute(work: impl FnOnce() + Send + 'static) {
    let (done, waiting) = channel();
    let worker = std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match waiting.recv_timeout(Duration::from_secs(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("the threads stand still"),
        _ => worker.join().unwrap(),
    }
}

/// Loss, gradient and product of a layer, enough work to be shared with other threads.
struct Layer {
    program: Program,
    inputs: Vec<Array>,
    expected: Vec<u64>,
}

impl Layer {
    fn new(cpu: &Cpu) -> Layer {
        let tape = Tape::new();
        let w = tape.input("w", DType::F32, [48, 64]);
        let x = tape.input("x", DType::F32, [96, 64]);
        let v = tape.input("v", DType::F32, [48, 64]);
        let all = x.matmul(w.t()).tanh().log_softmax(1).square().mean().value_grad_hvp(w, v);
        let program = tape.compile(cpu, &[all.value, all.grad, all.hvp]).unwrap();
        let wave = |shape: [usize; 2], step: f32| {
            let values = (0..shape[0] * shape[1]).map(|i| (i as f32 * step).sin());
            Array::from_vec(shape, values.collect()).unwrap()
        };
        let inputs = vec![wave([48, 64], 0.37), wave([96, 64], 0.11), wave([48, 64], 0.73)];
        let expected = bits(&program.run(&inputs.iter().collect::<Vec<_>>()).unwrap());
        Layer { program, inputs, expected }
    }

    fn inputs(&self) -> Vec<&Array> {
        self.inputs.iter().collect()
    }

    fn check(&self) {
        assert!(bits(&self.program.run(&self.inputs()).unwrap()) == self.expected);
    }
}

#[test]
fn tasks_of_one_pool_share_a_program_that_has_its_own() {
    for threads in [2, 3] {
        within_a_minute(move || {
            let layer = Layer::new(&Cpu::with_threads(threads).unwrap());
            (0..200).into_par_iter().for_each(|_| layer.check());
        });
    }
}

/// A worker that took up its next task while a run goes on elsewhere would do so for all of them,
/// one inside the other.
#[test]
fn many_tasks_wait_beside_one_another_and_not_inside() {
    for cpu in [Cpu::with_threads(2).unwrap(), Cpu::new()] {
        let layer = Layer::new(&cpu);
        let (deepest, depth) = (AtomicUsize::new(0), |by: isize| {
            DEPTH.with(|depth| {
                depth.set(depth.get().wrapping_add_signed(by));
                depth.get()
            })
        });
        rayon::scope(|scope| {
            for _ in 0..2000 {
                scope.spawn(|_| {
                    deepest.fetch_max(depth(1), Ordering::Relaxed);
                    layer.check();
                    depth(-1);
                });
            }
        });
        let deepest = deepest.into_inner();
        println!("{cpu:?}: {deepest}");
        assert!(deepest < 50, "{deepest}");
    }
}

thread_local! {
    /// Tasks that this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn tasks_of_a_pool_share_a_program_that_runs_in_it() {
    within_a_minute(|| {
        let layer = Layer::new(&Cpu::new());
        rayon::scope(|scope| {
            for _ in 0..300 {
                scope.spawn(|_| layer.check());
            }
        });
        (0..60).into_par_iter().for_each(|_| layer.check());
        let two = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        two.install(|| (0..60).into_par_iter().for_each(|_| layer.check()));
    });
}

#[test]
fn threads_share_programs_of_one_backend() {
    within_a_minute(|| {
        let cpu = Cpu::with_threads(2).unwrap();
        let layers = [Layer::new(&cpu), Layer::new(&cpu.clone())];
        std::thread::scope(|scope| {
            for i in 0..6 {
                let layer = &layers[i % 2];
                scope.spawn(move || (0..20).for_each(|_| layer.check()));
            }
        });
    });
}

#[test]
fn threads_share_what_is_bound() {
    within_a_minute(|| {
        let layer = Layer::new(&Cpu::with_threads(2).unwrap());
        let mut bound: Bound = layer.program.bind(&layer.inputs()[..2]).unwrap();
        let directions: Vec<Array> = (0..8)
            .map(|k| {
                let values = (0..48 * 64).map(|i| ((i + 7 * k) as f32 * 0.3).cos()).collect();
                Array::from_vec([48, 64], values).unwrap()
            })
            .collect();
        for turn in 0..2 {
            let expected: Vec<Vec<u64>> =
                directions.iter().map(|v| bits(&bound.run(&[v]).unwrap())).collect();
            (0..80).into_par_iter().for_each(|i| {
                assert!(bits(&bound.run(&[&directions[i % 8]]).unwrap()) == expected[i % 8]);
            });
            let [w, x, _] = layer.inputs()[..] else { panic!("three inputs") };
            assert_eq!(
                turn == 0,
                expected[0] != expected[1] && {
                    let whole = layer.program.run(&[w, x, &directions[0]]).unwrap();
                    bits(&whole) == expected[0]
                }
            );
            let doubled = w.to_f64_vec().iter().map(|w| 2.0 * w).collect::<Vec<_>>();
            let doubled = Array::from_f64(DType::F32, [48, 64], &doubled).unwrap();
            bound.rebind(&[&doubled, x]).unwrap();
        }
    });
}

#[test]
fn tasks_that_panic_between_runs_leave_the_program_alone() {
    within_a_minute(|| {
        for cpu in [Cpu::new(), Cpu::with_threads(2).unwrap()] {
            let layer = Layer::new(&cpu);
            for _ in 0..4 {
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    (0..40).into_par_iter().for_each(|i| {
                        layer.check();
                        if i % 13 == 5 {
                            // As a panic, without its message.
                            resume_unwind(Box::new("on purpose"));
                        }
                    });
                }));
                assert!(unwound.is_err());
                layer.check();
            }
        }
    });
}

/// Several bad indices, in kernels that lie in one chain, in others, and behind one another: the
/// first one in the order of recording is told.
#[test]
fn of_several_bad_indices_the_same_is_told_at_any_number_of_threads() {
    let (rows, columns, tables) = (400, 40, 5);
    let tape = Tape::new();
    let x = tape.input("x", DType::F32, [rows, columns]);
    let picks: Vec<_> =
        (0..tables).map(|i| tape.input(&format!("i{i}"), DType::U32, [rows, columns])).collect();
    let along = x.exp().take_along(1, picks[0]).tanh();
    let again = (along * x).take_along(1, picks[1]);
    let down = x.sin().take_along(0, picks[2]) + again;
    let apart = x.cos().sum_axes(&[1]).gather(0, picks[3].flatten()).square();
    let outputs = [down, apart.sum(), (x * down).take_along(1, picks[4])];
    let mut programs: Vec<Program> = (1..=4)
        .map(|threads| tape.compile(&Cpu::with_threads(threads).unwrap(), &outputs).unwrap())
        .collect();
    programs.push(tape.compile(&Interpreter, &outputs).unwrap());
    let values = Array::full(DType::F32, [rows, columns], 0.3);
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..40u64 {
        let mut state = seed;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let mut indices = vec![vec![0u32; rows * columns]; tables];
        for bad in 0..2 + below(4) {
            let (table, position) = (below(tables), below(rows * columns));
            indices[table][position] = 1000 + bad as u32;
        }
        let arrays: Vec<Array> =
            indices.into_iter().map(|i| Array::from_vec([rows, columns], i).unwrap()).collect();
        let inputs: Vec<&Array> = std::iter::once(&values).chain(&arrays).collect();
        let mut errors = programs.iter().map(|p| p.run(&inputs).unwrap_err());
        let first = errors.next().unwrap();
        let Error::Index { index, .. } = first else { panic!("{first}") };
        met.insert(index);
        // Again, since threads come in another order each time.
        let again = (0..3).map(|_| programs[3].run(&inputs).unwrap_err());
        errors.chain(again).for_each(|e| assert_eq!(e, first, "{seed}"));
    }
    assert!(met.len() > 2, "{met:?}");
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
