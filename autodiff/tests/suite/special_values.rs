//! Derivatives where formulas lose digits or overflow: at 0, next to it, in the tails, at
//! infinity, at ties; against closed forms.

use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape, Var};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2};

const INF: f64 = f64::INFINITY;

/// Value, first and second derivative of an elementwise function at each point: the second
/// by all four nestings of the modes, on both backends.
fn derivatives(f: impl Fn(Var) -> Var, points: &[f64]) -> Vec<[Vec<f64>; 3]> {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [points.len()]);
    let y = f(x);
    let one = x.constant_like(1.0);
    let s = y.sum();
    let first = [s.grad(x), y.jvp(x, one)];
    let second =
        [s.hvp(x, one), s.grad(x).jvp(x, one), s.grad(x).sum().grad(x), y.jvp(x, one).jvp(x, one)];
    let mut outputs = vec![y];
    outputs.extend(first.iter().chain(&second));
    let point = Array::vector(points);
    let mut all = Vec::new();
    let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let interpreter = tape.compile(&Interpreter, &outputs).unwrap();
    for program in [cpu, interpreter] {
        let out: Vec<Vec<f64>> =
            program.run(&[&point]).unwrap().iter().map(Array::to_f64_vec).collect();
        for second in 0..4 {
            all.push([out[0].clone(), out[1 + second % 2].clone(), out[3 + second].clone()]);
        }
    }
    all
}

/// Some tens of roundings; what is below the normal numbers has fewer digits.
fn close(found: f64, exact: f64) -> bool {
    found == exact || (found - exact).abs() <= 64.0 * f64::EPSILON * exact.abs() + 64.0 * 5e-324
}

fn check(name: &str, f: impl Fn(Var) -> Var, points: &[f64], exact: impl Fn(f64) -> [f64; 3]) {
    for found in derivatives(f, points) {
        for (i, &x) in points.iter().enumerate() {
            for (order, exact) in exact(x).into_iter().enumerate() {
                let found = found[order][i];
                assert!(
                    close(found, exact),
                    "{name}, derivative {order} at {x:e}: {found:e} instead of {exact:e}"
                );
            }
        }
    }
}

const EVERYWHERE: [f64; 11] =
    [0.0, 1e-300, -1e-300, 0.7, -0.7, 20.0, -20.0, 710.0, -710.0, INF, -INF];

fn sech2(x: f64) -> f64 {
    let c = x.cosh();
    1.0 / c / c
}

fn sigmoid(x: f64) -> f64 {
    if x > 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

#[test]
fn tanh() {
    check("tanh", |x| x.tanh(), &EVERYWHERE, |x| [x.tanh(), sech2(x), -2.0 * x.tanh() * sech2(x)]);
}

#[test]
fn sech2_of_x() {
    check(
        "sech2",
        |x| x.sech2(),
        &EVERYWHERE,
        |x| {
            let (t, s) = (x.tanh(), sech2(x));
            [s, -2.0 * t * s, 4.0 * t * t * s - 2.0 * s * s]
        },
    );
}

#[test]
fn sigmoid_of_x() {
    check(
        "sigmoid",
        |x| x.sigmoid(),
        &EVERYWHERE,
        |x| {
            let slope = sigmoid(x) * sigmoid(-x);
            [sigmoid(x), slope, -slope * (0.5 * x).tanh()]
        },
    );
}

#[test]
fn softplus() {
    check(
        "softplus",
        |x| x.softplus(),
        &EVERYWHERE,
        |x| {
            let value = match x {
                0.0 => LN_2,
                x if x > 0.0 => x + (-x).exp().ln_1p(),
                x => x.exp().ln_1p(),
            };
            [value, sigmoid(x), sigmoid(x) * sigmoid(-x)]
        },
    );
}

#[test]
fn log1p() {
    let points = [0.0, 1e-300, -1e-300, -0.5, 20.0, 710.0, 1e300, INF];
    check(
        "log1p",
        |x| x.log1p(),
        &points,
        |x| [x.ln_1p(), 1.0 / (1.0 + x), -1.0 / (1.0 + x) / (1.0 + x)],
    );
}

#[test]
fn expm1() {
    // e^709 is finite, e^710 is not.
    let points = [0.0, 1e-300, -1e-300, 0.7, 20.0, -20.0, 709.0, 710.0, -710.0, INF, -INF];
    check("expm1", |x| x.expm1(), &points, |x| [x.exp_m1(), x.exp(), x.exp()]);
}

#[test]
fn exp() {
    check(
        "exp",
        |x| x.exp(),
        &[0.0, 1e-300, 20.0, -20.0, 709.0, -710.0, -INF, INF],
        |x| [x.exp(); 3],
    );
}

#[test]
fn erf() {
    // erf(0.7), from the series; everywhere else it is linear, or ±1 to the last digit.
    let value = |x: f64| match x.abs() {
        0.7 => 0.677_801_193_837_418_5 * x.signum(),
        a if a > 6.0 => x.signum(),
        _ => FRAC_2_SQRT_PI * x,
    };
    check(
        "erf",
        |x| x.erf(),
        &EVERYWHERE,
        |x| {
            let slope = FRAC_2_SQRT_PI * (-x * x).exp();
            [value(x), slope, if x.is_infinite() { 0.0 } else { -2.0 * x * slope }]
        },
    );
}

#[test]
fn sqrt_and_reciprocals_of_tiny_and_huge_numbers() {
    let points = [1e-100, 1e-10, 1.0, 1e10, 1e100];
    check("sqrt", |x| x.sqrt(), &points, |x| [x.sqrt(), 0.5 / x.sqrt(), -0.25 / x / x.sqrt()]);
    check(
        "rsqrt",
        |x| x.rsqrt(),
        &points,
        |x| {
            let r = 1.0 / x.sqrt();
            [r, -0.5 * r / x, 0.75 * r / x / x]
        },
    );
    check("recip", |x| x.recip(), &points, |x| [1.0 / x, -1.0 / x / x, 2.0 / x / x / x]);
    check("log", |x| x.log(), &points, |x| [x.ln(), 1.0 / x, -1.0 / x / x]);
}

#[test]
fn powers_at_zero() {
    check("square", |x| x.powf(2.0), &[0.0, -3.0], |x| [x * x, 2.0 * x, 2.0]);
    check("cube", |x| x.powi(3), &[0.0, -3.0], |x| [x * x * x, 3.0 * x * x, 6.0 * x]);
    check("fourth", |x| x.powi(4), &[0.0, -3.0], |x| [x.powi(4), 4.0 * x.powi(3), 12.0 * x * x]);
    check(
        "x^2.5",
        |x| x.powf(2.5),
        &[0.0, 4.0],
        |x| [x.powf(2.5), 2.5 * x.powf(1.5), 3.75 * x.sqrt()],
    );
    // In the exponent: 0ᵇ is 0 for all b > 0.
    check("0^b", |b| b.constant_like(0.0).pow(b), &[0.5, 2.0], |_| [0.0; 3]);
    check(
        "2^b",
        |b| b.constant_like(2.0).pow(b),
        &[0.0, -1.0, 3.0],
        |b| {
            let y = 2f64.powf(b);
            [y, y * LN_2, y * LN_2 * LN_2]
        },
    );
}

#[test]
fn kinks_take_the_documented_side() {
    check(
        "abs",
        |x| x.abs(),
        &[0.0, -0.0, -INF, 1e-300],
        |x| [x.abs(), if x == 0.0 { 0.0 } else { x.signum() }, 0.0],
    );
    check(
        "relu",
        |x| x.relu(),
        &[0.0, 1e-300, -1e-300, INF, -INF],
        |x| [x.max(0.0), f64::from(u8::from(x > 0.0)), 0.0],
    );
    let clamped = |x: f64| if x.abs() == 1.0 { 0.5 } else { f64::from(u8::from(x.abs() < 1.0)) };
    check(
        "clamp",
        |x| x.clamp(-1.0, 1.0),
        &[-2.0, -1.0, 0.0, 1.0, 2.0, INF],
        |x| [x.clamp(-1.0, 1.0), clamped(x), 0.0],
    );
    check(
        "elu",
        |x| x.elu(),
        &[0.0, 800.0, -800.0],
        |x| {
            if x > 0.0 { [x, 1.0, 0.0] } else { [x.exp_m1(), x.exp(), x.exp()] }
        },
    );
    check(
        "sinh",
        |x| x.sinh(),
        &[0.0, 3.0, -3.0, 700.0, -700.0],
        |x| [x.sinh(), x.cosh(), x.sinh()],
    );
    assert_eq!(gradient(|x| x.at(0).sinh(), &[1e-300]), (1e-300, vec![1.0]));
}

/// The gradient of a scalar function of a vector.
fn gradient(f: impl Fn(Var) -> Var, point: &[f64]) -> (f64, Vec<f64>) {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [point.len()]);
    let y = f(x);
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &[y, y.grad(x)]).unwrap();
    let out = program.run(&[&Array::vector(point)]).unwrap();
    (out[0].item().unwrap(), out[1].to_f64_vec())
}

#[test]
fn ties_share_the_derivative() {
    let third = 1.0 / 3.0;
    assert_eq!(
        gradient(|x| x.max_all(), &[2.0, 1.0, 2.0, 2.0]),
        (2.0, vec![third, 0.0, third, third])
    );
    assert_eq!(gradient(|x| x.min_all(), &[1.0, 1.0, 2.0]), (1.0, vec![0.5, 0.5, 0.0]));
    assert_eq!(gradient(|x| x.at(0).max(x.at(1)), &[3.0, 3.0]), (3.0, vec![0.5, 0.5]));
    assert_eq!(gradient(|x| x.at(0).min(x.at(1)), &[3.0, 3.0]), (3.0, vec![0.5, 0.5]));
    assert_eq!(gradient(|x| x.max_all(), &[-INF, -INF]), (-INF, vec![0.5, 0.5]));
}

/// Value, gradient and Hessian of a function of two numbers.
fn curvature(f: impl Fn(Var, Var) -> Var, point: [f64; 2]) -> (f64, Vec<f64>, Vec<f64>) {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let y = f(x.at(0), x.at(1));
    let outputs = [y, y.grad(x), y.hessian(x)];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let out = program.run(&[&Array::vector(point)]).unwrap();
    (out[0].item().unwrap(), out[1].to_f64_vec(), out[2].to_f64_vec())
}

#[test]
fn logaddexp_at_ties_and_infinities() {
    let of = |point| curvature(|a, b| a.logaddexp(b), point);
    let quarter = vec![0.25, -0.25, -0.25, 0.25];
    assert_eq!(of([3.0, 3.0]), (3.0 + LN_2, vec![0.5, 0.5], quarter));
    let flat = vec![0.0; 4];
    assert_eq!(of([-INF, -INF]), (-INF, vec![0.5, 0.5], flat.clone()));
    assert_eq!(of([INF, INF]), (INF, vec![0.5, 0.5], flat.clone()));
    assert_eq!(of([-INF, 2.0]), (2.0, vec![0.0, 1.0], flat.clone()));
    assert_eq!(of([INF, -INF]), (INF, vec![1.0, 0.0], flat.clone()));
    assert_eq!(of([1e308, -1e308]), (1e308, vec![1.0, 0.0], flat));
}

#[test]
fn atan2_at_the_origin_and_far_from_it() {
    use std::f64::consts::{FRAC_PI_4, PI};
    let of = |point| curvature(|y, x| y.atan2(x), point);
    assert_eq!(of([0.0, 0.0]), (0.0, vec![0.0; 2], vec![0.0; 4]));
    let (value, slopes, curvatures) = of([1e300, 1e300]);
    assert_eq!((value, curvatures), (FRAC_PI_4, vec![0.0; 4]));
    assert!(close(slopes[0], 5e-301) && close(slopes[1], -5e-301), "{slopes:?}");
    // On the diagonal through (c, −c) with c² = 10²⁰⁰: ±1/(2c), and ∓1/(2c²) twice.
    let (value, slopes, curvatures) = of([1e-100, -1e-100]);
    assert!(close(value, 0.75 * PI), "{value}");
    assert!(slopes.iter().all(|&s| close(s, -5e99)), "{slopes:?}");
    let exact = [5e199, 0.0, 0.0, -5e199];
    let near = |(&found, exact): (&f64, f64)| (found - exact).abs() <= 1e-15 * 5e199;
    assert!(curvatures.iter().zip(exact).all(near), "{curvatures:?}");
    assert_eq!(of([0.0, -2.0]), (PI, vec![-0.5, 0.0], vec![0.0, -0.25, -0.25, 0.0]));
    // Not even the square of one of them is a number.
    assert_eq!(of([1e-300, 1e300]), (0.0, vec![1e-300, 0.0], vec![0.0; 4]));
}

/// In F32 the logarithm of a probability of e^(−50) has a Hessian, whose elements of order e^(−50) are
/// differences of terms of order one.
#[test]
fn log_of_a_tiny_probability() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F32, [2]);
    let f = -x.softmax(0).log().at(0);
    let outputs = [f.grad(x), f.hessian(x)];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    for gap in [20.0f32, 50.0, 80.0] {
        let out = program.run(&[&Array::vector([0.0, gap])]).unwrap();
        let (gradient, hessian) = (out[0].to_f64_vec(), out[1].to_f64_vec());
        assert!(
            gradient.iter().zip([-1.0, 1.0]).all(|(g, e)| (g - e).abs() < 1e-6),
            "{gradient:?}"
        );
        assert!(hessian.iter().all(|h| h.abs() < 1e-6), "{gap}: {hessian:?}");
    }
}

#[test]
fn norm_at_zero() {
    assert_eq!(gradient(|x| x.norm(), &[0.0, 0.0]), (0.0, vec![0.0, 0.0]));
    let (value, slopes) = gradient(|x| x.norm(), &[3.0, -4.0]);
    assert!(close(value, 5.0) && close(slopes[0], 0.6) && close(slopes[1], -0.8), "{slopes:?}");
}

#[test]
fn logsumexp_and_softmax_do_not_overflow() {
    let (value, slopes) = gradient(|x| x.logsumexp(&[0]), &[1000.0, 1000.0, -INF]);
    assert!(close(value, 1000.0 + LN_2), "{value}");
    assert_eq!(slopes, vec![0.5, 0.5, 0.0]);
    assert_eq!(gradient(|x| x.logsumexp(&[0]), &[-INF, -INF]).0, -INF);
    let (value, slopes) = gradient(|x| x.log_softmax(0).at(1), &[800.0, 0.0]);
    assert_eq!((value, slopes), (-800.0, vec![-1.0, 1.0]));
    let (value, _) = gradient(|x| x.softmax(0).at(0), &[800.0, 0.0]);
    assert_eq!(value, 1.0);
}

/// A NaN is never hidden by a maximum, a minimum or an argmax.
#[test]
fn nan_stays_visible() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let outputs = [
        x.max_all(),
        x.min_all(),
        x.argmax(0).cast(DType::F64),
        x.max(0.0).sum(),
        x.constant_like(0.0).max(x).sum(),
        x.min(0.0).sum(),
        x.relu().sum(),
        x.clamp(-1.0, 1.0).sum(),
    ];
    let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let interpreter = tape.compile(&Interpreter, &outputs).unwrap();
    for place in 0..3 {
        let mut values = [1.0, 5.0, 2.0];
        values[place] = f64::NAN;
        for program in [&cpu, &interpreter] {
            let out: Vec<f64> = program
                .run(&[&Array::vector(values)])
                .unwrap()
                .iter()
                .map(|a| a.item().unwrap())
                .collect();
            assert_eq!(out[2], place as f64);
            let all = out.iter().enumerate().filter(|(i, _)| *i != 2);
            assert!(all.clone().all(|(_, x)| x.is_nan()), "NaN at {place}: {out:?}");
        }
    }
}

/// In F32 the same closed forms hold to F32's digits.
#[test]
fn tails_in_f32() {
    let points = [0.0f32, 1e-30, 5.0, -5.0, 20.0, -20.0, 40.0, 100.0, -100.0, f32::INFINITY];
    let tape = Tape::new();
    let x = tape.input("x", DType::F32, [points.len()]);
    let one = x.constant_like(1.0);
    let outputs = [
        x.tanh().sum().grad(x),
        x.tanh().sum().hvp(x, one),
        x.softplus().sum().hvp(x, one),
        x.sigmoid().sum().hvp(x, one),
    ];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let out = program.run(&[&Array::vector(points)]).unwrap();
    for (i, &x) in points.iter().enumerate() {
        let x = f64::from(x);
        let slope = sigmoid(x) * sigmoid(-x);
        let exact = [sech2(x), -2.0 * x.tanh() * sech2(x), slope, -slope * (0.5 * x).tanh()];
        for (out, exact) in out.iter().zip(exact) {
            let found = out.to_f64_vec()[i];
            // Sixty-four roundings; the least normal F32 is 1e-38.
            let allowed = 64.0 * f64::from(f32::EPSILON) * exact.abs() + 1e-43;
            assert!((found - exact).abs() <= allowed, "at {x}: {found:e} instead of {exact:e}");
        }
    }
}
