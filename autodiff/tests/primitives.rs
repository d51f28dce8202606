//! Every primitive: its derivatives to third order, against differences and each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::Check;
use burlap_autodiff::{
    Array, Binary, Compare, Contraction, Cpu, DType, Interpreter, Op, Padding, Tape, Unary, Var,
};

type Function = fn(&Tape, Var) -> Var;

/// A function that uses a primitive, on points of a shape with elements between two bounds.
struct Case {
    shape: &'static [usize],
    between: (f64, f64),
    f: Function,
}

/// A primitive is differentiable, or its derivative is zero.
enum Spec {
    Smooth(Vec<Case>),
    Constant(Vec<Case>),
}

const WIDE: (f64, f64) = (-2.0, 2.0);
const POSITIVE: (f64, f64) = (0.3, 3.0);

fn case(shape: &'static [usize], f: Function) -> Case {
    Case { shape, between: WIDE, f }
}

fn positive(shape: &'static [usize], f: Function) -> Case {
    Case { shape, between: POSITIVE, f }
}

fn unit(shape: &'static [usize], f: Function) -> Case {
    Case { shape, between: (-0.8, 0.8), f }
}

/// Distinct elements in no order, none of them on a kink.
fn point(case: &Case) -> Array {
    let n = case.shape.iter().product();
    let (low, high) = case.between;
    let golden = |i: usize| (0.137 + i as f64 * 0.618_033_988_749_895).fract();
    let values: Vec<f64> = (0..n).map(|i| low + (high - low) * golden(i)).collect();
    Array::from_vec(case.shape, values).unwrap()
}

fn indices(tape: &Tape, shape: &[usize], values: &[u32]) -> Var {
    tape.literal(&Array::from_vec(shape, values.to_vec()).unwrap())
}

/// The key of the random primitives.
fn key(tape: &Tape) -> Var {
    indices(tape, &[2], &[7, 9])
}

fn reals(tape: &Tape, shape: &[usize]) -> Var {
    let n: usize = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).sin()).collect();
    tape.literal(&Array::from_vec(shape, values).unwrap())
}

fn unary_spec(f: Unary) -> Spec {
    // Each twice: a scalar, and a matrix.
    macro_rules! both {
        ($make:ident, $method:ident) => {
            Spec::Smooth(vec![$make(&[], |_, x| x.$method()), $make(&[2, 3], |_, x| x.$method())])
        };
    }
    match f {
        Unary::Neg => both!(case, negated),
        Unary::Abs => both!(case, abs),
        Unary::Exp => both!(case, exp),
        Unary::ExpStrong => both!(case, exp_strong),
        Unary::Expm1 => both!(case, expm1),
        Unary::Log => both!(positive, log),
        Unary::Log1p => both!(positive, log1p),
        Unary::Sqrt => both!(positive, sqrt),
        Unary::Root => both!(positive, root),
        Unary::Rsqrt => both!(positive, rsqrt),
        Unary::Recip => both!(positive, recip),
        Unary::Sin => both!(case, sin),
        Unary::Cos => both!(case, cos),
        Unary::Atan => both!(case, atan),
        Unary::Tanh => both!(case, tanh),
        Unary::Sech2 => both!(case, sech2),
        Unary::Sigmoid => both!(case, sigmoid),
        Unary::Softplus => both!(case, softplus),
        Unary::Erf => both!(case, erf),
        Unary::Asin => both!(unit, asin),
        Unary::Acos => both!(unit, acos),
        Unary::CosAtan => both!(case, cos_atan),
        Unary::SecAsin => both!(unit, sec_asin),
        Unary::Sinh => both!(case, sinh),
        Unary::Cosh => both!(case, cosh),
        Unary::LogCosh => both!(case, log_cosh),
        Unary::Asinh => both!(case, asinh),
        Unary::Acosh => Spec::Smooth(vec![positive(&[2, 3], |_, x| (x + 1.0).acosh())]),
        Unary::Atanh => both!(unit, atanh),
        Unary::Erfc => both!(case, erfc),
        Unary::Gaussian => both!(case, gaussian),
        Unary::NormalCdf => both!(case, normal_cdf),
        Unary::NormalPdf => both!(case, normal_pdf),
        Unary::Exp2 => both!(case, exp2),
        Unary::Log2 => both!(positive, log2),
        Unary::Log10 => both!(positive, log10),
        Unary::Sign => Spec::Constant(vec![case(&[2, 3], |_, x| x.sign())]),
        Unary::Floor => Spec::Constant(vec![case(&[2, 3], |_, x| x.floor())]),
    }
}

/// Both operands depend on the variable; then each alone, broadcast against the other.
macro_rules! binary {
    ($between:expr, |$a:ident, $b:ident| $value:expr) => {{
        fn apply($a: Var, $b: Var) -> Var {
            $value
        }
        let of = |shape, f| Case { shape, between: $between, f };
        Spec::Smooth(vec![
            of(&[2, 3], |_, x| apply(x, x.flip(&[0]) + 0.25)),
            of(&[2, 1, 3], |t, x| apply(x, reals(t, &[4, 1]).square() + 0.5)),
            of(&[3], |t, x| apply(reals(t, &[2, 3]).square() + 0.5, x)),
            of(&[], |_, x| apply(x, x.square() + 0.125)),
        ])
    }};
}

fn binary_spec(f: Binary) -> Spec {
    match f {
        Binary::Add => binary!(WIDE, |a, b| a + b),
        Binary::Sub => binary!(WIDE, |a, b| a - b),
        Binary::Mul => binary!(WIDE, |a, b| a * b),
        Binary::Div => binary!(POSITIVE, |a, b| a / b),
        Binary::Pow => binary!(POSITIVE, |a, b| a.pow(b)),
        Binary::StrongMulBoth => binary!(WIDE, |a, b| a.strong_mul_both(b)),
        Binary::StrongMul => binary!(WIDE, |a, b| a.strong_mul(b)),
        Binary::Max => binary!(WIDE, |a, b| a.max(b)),
        Binary::Min => binary!(WIDE, |a, b| a.min(b)),
        Binary::LogAddExp => binary!(WIDE, |a, b| a.logaddexp(b)),
        Binary::Atan2 => binary!(POSITIVE, |a, b| (a - 0.9).atan2(b)),
    }
}

fn compare_spec(f: Compare) -> Spec {
    macro_rules! mask {
        ($method:ident) => {
            Spec::Constant(vec![case(&[2, 3], |_, x| x.$method(x.flip(&[1])).cast(DType::F64))])
        };
    }
    match f {
        Compare::Eq => mask!(equal),
        Compare::Ne => mask!(not_equal),
        Compare::Lt => mask!(lt),
        Compare::Le => mask!(le),
        Compare::Gt => mask!(gt),
        Compare::Ge => mask!(ge),
    }
}

fn pad3(before: usize, between: usize, after: usize) -> Padding {
    Padding { before, between, after }
}

fn structural_spec(name: &str) -> Option<Spec> {
    Some(match name {
        "select" => Spec::Smooth(vec![
            case(&[2, 3], |_, x| x.gt(0.1).select(x.exp(), x.square())),
            case(&[3], |t, x| reals(t, &[2, 1]).gt(0.85).select(x, 2.0)),
            case(&[2, 3], |t, x| reals(t, &[2, 3]).gt(0.5).select(-1.0, x)),
        ]),
        "cast" => Spec::Constant(vec![
            case(&[2, 3], |_, x| (x + 3.0).cast(DType::U32).cast(DType::F64)),
            case(&[2, 3], |_, x| x.cast(DType::Bool).cast(DType::F64)),
        ]),
        "stop_gradient" => Spec::Constant(vec![case(&[2, 3], |_, x| x.sin().stop_gradient())]),
        "recompute" => Spec::Smooth(vec![
            case(&[2, 3], |_, x| x.checkpoint(|x| x.sin().exp())),
            case(&[2, 3], |t, x| {
                let w = reals(t, &[3, 2]);
                x.checkpoint(|x| x.matmul(w).tanh().checkpoint(|y| y.square().sin())).matmul(x)
            }),
            case(&[3], |_, x| x.sin().checkpoint(|y| (x * y).sum_axes(&[0]).exp())),
            case(&[], |_, x| x.checkpoint(|x| x.square() * x.cos())),
        ]),
        "sum" => Spec::Smooth(vec![
            case(&[4], |_, x| x.sum()),
            case(&[4], |_, x| x.dot(x)),
            case(&[2, 3, 2], |_, x| x.sum_axes(&[0])),
            case(&[2, 3, 2], |_, x| x.sum_axes(&[1])),
            case(&[2, 3, 2], |_, x| x.sum_axes(&[2, 0])),
            case(&[2, 1], |_, x| x.sum_axes(&[1])),
        ]),
        "max_over" => Spec::Smooth(vec![
            case(&[4], |_, x| x.max_all()),
            case(&[2, 3, 2], |_, x| x.square().max_axes(&[1])),
            case(&[2, 3, 2], |_, x| x.max_axes(&[2, 0])),
        ]),
        "min_over" => Spec::Smooth(vec![
            case(&[4], |_, x| x.min_all()),
            case(&[2, 3, 2], |_, x| x.square().min_axes(&[1])),
            case(&[2, 3, 2], |_, x| x.min_axes(&[0, 2])),
        ]),
        "argmax" => Spec::Constant(vec![case(&[2, 3], |_, x| x.argmax(1).cast(DType::F64))]),
        "reshape" => Spec::Smooth(vec![
            case(&[2, 3], |_, x| x.reshape([3, 1, 2])),
            case(&[2, 3], |_, x| x.t().reshape([6])),
            case(&[1], |_, x| x.reshape(())),
        ]),
        "broadcast" => Spec::Smooth(vec![
            case(&[3, 1], |_, x| x.broadcast_to([2, 3, 4])),
            case(&[2], |_, x| x.broadcast_axes([3, 2, 2], &[1])),
            case(&[], |_, x| x.broadcast_to([2, 2])),
        ]),
        "transpose" => Spec::Smooth(vec![
            case(&[2, 3], |_, x| x.t()),
            case(&[2, 3, 2], |_, x| x.transpose(&[2, 0, 1])),
            case(&[2, 3, 1, 2], |_, x| x.transpose(&[3, 1, 0, 2])),
        ]),
        "slice" => Spec::Smooth(vec![
            case(&[5], |_, x| x.slice_steps(&[(1, 5, 2)])),
            case(&[3, 4], |_, x| x.slice_steps(&[(0, 3, 2), (1, 4, 1)])),
            case(&[3, 4], |_, x| x.slice_axis(1, 1, 3)),
            case(&[3, 2], |_, x| x.at(1)),
            // Overlapping slices, of which the reverse sweep makes concatenations.
            case(&[5], |_, x| x.slice_axis(0, 0, 3) * x.slice_axis(0, 2, 5)),
        ]),
        "pad" => Spec::Smooth(vec![
            case(&[3], |_, x| x.pad(&[pad3(1, 2, 1)])),
            case(&[2, 2], |_, x| x.pad(&[pad3(0, 1, 0), pad3(2, 0, 1)])),
        ]),
        "concat" => Spec::Smooth(vec![
            case(&[2, 3], |t, x| t.concat(&[x, x.square(), x], 0)),
            case(&[2, 3], |t, x| t.concat(&[x, reals(t, &[2, 1])], 1)),
            case(&[2, 3], |t, x| t.stack(&[x, x.sin()], 1)),
        ]),
        "flip" => Spec::Smooth(vec![
            case(&[4], |_, x| x.flip(&[0])),
            case(&[2, 3, 2], |_, x| x.flip(&[2, 0])),
        ]),
        "contract" => Spec::Smooth(vec![
            case(&[2, 3], |_, x| x.matmul(x.t())),
            case(&[3, 3], |_, x| x.matmul(x).matmul(x)),
            case(&[2, 3], |t, x| x.matmul(reals(t, &[3, 2]))),
            case(&[2, 3], |t, x| reals(t, &[4, 2]).matmul(x)),
            case(&[3], |t, x| reals(t, &[2, 4, 3]).matmul(x)),
            case(&[2, 3, 2], |_, x| x.einsum("bij,bkj->bik", x)),
            case(&[2, 3, 2], |_, x| x.einsum("abc,cde->eabd", x.flip(&[1]))),
            case(&[2, 2], |_, x| x.contract(x.exp(), Contraction::pairing(&[], &[(0, 1), (1, 0)]))),
            case(&[2, 2, 2], |_, x| {
                x.contract(x.sin(), Contraction::pairing(&[(2, 0), (0, 1)], &[(1, 2)]))
            }),
            case(&[2, 2, 3], |_, x| {
                x.contract(x.sin(), Contraction::pairing(&[(2, 2)], &[(0, 1), (1, 0)]))
            }),
            case(&[2], |_, x| x.contract(x, Contraction::pairing(&[], &[]))),
        ]),
        "gather" => Spec::Smooth(vec![
            case(&[4], |t, x| x.gather(0, indices(t, &[5], &[3, 0, 0, 2, 3]))),
            case(&[2, 3], |t, x| x.gather(1, indices(t, &[2, 2], &[2, 2, 0, 1]))),
            case(&[2, 3], |t, x| x.gather(0, indices(t, &[], &[1]))),
        ]),
        "scatter_add" => Spec::Smooth(vec![
            case(&[4], |t, x| {
                x.scatter_add(0, indices(t, &[3], &[1, 1, 3]), x.slice_axis(0, 0, 3).square())
            }),
            case(&[2, 3], |t, x| {
                t.zeros(DType::F64, [2, 4]).scatter_add(1, indices(t, &[3], &[3, 0, 3]), x)
            }),
        ]),
        "take_along" => Spec::Smooth(vec![
            case(&[2, 3], |t, x| x.take_along(1, indices(t, &[2, 2], &[2, 0, 1, 1]))),
            case(&[2, 3], |t, x| {
                x.take_along(0, indices(t, &[3, 3], &[0, 1, 0, 1, 1, 0, 0, 0, 0]))
            }),
        ]),
        // Recorded as the transpose of `take_along`.
        "scatter_along" => Spec::Smooth(vec![case(&[2, 2], |t, x| {
            let target = t.zeros(DType::F64, [2, 3]);
            let taken = target.take_along(1, indices(t, &[2, 2], &[2, 0, 1, 1]));
            taken.vjp(target, x)
        })]),
        "uniform" => Spec::Constant(vec![case(&[3], |t, x| {
            let places = x.cast(DType::Bool).cast(DType::F64);
            key(t).uniform(0, DType::F64, [3]) + 0.0 * places
        })]),
        "normal" => Spec::Constant(vec![case(&[3], |t, x| {
            key(t).normal(1, DType::F64, [3]) + 0.0 * x.floor()
        })]),
        "bits" => Spec::Constant(vec![case(&[3], |t, x| {
            key(t).bits(2, [3]).cast(DType::F64) + 0.0 * x.floor()
        })]),
        _ => return None,
    })
}

fn spec(name: &str) -> Option<Spec> {
    let unary = Unary::ALL.iter().find(|f| f.name() == name).map(|&f| unary_spec(f));
    let binary = Binary::ALL.iter().find(|f| f.name() == name).map(|&f| binary_spec(f));
    let compare = Compare::ALL.iter().find(|f| f.name() == name).map(|&f| compare_spec(f));
    unary.or(binary).or(compare).or_else(|| structural_spec(name))
}

#[test]
fn every_primitive_has_a_spec() {
    let missing: Vec<&str> = Op::names().into_iter().filter(|n| spec(n).is_none()).collect();
    assert!(missing.is_empty(), "no derivative test of {missing:?}");
}

/// Whether compiled programs of a function and its derivatives contain a primitive.
fn contains(case: &Case, name: &str) -> bool {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, case.shape);
    let f = (case.f)(&tape, x);
    let program = tape.compile(&Interpreter, &[f, f.vjp(x, f)]).unwrap();
    // Programs need no `stop_gradient`; the gradient's absence is checked below.
    name == "stop_gradient" || program.census().contains_key(name)
}

/// A smooth scalar of a primitive's values, in which every element counts differently.
fn scalar(tape: &Tape, y: Var) -> Var {
    let flat = y.flatten();
    let weights = reals(tape, &[flat.shape()[0]]);
    (flat * weights).sum() + (0.5 * flat * weights).sin().sum()
}

#[test]
fn derivatives_to_third_order() {
    let mut comparisons = 0;
    for name in Op::names() {
        let Some(Spec::Smooth(cases)) = spec(name) else { continue };
        for (i, case) in cases.iter().enumerate() {
            assert!(contains(case, name), "case {i} of {name} does without it");
            let fail = |e| -> ! { panic!("{name}, case {i} of shape {:?}: {e}", case.shape) };
            let mut inner = Check::new(case.f, point(case));
            inner.jvp_vjp().unwrap_or_else(|e| fail(e));
            let mut outer = Check::new(|tape, x| scalar(tape, (case.f)(tape, x)), point(case));
            outer.gradient().unwrap_or_else(|e| fail(e));
            outer.hessian().unwrap_or_else(|e| fail(e));
            for check in [inner, outer] {
                comparisons +=
                    check.report().properties.iter().map(|p| p.comparisons).sum::<usize>();
            }
        }
    }
    println!("{comparisons} comparisons");
}

#[test]
fn derivatives_that_are_zero() {
    for name in Op::names() {
        let Some(Spec::Constant(cases)) = spec(name) else { continue };
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
