//! Every primitive: its derivatives to third order, against differences and each other.

use burlap_autodiff::testing::{Check, Example, Sample, examples};
use burlap_autodiff::{Array, Contraction, Cpu, DType, Interpreter, Padding, Tape, Var};

type Function = fn(&Tape, Var) -> Var;

/// A function that uses a primitive, on points of a shape.
struct Case {
    shape: &'static [usize],
    f: Function,
}

const WIDE: (f64, f64) = (-2.0, 2.0);
fn case(shape: &'static [usize], f: Function) -> Case {
    Case { shape, f }
}

/// Distinct numbers in no order, none of them on a kink.
fn numbers(n: usize, (low, high): (f64, f64)) -> Vec<f64> {
    let golden = |i: usize| (0.137 + i as f64 * 0.618_033_988_749_895).fract();
    (0..n).map(|i| low + (high - low) * golden(i)).collect()
}

fn point(case: &Case) -> Array {
    Array::from_vec(case.shape, numbers(case.shape.iter().product(), WIDE)).unwrap()
}

fn indices(tape: &Tape, shape: &[usize], values: &[u32]) -> Var {
    tape.literal(&Array::from_vec(shape, values.to_vec()).unwrap())
}

fn reals(tape: &Tape, shape: &[usize]) -> Var {
    let n: usize = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).sin()).collect();
    tape.literal(&Array::from_vec(shape, values).unwrap())
}

fn pad3(before: usize, between: usize, after: usize) -> Padding {
    Padding { before, between, after }
}

/// Uses of structural primitives in which several operands depend on the variable, or several of
/// them meet.
fn compositions() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        (
            "select",
            vec![
                case(&[2, 3], |_, x| x.gt(0.1).select(x.exp(), x.square())),
                case(&[3], |t, x| reals(t, &[2, 1]).gt(0.85).select(x, 2.0)),
                case(&[2, 3], |t, x| reals(t, &[2, 3]).gt(0.5).select(-1.0, x)),
            ],
        ),
        (
            "recompute",
            vec![
                case(&[2, 3], |_, x| x.checkpoint(|x| x.sin().exp())),
                case(&[2, 3], |t, x| {
                    let w = reals(t, &[3, 2]);
                    x.checkpoint(|x| x.matmul(w).tanh().checkpoint(|y| y.square().sin())).matmul(x)
                }),
                case(&[3], |_, x| x.sin().checkpoint(|y| (x * y).sum_axes(&[0]).exp())),
                case(&[], |_, x| x.checkpoint(|x| x.square() * x.cos())),
            ],
        ),
        (
            "sum",
            vec![
                case(&[4], |_, x| x.sum()),
                case(&[4], |_, x| x.dot(x)),
                case(&[2, 3, 2], |_, x| x.sum_axes(&[0])),
                case(&[2, 3, 2], |_, x| x.sum_axes(&[1])),
                case(&[2, 3, 2], |_, x| x.sum_axes(&[2, 0])),
                case(&[2, 1], |_, x| x.sum_axes(&[1])),
            ],
        ),
        (
            "max_over",
            vec![
                case(&[4], |_, x| x.max_all()),
                case(&[2, 3, 2], |_, x| x.square().max_axes(&[1])),
                case(&[2, 3, 2], |_, x| x.max_axes(&[2, 0])),
            ],
        ),
        (
            "min_over",
            vec![
                case(&[4], |_, x| x.min_all()),
                case(&[2, 3, 2], |_, x| x.square().min_axes(&[1])),
                case(&[2, 3, 2], |_, x| x.min_axes(&[0, 2])),
            ],
        ),
        (
            "reshape",
            vec![
                case(&[2, 3], |_, x| x.reshape([3, 1, 2])),
                case(&[2, 3], |_, x| x.t().reshape([6])),
                case(&[1], |_, x| x.reshape(())),
            ],
        ),
        (
            "broadcast",
            vec![
                case(&[3, 1], |_, x| x.broadcast_to([2, 3, 4])),
                case(&[2], |_, x| x.broadcast_axes([3, 2, 2], &[1])),
                case(&[], |_, x| x.broadcast_to([2, 2])),
            ],
        ),
        (
            "transpose",
            vec![
                case(&[2, 3], |_, x| x.t()),
                case(&[2, 3, 2], |_, x| x.transpose(&[2, 0, 1])),
                case(&[2, 3, 1, 2], |_, x| x.transpose(&[3, 1, 0, 2])),
            ],
        ),
        (
            "slice",
            vec![
                case(&[5], |_, x| x.slice_steps(&[(1, 5, 2)])),
                case(&[3, 4], |_, x| x.slice_steps(&[(0, 3, 2), (1, 4, 1)])),
                case(&[3, 4], |_, x| x.slice_axis(1, 1, 3)),
                case(&[3, 2], |_, x| x.at(1)),
                // Overlapping slices, of which the reverse sweep makes concatenations.
                case(&[5], |_, x| x.slice_axis(0, 0, 3) * x.slice_axis(0, 2, 5)),
            ],
        ),
        (
            "pad",
            vec![
                case(&[3], |_, x| x.pad(&[pad3(1, 2, 1)])),
                case(&[2, 2], |_, x| x.pad(&[pad3(0, 1, 0), pad3(2, 0, 1)])),
            ],
        ),
        (
            "concat",
            vec![
                case(&[2, 3], |t, x| t.concat(&[x, x.square(), x], 0)),
                case(&[2, 3], |t, x| t.concat(&[x, reals(t, &[2, 1])], 1)),
                case(&[2, 3], |t, x| t.stack(&[x, x.sin()], 1)),
            ],
        ),
        ("flip", vec![case(&[4], |_, x| x.flip(&[0])), case(&[2, 3, 2], |_, x| x.flip(&[2, 0]))]),
        (
            "contract",
            vec![
                case(&[2, 3], |_, x| x.matmul(x.t())),
                case(&[3, 3], |_, x| x.matmul(x).matmul(x)),
                case(&[2, 3], |t, x| x.matmul(reals(t, &[3, 2]))),
                case(&[2, 3], |t, x| reals(t, &[4, 2]).matmul(x)),
                case(&[3], |t, x| reals(t, &[2, 4, 3]).matmul(x)),
                case(&[2, 3, 2], |_, x| x.einsum("bij,bkj->bik", x)),
                case(&[2, 3, 2], |_, x| x.einsum("abc,cde->eabd", x.flip(&[1]))),
                case(&[2, 2], |_, x| {
                    x.contract(x.exp(), Contraction::pairing(&[], &[(0, 1), (1, 0)]))
                }),
                case(&[2, 2, 2], |_, x| {
                    x.contract(x.sin(), Contraction::pairing(&[(2, 0), (0, 1)], &[(1, 2)]))
                }),
                case(&[2, 2, 3], |_, x| {
                    x.contract(x.sin(), Contraction::pairing(&[(2, 2)], &[(0, 1), (1, 0)]))
                }),
                case(&[2], |_, x| x.contract(x, Contraction::pairing(&[], &[]))),
            ],
        ),
        (
            "gather",
            vec![
                case(&[4], |t, x| x.gather(0, indices(t, &[5], &[3, 0, 0, 2, 3]))),
                case(&[2, 3], |t, x| x.gather(1, indices(t, &[2, 2], &[2, 2, 0, 1]))),
                case(&[2, 3], |t, x| x.gather(0, indices(t, &[], &[1]))),
            ],
        ),
        (
            "scatter_add",
            vec![
                case(&[4], |t, x| {
                    x.scatter_add(0, indices(t, &[3], &[1, 1, 3]), x.slice_axis(0, 0, 3).square())
                }),
                case(&[2, 3], |t, x| {
                    t.zeros(DType::F64, [2, 4]).scatter_add(1, indices(t, &[3], &[3, 0, 3]), x)
                }),
            ],
        ),
        (
            "take_along",
            vec![
                case(&[2, 3], |t, x| x.take_along(1, indices(t, &[2, 2], &[2, 0, 1, 1]))),
                case(&[2, 3], |t, x| {
                    x.take_along(0, indices(t, &[3, 3], &[0, 1, 0, 1, 1, 0, 0, 0, 0]))
                }),
            ],
        ),
        (
            "scatter_along",
            vec![case(&[2, 2], |t, x| {
                let target = t.zeros(DType::F64, [2, 3]);
                let taken = target.take_along(1, indices(t, &[2, 2], &[2, 0, 1, 1]));
                taken.vjp(target, x)
            })],
        ),
    ]
}

/// Uses through which no derivative flows.
fn constants() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        (
            "cast",
            vec![
                case(&[2, 3], |_, x| (x + 3.0).cast(DType::U32).cast(DType::F64)),
                case(&[2, 3], |_, x| x.cast(DType::Bool).cast(DType::F64)),
            ],
        ),
        ("stop_gradient", vec![case(&[2, 3], |_, x| x.sin().stop_gradient())]),
        ("argmax", vec![case(&[2, 3], |_, x| x.argmax(1).cast(DType::F64))]),
        ("sign", vec![case(&[2, 3], |_, x| x.sign())]),
        ("floor", vec![case(&[2, 3], |_, x| x.floor())]),
        ("lt", vec![case(&[2, 3], |_, x| x.lt(x.flip(&[1])).cast(DType::F64))]),
    ]
}

/// Whether compiled programs of a function and its derivatives contain a primitive.
fn contains(case: &Case, name: &str) -> bool {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, case.shape);
    let f = (case.f)(&tape, x);
    let program = tape.compile(&Interpreter, &[f, f.vjp(x, f)]).unwrap();
    // Programs need no `stop_gradient`; the gradient's absence is checked below.
    name == "stop_gradient" || program.op_counts().contains_key(name)
}

/// A smooth scalar of a primitive's values, in which every element counts differently.
fn scalar(tape: &Tape, y: Var) -> Var {
    let flat = y.flatten();
    let weights = reals(tape, &[flat.shape()[0]]);
    (flat * weights).sum() + (0.5 * flat * weights).sin().sum()
}

/// Holds derivatives of values, and those to third order of a scalar of them; how many numbers were
/// compared.
fn compared_to_third_order(
    f: impl Fn(&Tape, Var) -> Var,
    point: Array,
) -> burlap_autodiff::Result<usize> {
    let mut inner = Check::new(&f, point.clone());
    inner.jvp_vjp()?;
    let mut outer = Check::new(|tape, x| scalar(tape, f(tape, x)), point);
    outer.gradient()?;
    outer.hessian()?;
    let all = [inner, outer];
    let counts = all.iter().flat_map(|check| &check.report().properties).map(|p| p.comparisons);
    Ok(counts.sum())
}

/// A primitive as a function of all its real operands, which follow one another in a vector.
fn of_one(example: &Example, tape: &Tape, x: Var) -> Var {
    let mut start = 0;
    let mut operand = |(number, sample): (usize, &Sample)| {
        let count: usize = sample.shape().iter().product();
        let whole = |below: u32| {
            let values = (0..count as u32).map(|i| (7 * i + 3 * number as u32 + 1) % below);
            indices(tape, sample.shape(), &values.collect::<Vec<_>>())
        };
        match *sample {
            Sample::Real(shape) => {
                start += count;
                x.slice_axis(0, start - count, start).reshape(shape)
            }
            Sample::Integer(_, below) => whole(below),
            Sample::Mask(_) => whole(2).cast(DType::Bool),
        }
    };
    let operands: Vec<Var> = example.operands.iter().enumerate().map(&mut operand).collect();
    (example.record)(&operands).cast(DType::F64)
}

/// What a derivative claims that flows at all is true; and where none flows, values do not change.
#[test]
fn derivatives_of_every_primitive_to_third_order() {
    let mut comparisons = 0;
    for (name, examples) in examples() {
        let differentiable = |e: &&Example| {
            // Its derivative is not that of its values.
            name != "stop_gradient" && e.operands.iter().any(|s| matches!(s, Sample::Real(_)))
        };
        for (i, example) in examples.iter().enumerate().filter(|(_, e)| differentiable(e)) {
            let real = example.operands.iter().filter(|s| matches!(s, Sample::Real(_)));
            let n = real.map(|s| s.shape().iter().product::<usize>()).sum();
            let point = Array::vector(numbers(n, example.between));
            let fail = |e| -> ! { panic!("{name}, example {i}: {e}") };
            let f = |tape: &Tape, x: Var| of_one(example, tape, x);
            comparisons += compared_to_third_order(f, point).unwrap_or_else(|e| fail(e));
        }
    }
    println!("{comparisons} comparisons");
}

#[test]
fn derivatives_of_compositions_to_third_order() {
    let mut comparisons = 0;
    for (name, cases) in compositions() {
        for (i, case) in cases.iter().enumerate() {
            assert!(contains(case, name), "case {i} of {name} does without it");
            let fail = |e| -> ! { panic!("{name}, case {i} of shape {:?}: {e}", case.shape) };
            comparisons += compared_to_third_order(case.f, point(case)).unwrap_or_else(|e| fail(e));
        }
    }
    println!("{comparisons} comparisons");
}

#[test]
fn derivatives_that_are_zero() {
    for (name, cases) in constants() {
        for case in &cases {
            assert!(contains(case, name), "a case of {name} does without it");
            let tape = Tape::new();
            let x = tape.input("x", DType::F64, case.shape);
            let y = (case.f)(&tape, x);
            assert_eq!(y.jvp(x, x).constant_value(), Some(0.0), "{name}");
            // Beside a value that depends, it adds nothing.
            let (f, g) = (scalar(&tape, y * x.sum()), scalar(&tape, y.stop_gradient() * x.sum()));
            let program = tape
                .compile(&Interpreter, &[f.grad(x), g.grad(x), f.hvp(x, x), g.hvp(x, x)])
                .unwrap();
            let out = program.run(&[&point(case)]).unwrap();
            assert_eq!(out[0], out[1], "{name}");
            assert_eq!(out[2], out[3], "{name}");
            assert!(out[0].to_f64_vec().iter().any(|&g| g != 0.0), "{name}");
        }
    }
}

/// Between float types the tangent and the cotangent are converted too.
#[test]
fn cast_between_floats() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let v = tape.input("v", DType::F64, [3]);
    let y = x.cast(DType::F32);
    assert_eq!((y.dtype(), y.jvp(x, v).dtype()), (DType::F32, DType::F32));
    let f = (y.square() * y).sum().cast(DType::F64);
    let outputs = [y.jvp(x, v), f.grad(x), f.hvp(x, v)];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let (x0, v0) = ([0.1, -0.7, 1.3], [0.3, 0.2, -0.4]);
    let out = program.run(&[&Array::vector(x0), &Array::vector(v0)]).unwrap();
    assert_eq!(out[0], Array::vector(v0.map(|v| v as f32)));
    assert_eq!(out[1].dtype(), DType::F64);
    for i in 0..3 {
        let (x, v) = (x0[i], v0[i]);
        // A handful of roundings to F32.
        let close = |found: f64, exact: f64| {
            (found - exact).abs() <= 8.0 * f64::from(f32::EPSILON) * exact.abs()
        };
        assert!(close(out[1].to_f64_vec()[i], 3.0 * x * x), "{out:?}");
        assert!(close(out[2].to_f64_vec()[i], 6.0 * x * v), "{out:?}");
    }
}
