//! Every primitive: derivatives to third order at generic points, and closed forms where
//! digits are easily lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::{check_gradient, check_hessian, check_jvp_vjp};
use burlap_autodiff::{Array, Cpu, DType, Op, Padding, Tape, Var};

/// A function that uses the primitive on a vector of twelve numbers, with the range of these.
struct Spec {
    name: &'static str,
    /// Whether derivatives flow through it.
    smooth: bool,
    range: (f64, f64),
    f: fn(Var) -> Var,
}

const fn smooth(name: &'static str, low: f64, high: f64, f: fn(Var) -> Var) -> Spec {
    Spec { name, smooth: true, range: (low, high), f }
}

const fn flat(name: &'static str, f: fn(Var) -> Var) -> Spec {
    Spec { name, smooth: false, range: (0.2, 2.8), f }
}

fn matrix(x: Var) -> Var {
    x.reshape([3, 4])
}

fn indices(x: Var, list: &[u32]) -> Var {
    x.literal(&Array::vector(list))
}

const SPECS: &[Spec] = &[
    smooth("neg", -2.0, 2.0, |x| -(x * x)),
    smooth("abs", 0.3, 2.0, |x| (x * x * -1.0).abs() * x),
    smooth("sign", 0.3, 2.0, |x| x.sign() * x.square()),
    smooth("exp", -2.0, 2.0, |x| x.exp()),
    smooth("expm1", -2.0, 2.0, |x| x.expm1()),
    smooth("log", 0.3, 3.0, |x| x.log()),
    smooth("log1p", -0.6, 2.0, |x| x.log1p()),
    smooth("sqrt", 0.3, 3.0, |x| x.sqrt()),
    smooth("rsqrt", 0.3, 3.0, |x| x.rsqrt()),
    smooth("recip", 0.4, 3.0, |x| x.recip()),
    smooth("sin", -3.0, 3.0, |x| x.sin()),
    smooth("cos", -3.0, 3.0, |x| x.cos()),
    smooth("atan", -3.0, 3.0, |x| x.atan()),
    smooth("tanh", -2.0, 2.0, |x| x.tanh()),
    smooth("sech2", -2.0, 2.0, |x| x.sech2()),
    smooth("sigmoid", -3.0, 3.0, |x| x.sigmoid()),
    smooth("softplus", -3.0, 3.0, |x| x.softplus()),
    smooth("erf", -2.0, 2.0, |x| x.erf()),
    smooth("floor", 0.2, 0.8, |x| (x + 3.0).floor() * x.square()),
    smooth("add", -2.0, 2.0, |x| (x + x.sin()) * x),
    smooth("sub", -2.0, 2.0, |x| (x.square() - x.sin()) * x),
    smooth("mul", -2.0, 2.0, |x| x * x.sin()),
    smooth("div", 0.4, 2.0, |x| x.sin() / x.square()),
    smooth("pow", 0.4, 2.0, |x| x.pow(x.sin()) + x.powf(2.5) + x.powi(-3)),
    smooth("max", 0.3, 2.0, |x| x.square().max(x.sin() * 0.5) * x),
    smooth("min", 0.3, 2.0, |x| x.square().min(x.sin() * 0.01) * x),
    smooth("eq", -2.0, 2.0, |x| x.equal(x * 1.0).select(x.exp(), x)),
    smooth("ne", -2.0, 2.0, |x| x.not_equal(9.0).select(x.exp(), x)),
    smooth("lt", -2.0, 2.0, |x| x.lt(9.0).select(x.exp(), x)),
    smooth("le", -2.0, 2.0, |x| x.le(9.0).select(x.exp(), x)),
    smooth("gt", -2.0, 2.0, |x| x.gt(9.0).select(x, x.exp())),
    smooth("ge", -2.0, 2.0, |x| x.ge(9.0).select(x, x.exp())),
    smooth("select", 0.2, 2.0, |x| x.gt(-5.0).select(x.sin() * x, x.exp())),
    smooth("cast", -2.0, 2.0, |x| {
        x.square() * x.gt(-9.0).cast(DType::F64) + x.cast(DType::F64).sin()
    }),
    smooth("stop_gradient", -2.0, 2.0, |x| (x.sin() * 0.0).stop_gradient() + x.exp()),
    smooth("sum", -2.0, 2.0, |x| {
        let m = matrix(x);
        m.sum_axes(&[0]).exp().sum() + m.sum_axes(&[1]).square().sum() * m.sum()
    }),
    smooth("max_over", -2.0, 2.0, |x| matrix(x).max_axes(&[1]).exp() * x.square().max_all()),
    smooth("min_over", -2.0, 2.0, |x| matrix(x).min_axes(&[0]).exp() * x.exp().min_all()),
    flat("argmax", |x| matrix(x).argmax(1).cast(DType::F64)),
    smooth("reshape", -2.0, 2.0, |x| x.reshape([2, 6]).t().reshape([4, 3]).sin().matmul(matrix(x))),
    smooth("broadcast", -2.0, 2.0, |x| {
        let row = x.slice_axis(0, 0, 4);
        row.broadcast_to([3, 4]) * matrix(x) * x.at(1) + x.slice_axis(0, 4, 7).reshape([3, 1]).sin()
    }),
    smooth("transpose", -2.0, 2.0, |x| {
        x.reshape([2, 3, 2]).transpose(&[1, 2, 0]).exp() * x.reshape([3, 2, 2])
    }),
    smooth("slice", -2.0, 2.0, |x| {
        matrix(x).slice_steps(&[(0, 3, 2), (1, 4, 2)]).exp() * x.slice_axis(0, 2, 6).reshape([2, 2])
    }),
    smooth("pad", -2.0, 2.0, |x| {
        let p = [
            Padding { before: 1, between: 1, after: 0 },
            Padding { before: 0, between: 2, after: 3 },
        ];
        let wide = matrix(x).square().pad(&p);
        wide * wide.exp()
    }),
    smooth("concat", -2.0, 2.0, |x| {
        matrix(x).join(&[matrix(x).sin(), matrix(x).flip(&[1])], 1).exp()
    }),
    smooth("flip", -2.0, 2.0, |x| matrix(x).flip(&[0, 1]).exp() * matrix(x).flip(&[0])),
    smooth("contract", -2.0, 2.0, |x| {
        let a = x.reshape([2, 2, 3]);
        a.einsum("bij,bkj->kbi", a.sin())
            + a.matmul(a.transpose(&[0, 2, 1])) * a.einsum("bij,cij->bc", a).reshape([2, 2, 1])
    }),
    smooth("gather", -2.0, 2.0, |x| matrix(x).gather(1, indices(x, &[2, 0, 2])).exp()),
    smooth("scatter_add", -2.0, 2.0, |x| {
        matrix(x)
            .scatter_add(0, indices(x, &[1, 1]), x.slice_axis(0, 0, 8).reshape([2, 4]).sin())
            .exp()
    }),
    smooth("take_along", -2.0, 2.0, |x| {
        matrix(x).take_along(1, indices(x, &[3, 0, 3, 1, 1, 2]).reshape([3, 2])).exp()
    }),
    smooth("scatter_along", -2.0, 2.0, |x| {
        // The transpose of take_along, recorded as such: a gradient that depends on x.
        let y = x.exp();
        matrix(y).take_along(1, indices(x, &[3, 0, 3]).reshape([3, 1])).square().sum().grad(y)
    }),
    flat("uniform", |x| indices(x, &[1, 2]).uniform(0, DType::F64, [12])),
    flat("normal", |x| indices(x, &[1, 2]).normal(0, DType::F64, [12])),
    flat("bits", |x| indices(x, &[1, 2]).bits(0, [2]).cast(DType::F64) * 1e-9),
];

/// Twelve different numbers across a range, in no order.
fn point(range: (f64, f64)) -> Vec<f64> {
    (0..12).map(|i| range.0 + (range.1 - range.0) * (f64::from(i * 7 % 12) + 0.37) / 12.0).collect()
}

#[test]
fn every_primitive_has_a_specification() {
    let missing: Vec<&str> =
        Op::names().into_iter().filter(|n| SPECS.iter().all(|s| s.name != *n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(SPECS.len(), Op::names().len());
}

#[test]
fn specifications_use_their_primitive() {
    for spec in SPECS {
        let tape = Tape::new();
        let y = (spec.f)(tape.input("x", DType::F64, [12]));
        let census = tape.compile(&Cpu::new(), &[y]).unwrap().census();
        // What is removed from programs, or folded while recording.
        let gone = ["stop_gradient", "sign", "abs", "eq"].contains(&spec.name);
        assert!(gone || census.contains_key(spec.name), "{}: {census:?}", spec.name);
    }
}

#[test]
fn derivatives_of_every_primitive_to_third_order() {
    for spec in SPECS {
        let check = |result: Result<_, burlap_autodiff::Error>| {
            if let Err(error) = result {
                panic!("{}: {error}", spec.name);
            }
        };
        let x = point(spec.range);
        // Different weights, so that a permuted result is not the same sum.
        let scalar = |x: Var| {
            let y = (spec.f)(x).flatten();
            let n = y.shape().count();
            let weights: Vec<f64> = (0..n).map(|i| 1.0 + 0.1 * i as f64).collect();
            (y * y.literal(&Array::vector(weights))).sum()
        };
        check(check_jvp_vjp(|x| (spec.f)(x), &x[..]));
        check(check_gradient(scalar, &x[..]));
        check(check_hessian(scalar, &x[..]));
        if !spec.smooth {
            let tape = Tape::new();
            let input = tape.input("x", DType::F64, [12]);
            let g = scalar(input).grad(input);
            let out = tape.compile(&Cpu::new(), &[g]).unwrap().run(&[&Array::vector(x)]).unwrap();
            assert!(out[0].to_f64_vec().iter().all(|g| *g == 0.0), "{}", spec.name);
        }
    }
}

/// Values of f, f′ and f″ at a point.
fn orders(f: fn(Var) -> Var, x: f64) -> [f64; 3] {
    let tape = Tape::new();
    let input = tape.input("x", DType::F64, ());
    let y = f(input);
    let first = y.grad(input);
    let outputs = [y, first, first.grad(input)];
    let out = tape.compile(&Cpu::new(), &outputs).unwrap().run(&[&Array::scalar(x)]).unwrap();
    [0, 1, 2].map(|i| out[i].item().unwrap())
}

#[test]
fn tails_keep_their_digits() {
    // The tails by their leading terms, which are exact to far below 1e-14 where they are used.
    let sech2 = |x: f64| {
        let e = (-2.0 * x.abs()).exp();
        4.0 * e / (1.0 + e).powi(2)
    };
    let logistic = |x: f64| {
        let e = (-x.abs()).exp();
        if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
    };
    type Closed<'a> = &'a dyn Fn(f64) -> [f64; 3];
    let tanh = |x: f64| [x.tanh(), sech2(x), -2.0 * x.tanh() * sech2(x)];
    let sech2s = |x: f64| {
        let (s, t) = (sech2(x), x.tanh());
        // d/dx(−2ts) = −2s² + 4t²s
        [s, -2.0 * t * s, 4.0 * t * t * s - 2.0 * s * s]
    };
    let sigmoid = |x: f64| {
        let (s, r) = (logistic(x), logistic(-x));
        [s, s * r, s * r * (r - s)]
    };
    let softplus = |x: f64| {
        let tail = (-x.abs()).exp().ln_1p();
        [x.max(0.0) + tail, logistic(x), logistic(x) * logistic(-x)]
    };
    let expm1 = |x: f64| [x.exp_m1(), x.exp(), x.exp()];
    let erf = |x: f64| {
        let d = std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
        [libm::erf(x), d, -2.0 * x * d]
    };
    let cases: [(&str, fn(Var) -> Var, Closed<'_>); 6] = [
        ("tanh", |x| x.tanh(), &tanh),
        ("sech2", |x| x.sech2(), &sech2s),
        ("sigmoid", |x| x.sigmoid(), &sigmoid),
        ("softplus", |x| x.softplus(), &softplus),
        ("expm1", |x| x.expm1(), &expm1),
        ("erf", |x| x.erf(), &erf),
    ];
    for (name, f, closed) in cases {
        for x in [0.0, 1e-300, -1e-300, 1e-8, 0.5, -3.0, 20.0, -20.0, 300.0, -300.0, -710.0] {
            let (found, expected) = (orders(f, x), closed(x));
            for (k, (a, b)) in found.iter().zip(expected).enumerate() {
                // exp is good to half a unit, arguments of size 700 cost three digits of it.
                let tolerance = 1e-15 * (4.0 + 2.0 * x.abs());
                let close = (a - b).abs() <= tolerance * b.abs();
                assert!(close, "{name}: derivative {k} at {x} is {a}, not {b}");
            }
        }
        for x in [710.0, f64::MAX, f64::MIN] {
            if name == "expm1" {
                continue;
            }
            let found = orders(f, x);
            assert!(found.iter().all(|y| !y.is_nan()), "{name} at {x}: {found:?}");
        }
    }
}

#[test]
fn powers_and_roots_at_zero() {
    assert_eq!(orders(|x| x.powf(3.0), 0.0), [0.0, 0.0, 0.0]);
    assert_eq!(orders(|x| x.powf(2.0), 0.0), [0.0, 0.0, 2.0]);
    assert_eq!(orders(|x| x.powf(1.0), 0.0), [0.0, 1.0, 0.0]);
    assert_eq!(orders(|x| x.powf(0.0), 0.0), [1.0, 0.0, 0.0]);
    assert_eq!(orders(|x| x.powi(4).grad(x), 0.0), [0.0, 0.0, 0.0]);
    // By convention at kinks.
    assert_eq!(orders(|x| x.relu(), 0.0), [0.0, 0.0, 0.0]);
    assert_eq!(orders(|x| x.abs(), 0.0)[1], 0.0);
    assert_eq!(orders(|x| x.max(0.0), 0.0)[1], 0.5);
    assert_eq!(orders(|x| x.square().sum().norm(), 0.0)[1], 0.0);
    assert_eq!(orders(|x| x.elu(), 800.0), [800.0, 1.0, 0.0]);
    assert_eq!(orders(|x| x.sinh(), -1e-9)[0], -1e-9);
}

#[test]
fn ties_share_the_derivative_of_a_maximum() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [4]);
    let out = tape
        .compile(&Cpu::new(), &[x.max_all().grad(x), x.min_all().grad(x)])
        .unwrap()
        .run(&[&Array::vector([2.0, 5.0, 5.0, 2.0])])
        .unwrap();
    assert_eq!(out[0].to_f64_vec(), [0.0, 0.5, 0.5, 0.0]);
    assert_eq!(out[1].to_f64_vec(), [0.5, 0.0, 0.0, 0.5]);
}

#[test]
fn extremes_give_no_nan() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let l = x.logsumexp(&[0]);
    let outputs = [l, l.grad(x), x.log_softmax(0), x.softmax(0), x.softmax(0).max_all().grad(x)];
    let program = tape.compile(&Cpu::new(), &outputs).unwrap();
    for values in [[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [700.0, 710.0, 720.0]] {
        let out = program.run(&[&Array::vector(values)]).unwrap();
        assert!(out.iter().all(|a| a.to_f64_vec().iter().all(|x| x.is_finite())), "{values:?}");
    }
    let all = program.run(&[&Array::vector([f64::NEG_INFINITY; 3])]).unwrap();
    assert_eq!(all[0].item().unwrap(), f64::NEG_INFINITY);
    // A NaN is not hidden.
    let nan = program.run(&[&Array::vector([0.0, f64::NAN, 1.0])]).unwrap();
    assert!(nan[0].item().unwrap().is_nan());
    let y = x.relu() + x.max(0.0) + x.min(9.0);
    let out = tape.compile(&Cpu::new(), &[y, x.max_all()]).unwrap().run(&[&Array::vector([
        0.0,
        f64::NAN,
        1.0,
    ])]);
    let out = out.unwrap();
    assert!(out[0].get(&[1]).unwrap().is_nan() && out[1].item().unwrap().is_nan());
}
