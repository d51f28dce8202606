//! The CPU backend: same bits at any number of threads, staging, and unusual programs.

use burlap_autodiff::{
    Array, Backend, Costs, Cpu, DType, Error, Executable, Interpreter, Plan, Program, Result,
    Shape, Tape, Var,
};
use std::sync::{Arc, Mutex};

/// Reproducible numbers in (−1, 1) without pattern.
fn noise(dtype: DType, shape: impl Into<Shape>, salt: u64) -> Array {
    let shape = shape.into();
    let values: Vec<f64> = (0..shape.count() as u64)
        .map(|i| {
            let mut z = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect();
    Array::from_f64(dtype, shape, &values).unwrap()
}

fn bits(arrays: &[Array]) -> Vec<u64> {
    arrays.iter().flat_map(Array::to_f64_vec).map(f64::to_bits).collect()
}

/// Loss, gradient and product of a wide network on a large batch: products, maps and
/// reductions are all large enough to be divided.
fn network(tape: &Tape, dtype: DType) -> [Var; 3] {
    let w = tape.input("w", dtype, [300 * 200 + 200 + 200 * 10]);
    let x = tape.input("x", dtype, [512, 300]);
    let v = tape.input("v", dtype, [300 * 200 + 200 + 200 * 10]);
    let w1 = w.slice_axis(0, 0, 60_000).reshape([200, 300]);
    let b1 = w.slice_axis(0, 60_000, 60_200);
    let w2 = w.slice_axis(0, 60_200, 62_200).reshape([10, 200]);
    let hidden = (x.matmul(w1.t()) + b1).tanh();
    let loss = -hidden.matmul(w2.t()).log_softmax(1).mean() + hidden.square().mean();
    let all = loss.value_grad_hvp(w, v);
    [all.value, all.grad, all.hvp]
}

#[test]
fn the_same_bits_at_one_two_and_four_threads() {
    for dtype in [DType::F32, DType::F64] {
        let inputs =
            [noise(dtype, [62_200], 1), noise(dtype, [512, 300], 2), noise(dtype, [62_200], 3)];
        let inputs: Vec<&Array> = inputs.iter().collect();
        let run = |threads: usize| {
            let tape = Tape::new();
            let outputs = network(&tape, dtype);
            let program = tape.compile(&Cpu::with_threads(threads).unwrap(), &outputs).unwrap();
            let first = program.run(&inputs).unwrap();
            assert_eq!(bits(&first), bits(&program.run(&inputs).unwrap()));
            bits(&first)
        };
        let one = run(1);
        assert!(one == run(2) && one == run(4), "{dtype}");
    }
}

#[test]
fn reductions_of_every_form_have_the_same_bits_and_agree_with_the_oracle() {
    let build = |tape: &Tape| -> Vec<Var> {
        let long = tape.input("long", DType::F32, [1_000_003]);
        let tall = tape.input("tall", DType::F32, [20_000, 7]);
        let deep = tape.input("deep", DType::F32, [30, 40, 50]);
        vec![
            long.sum(),
            (long * 3.0).max_all(),
            long.min_all(),
            tall.exp().sum_axes(&[0]),
            tall.exp().sum_axes(&[1]),
            tall.max_axes(&[0]),
            deep.sum_axes(&[1]),
            deep.sum_axes(&[0, 2]),
            deep.square().sum_axes(&[2]),
            deep.transpose(&[2, 0, 1]).sum_axes(&[0]),
            deep.max_axes(&[0, 1]),
        ]
    };
    let inputs = [
        noise(DType::F32, [1_000_003], 1),
        noise(DType::F32, [20_000, 7], 2),
        noise(DType::F32, [30, 40, 50], 3),
    ];
    let inputs: Vec<&Array> = inputs.iter().collect();
    let run = |threads: usize| {
        let tape = Tape::new();
        let outputs = build(&tape);
        tape.compile(&Cpu::with_threads(threads).unwrap(), &outputs).unwrap().run(&inputs).unwrap()
    };
    let one = run(1);
    assert_eq!(bits(&one), bits(&run(2)));
    assert_eq!(bits(&one), bits(&run(4)));
    let tape = Tape::new();
    let outputs = build(&tape);
    let oracle = tape.compile(&Interpreter, &outputs).unwrap().run(&inputs).unwrap();
    for (found, expected) in one.iter().zip(&oracle) {
        let (found, expected) = (found.to_f64_vec(), expected.to_f64_vec());
        let scale = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        // The oracle rounds to f32 after a whole sum, we within it; sums of up to 10⁶ numbers
        // of size 1 in blocks err by at most a few hundred roundings of their largest part.
        let worst = found.iter().zip(&expected).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(worst <= 1e-4 * scale, "{worst} {scale}");
    }
}

#[test]
fn a_staged_program_equals_the_whole_one_again_and_again() {
    let tape = Tape::new();
    let outputs = network(&tape, DType::F64);
    let program = tape.compile(&Cpu::with_threads(2).unwrap(), &outputs).unwrap();
    let (w, x) = (noise(DType::F64, [62_200], 1), noise(DType::F64, [512, 300], 2));
    let mut bound = program.bind(&[&w, &x]).unwrap();
    for salt in 3..6 {
        let v = noise(DType::F64, [62_200], salt);
        let whole = program.run(&[&w, &x, &v]).unwrap();
        assert_eq!(bits(&bound.run(&[&v]).unwrap()), bits(&whole));
        assert_eq!(bits(&bound.run(&[&v]).unwrap()), bits(&whole));
    }
    let w = noise(DType::F64, [62_200], 9);
    bound.rebind(&[&w, &x]).unwrap();
    let v = noise(DType::F64, [62_200], 10);
    assert_eq!(bits(&bound.run(&[&v]).unwrap()), bits(&program.run(&[&w, &x, &v]).unwrap()));
    // On an error the former values stay.
    assert!(bound.rebind(&[&x, &w]).is_err());
    assert_eq!(bits(&bound.run(&[&v]).unwrap()), bits(&program.run(&[&w, &x, &v]).unwrap()));
    // Everything bound, and nothing.
    let all = program.bind(&[&w, &x, &v]).unwrap();
    assert_eq!(bits(&all.run(&[]).unwrap()), bits(&program.run(&[&w, &x, &v]).unwrap()));
    let none = program.bind(&[]).unwrap();
    assert_eq!(bits(&none.run(&[&w, &x, &v]).unwrap()), bits(&program.run(&[&w, &x, &v]).unwrap()));
}

#[test]
fn an_early_error_leaves_the_former_values_bound() {
    let tape = Tape::new();
    let i = tape.input("i", DType::U32, [2]);
    let x = tape.input("x", DType::F64, [3]);
    let table = tape.literal(&Array::vector([1.0, 2.0, 3.0]));
    let y = table.gather(0, i).sum() * x;
    let mut bound =
        tape.compile(&Cpu::new(), &[y]).unwrap().bind(&[&Array::vector([0u32, 1])]).unwrap();
    assert!(matches!(bound.rebind(&[&Array::vector([0u32, 3])]), Err(Error::Index { .. })));
    assert_eq!(bound.run(&[&Array::vector([1.0, 0.0, 2.0])]).unwrap()[0].to_string(), "[3, 0, 6]");
}

fn both(tape: &Tape, outputs: &[Var]) -> [Program; 2] {
    [tape.compile(&Cpu::new(), outputs).unwrap(), tape.compile(&Interpreter, outputs).unwrap()]
}

#[test]
fn outputs_may_be_anything() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2, 3]);
    let unused = tape.input("unused", DType::F32, [7]);
    // Arithmetic has the same bits on both.
    let y = 2.0 * x * x + 1.0;
    let literal = tape.literal(&Array::vector([5.0, 6.0]));
    let part = y.slice_axis(1, 1, 3);
    let outputs = [
        x,
        x.t(),
        x,
        y,
        y,
        y.t(),
        part,
        literal,
        tape.full(DType::U32, [2, 2], 7.0),
        tape.constant(DType::Bool, 1.0),
        x.flip(&[0, 1]),
        tape.concat(&[y, y, x, y.flip(&[0])], 0),
        tape.concat(&[part.t(), part.t()], 1),
        unused.slice_axis(0, 2, 5),
    ];
    let inputs = [&noise(DType::F64, [2, 3], 1), &noise(DType::F32, [7], 2)];
    let [cpu, oracle] = both(&tape, &outputs).map(|p| p.run(&inputs).unwrap());
    for (i, (a, b)) in cpu.iter().zip(&oracle).enumerate() {
        assert_eq!(a, b, "output {i}");
    }
    let nothing = tape.compile(&Cpu::new(), &[]).unwrap();
    assert!(nothing.run(&inputs).unwrap().is_empty());
}

#[test]
fn empty_values_and_axes_of_size_one() {
    let tape = Tape::new();
    let e = tape.input("e", DType::F64, [0, 3]);
    let s = tape.input("s", DType::F64, [1, 1, 1]);
    let m = tape.input("m", DType::F64, [4, 0]);
    let i = tape.input("i", DType::U32, [0]);
    let outputs = [
        e.exp(),
        e.sum(),
        e.sum_axes(&[0]),
        e.sum_axes(&[1]),
        m.matmul(e),
        e.matmul(tape.full(DType::F64, [3, 2], 1.0)),
        e.t().reshape([0]),
        tape.concat(&[e, e], 0),
        (e * 2.0).sum().grad(e),
        e.square().sum().hvp(e, e),
        m.matmul(e).square().sum().grad(m),
        s.broadcast_to([2, 3, 1]),
        (s.exp() * s).sum().hessian(s),
        s.sum_axes(&[0, 1, 2]),
        s.max_axes(&[1]),
        m.t().gather(1, i),
        tape.full(DType::F64, [2, 2], 3.0).gather(1, i),
        e.logsumexp(&[1]),
    ];
    let inputs = [
        &Array::zeros(DType::F64, [0, 3]),
        &Array::full(DType::F64, [1, 1, 1], 0.5),
        &Array::zeros(DType::F64, [4, 0]),
        &Array::zeros(DType::U32, [0]),
    ];
    let [cpu, oracle] = both(&tape, &outputs).map(|p| p.run(&inputs).unwrap());
    for (k, (a, b)) in cpu.iter().zip(&oracle).enumerate() {
        assert_eq!(a.shape(), b.shape());
        let close = a
            .to_f64_vec()
            .iter()
            .zip(b.to_f64_vec())
            .all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs());
        assert!(close, "output {k}: {a} {b}");
    }
}

#[test]
fn random_numbers_are_those_of_the_oracle_and_have_their_moments() {
    let tape = Tape::new();
    let key = tape.input("key", DType::U32, [2]);
    let outputs = [
        key.uniform(0, DType::F64, [100_000]),
        key.normal(0, DType::F64, [100_000]),
        key.uniform(1, DType::F64, [100_000]),
        key.uniform(0, DType::F32, [1000]),
        key.normal(3, DType::F32, [1000]),
        key.bits(0, [2]).uniform(0, DType::F64, [10]),
    ];
    let [cpu, oracle] =
        both(&tape, &outputs).map(|p| p.run(&[&Array::vector([12u32, 34])]).unwrap());
    // Words and uniform numbers to the bit; logarithms and angles to a few roundings.
    for (i, tolerance) in [(0, 0.0), (1, 5e-15), (2, 0.0), (3, 0.0), (4, 2e-6), (5, 0.0)] {
        let pairs = cpu[i].to_f64_vec().into_iter().zip(oracle[i].to_f64_vec());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst <= tolerance, "output {i}: {worst}");
    }
    let n = 100_000.0;
    let mean = |v: &[f64], f: &dyn Fn(f64) -> f64| v.iter().map(|&x| f(x)).sum::<f64>() / n;
    let (u, z, w) = (cpu[0].to_f64_vec(), cpu[1].to_f64_vec(), cpu[2].to_f64_vec());
    // Within 4 standard errors: variances of x, x² are 1/12, 4/45 and 1, 2.
    let check = |found: f64, expected: f64, variance: f64| {
        assert!((found - expected).abs() < 4.0 * (variance / n).sqrt(), "{found} {expected}");
    };
    check(mean(&u, &|x| x), 0.5, 1.0 / 12.0);
    check(mean(&u, &|x| x * x), 1.0 / 3.0, 4.0 / 45.0);
    check(mean(&z, &|x| x), 0.0, 1.0);
    check(mean(&z, &|x| x * x), 1.0, 2.0);
    check(mean(&z, &|x| x.powi(4)), 3.0, 96.0);
    // Streams and neighbours are not correlated.
    check(u.iter().zip(&w).map(|(a, b)| (a - 0.5) * (b - 0.5)).sum::<f64>() / n, 0.0, 1.0 / 144.0);
    check(z.windows(2).map(|p| p[0] * p[1]).sum::<f64>() / n, 0.0, 1.0);
    assert!(u.iter().all(|x| (0.0..1.0).contains(x)));
}

#[test]
fn a_flat_gradient_is_written_in_one_piece() {
    // Two layers, parameters in one vector: no kernel adds padded vectors, and the parts that
    // are computed in place are not copied.
    let tape = Tape::new();
    let outputs = network(&tape, DType::F32);
    let program = tape.compile(&Cpu::new(), &outputs[1..2]).unwrap();
    let op_counts = program.op_counts();
    assert!(!op_counts.contains_key("pad"), "{op_counts:?}");
    assert_eq!(op_counts["concat"], 1);
    assert!(program.explain().contains("peak"));
    assert!(program.explain().lines().all(|l| !l.contains("concat")), "{}", program.explain());
}

#[test]
fn a_gradient_and_a_product_share_their_products() {
    // Five layers: 14 products for the gradient, 40 for value, gradient and product together.
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [4, 8]);
    let weights = tape.input("w", DType::F64, [5, 8, 8]);
    let v = tape.input("v", DType::F64, [5, 8, 8]);
    let y = (0..5).fold(x, |y, i| y.matmul(weights.at(i)).tanh());
    let f = y.square().sum();
    let count =
        |outputs: &[Var]| tape.compile(&Cpu::new(), outputs).unwrap().op_counts()["contract"];
    assert_eq!(count(&[f.grad(weights)]), 14);
    let all = f.value_grad_hvp(weights, v);
    assert_eq!(count(&[all.value, all.grad, all.hvp]), 40);
    assert_eq!(count(&[all.hvp]), 35);
}

/// A backend that keeps what another one made executable.
#[derive(Clone)]
struct Keeping<B>(B, Arc<Mutex<Vec<Box<dyn Executable>>>>);

impl<B: Backend + Clone + 'static> Backend for Keeping<B> {
    fn name(&self) -> &'static str {
        "keeping"
    }

    fn boxed(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    fn costs(&self) -> Costs {
        self.0.costs()
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        assert!(plan.kernels().iter().all(|k| plan.bytes(k) > 0));
        assert_eq!(plan.early_inputs() > 0, plan.early_phases() > 0);
        self.1.lock().unwrap().push(self.0.compile(plan.clone())?);
        self.0.compile(plan)
    }
}

fn kept<B: Backend + Clone + 'static>(backend: B) -> Vec<Box<dyn Executable>> {
    let backend = Keeping(backend, Arc::default());
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2, 3]);
    let i = tape.input("i", DType::U32, [4]);
    let program = tape.compile(&backend, &[x.exp().gather(1, i), x.sum()]).unwrap();
    let one = Array::full(DType::F64, [2, 3], 0.0);
    program.bind(&[&one]).unwrap();
    backend.1.lock().unwrap().drain(..).collect()
}

#[test]
fn an_executable_checks_what_it_is_given() {
    let x = Array::full(DType::F64, [2, 3], 0.0);
    let i = Array::vector([0u32, 1, 2, 0]);
    let outputs = || [Array::zeros(DType::F64, [2, 4]), Array::zeros(DType::F64, ())];
    let narrow = Array::zeros(DType::F32, [2, 3]);
    let (short, long) = (Array::zeros(DType::F64, [2, 2]), Array::zeros(DType::F64, [2, 4]));
    for executables in [kept(Cpu::with_threads(2).unwrap()), kept(Interpreter)] {
        let [whole, mut staged] = <[_; 2]>::try_from(executables).ok().unwrap();
        let mut out = outputs();
        whole.run(&[&x, &i], &mut out).unwrap();
        assert_eq!(out[0].to_string(), "[[1, 1, 1, 1],\n [1, 1, 1, 1]]");
        for inputs in [&[&x][..], &[], &[&x, &i, &i], &[&i, &x], &[&narrow, &i], &[&short, &i]] {
            assert!(whole.run(inputs, &mut outputs()).is_err());
            assert!(
                whole.times(inputs, &mut outputs()).is_ok_and(|t| t.is_none()) || {
                    whole.times(inputs, &mut outputs()).is_err()
                }
            );
        }
        let error = whole.run(&[&x, &i], &mut outputs()[..1]).unwrap_err();
        assert!(matches!(error, Error::Count { what: "outputs", .. }), "{error}");
        for wrong in [&narrow, &short, &x, &i] {
            let mut out = outputs();
            out[0] = wrong.clone();
            let error = whole.run(&[&x, &i], &mut out).unwrap_err();
            assert!(matches!(error, Error::Output { index: 0, .. }), "{error}");
        }
        for early in [&[&narrow][..], &[&long], &[&i]] {
            assert!(staged.bind(early).is_err());
        }
        staged.bind(&[&x]).unwrap();
        staged.run(&[&x, &i], &mut out).unwrap();
        assert_eq!(out[1].item().unwrap(), 0.0);
    }
}

#[test]
fn the_late_part_of_a_program_needs_the_early_one() {
    let mut staged = kept(Cpu::new()).pop().unwrap();
    let (x, i) = (Array::full(DType::F64, [2, 3], 0.0), Array::vector([0u32, 1, 2, 0]));
    let mut out = [Array::zeros(DType::F64, [2, 4]), Array::zeros(DType::F64, ())];
    let error = staged.run(&[&x, &i], &mut out).unwrap_err();
    assert_eq!(error.to_string(), "backend cpu: the early inputs of this program are not bound");
    for early in [&[][..], &[&x, &i]] {
        assert!(matches!(staged.bind(early), Err(Error::Count { what: "bound inputs", .. })));
    }
    staged.bind(&[&x]).unwrap();
    staged.run(&[&x, &i], &mut out).unwrap();
    assert_eq!(out[0].get(&[1, 3]), Some(1.0));
}
