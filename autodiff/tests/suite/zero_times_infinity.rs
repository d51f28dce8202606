//! Where a derivative is finite although a factor of it is not: branches that a choice leaves
//! out, slices of nothing but −∞, powers that reach 0, roots of 0, squares of roots. Gradient,
//! Jacobian-vector product and Hessian by all nestings, alone and vectorised, in both precisions.

use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape, Var, vmap};

const INF: f64 = f64::INFINITY;

/// A function at a point, with the gradient and the rows of the Hessian that it has there.
struct Case {
    name: &'static str,
    f: fn(Var) -> Var,
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    hessian: Vec<Vec<f64>>,
}

fn case(
    name: &'static str,
    f: fn(Var) -> Var,
    at: &[f64],
    value: f64,
    gradient: &[f64],
    hessian: &[&[f64]],
) -> Case {
    let hessian = hessian.iter().map(|row| row.to_vec()).collect();
    Case { name, f, at: at.to_vec(), value, gradient: gradient.to_vec(), hessian }
}

/// A function of one number.
fn one(name: &'static str, f: fn(Var) -> Var, x: f64, value: f64, first: f64, second: f64) -> Case {
    case(name, f, &[x], value, &[first], &[&[second]])
}

/// `f` where x ≤ 0, 1 + x elsewhere.
fn left_out(x: Var, f: fn(Var) -> Var) -> Var {
    x.le(0.0).select(f(x), 1.0 + x).sum()
}

/// `f` where x ≠ 0, 1 + x there.
fn except_at_0(x: Var, f: fn(Var) -> Var) -> Var {
    x.equal(0.0).select(1.0 + x, f(x)).sum()
}

fn data(x: Var, numbers: &[f64]) -> Var {
    let array = Array::from_f64(x.dtype(), [numbers.len()], numbers).unwrap();
    x.literal(&array)
}

fn branches() -> Vec<Case> {
    vec![
        one("exp left out", |x| left_out(x, |x| x.exp()), 1000.0, 1001.0, 1.0, 0.0),
        one("exp of exp left out", |x| left_out(x, |x| x.exp().exp()), 1000.0, 1001.0, 1.0, 0.0),
        one("log left out", |x| except_at_0(x, |x| x.log()), 0.0, 1.0, 1.0, 0.0),
        one("√ left out", |x| except_at_0(x, |x| x.sqrt()), 0.0, 1.0, 1.0, 0.0),
        one("sin x / x", |x| except_at_0(x, |x| x.sin() / x), 0.0, 1.0, 1.0, 0.0),
        one("x log x", |x| except_at_0(x, |x| x * x.log()), 0.0, 1.0, 1.0, 0.0),
        one("t (x / t)", |x| except_at_0(x, |x| x * (x.exp() / x)), 0.0, 1.0, 1.0, 0.0),
        one(
            "1/(x − 2)",
            |x| (x.equal(2.0)).select(x * x, 1.0 / (x - 2.0)).sum(),
            2.0,
            4.0,
            4.0,
            2.0,
        ),
        one("x^½ as power", |x| except_at_0(x, |x| x.powf(0.5)), 0.0, 1.0, 1.0, 0.0),
        one("asin", |x| x.ge(1.0).select(x * x, (1.0 - x * x).sqrt()).sum(), 1.0, 1.0, 2.0, 2.0),
        one(
            "a chain",
            |x| except_at_0(x, |x| (x.log() * 3.0).tanh().exp().sqrt()),
            0.0,
            1.0,
            1.0,
            0.0,
        ),
        one("relu of log", |x| x.log().max(-1.0).exp().sum(), 0.0, (-1f64).exp(), 0.0, 0.0),
        one("√ of max", |x| (x.max(0.0)).sqrt().sum(), -1.0, 0.0, 0.0, 0.0),
        one("log of clamp", |x| (1.0 - x.clamp(0.0, 1.0)).sqrt().sum(), 2.0, 0.0, 0.0, 0.0),
        one("√ of relu", |x| x.relu().sqrt().sum(), -1.0, 0.0, 0.0, 0.0),
        one(
            "choice of choice",
            |x| {
                let inner = x.le(1.0).select(x.log(), x.exp());
                x.equal(0.0).select(x.square(), inner).sum()
            },
            0.0,
            0.0,
            0.0,
            2.0,
        ),
        case(
            "log beside a slice",
            |x| x.log().at(1),
            &[0.0, 2.0],
            2f64.ln(),
            &[0.0, 0.5],
            &[&[0.0, 0.0], &[0.0, -0.25]],
        ),
        case(
            "log beside a gather",
            |x| {
                let i = x.literal(&Array::vector([1u32]));
                x.log().gather(0, i).sum()
            },
            &[0.0, 2.0],
            2f64.ln(),
            &[0.0, 0.5],
            &[&[0.0, 0.0], &[0.0, -0.25]],
        ),
        case(
            "√ of padding",
            |x| x.pad(&[burlap_autodiff::Padding { before: 1, between: 0, after: 1 }]).sqrt().sum(),
            &[4.0],
            2.0,
            &[0.25],
            &[&[-0.03125]],
        ),
        case(
            "√ of joined zeros",
            |x| x.join(&[x.constant_like(0.0)], 0).sqrt().sum(),
            &[4.0],
            2.0,
            &[0.25],
            &[&[-0.03125]],
        ),
        case(
            "largest of logs",
            |x| x.log().max_all(),
            &[0.0, 2.0],
            2f64.ln(),
            &[0.0, 0.5],
            &[&[0.0, 0.0], &[0.0, -0.25]],
        ),
        case(
            "mask over a sum",
            |x| {
                let mask = x.gt(0.0);
                mask.select(x.log() * x.sum(), 0.0).sum()
            },
            &[0.0, 2.0],
            2.0 * 2f64.ln(),
            &[2f64.ln(), 1.0 + 2f64.ln()],
            &[&[0.0, 0.5], &[0.5, 0.5]],
        ),
    ]
}

fn powers() -> Vec<Case> {
    vec![
        one("x⁰", |x| x.pow(data(x, &[0.0])).sum(), 0.0, 1.0, 0.0, 0.0),
        one("x¹", |x| x.pow(data(x, &[1.0])).sum(), 0.0, 0.0, 1.0, 0.0),
        one("x²", |x| x.pow(data(x, &[2.0])).sum(), 0.0, 0.0, 0.0, 2.0),
        one("x³", |x| x.pow(data(x, &[3.0])).sum(), 0.0, 0.0, 0.0, 0.0),
        one("x⁰, literal", |x| x.powf(0.0).sum(), 0.0, 1.0, 0.0, 0.0),
        one("x¹, literal", |x| x.powi(1).sum(), 0.0, 0.0, 1.0, 0.0),
        one("x³, literal", |x| x.powi(3).sum(), 0.0, 0.0, 0.0, 0.0),
        one("x log x, strong", |x| x.xlogy(x.square() + 1.0).sum(), 0.0, 0.0, 0.0, 0.0),
        one("0 log 0", |x| (x.constant_like(0.0)).xlogy(x).sum(), 0.0, 0.0, 0.0, 0.0),
    ]
}

/// √2/16: the Hessian of √p + √(1 − p) with a logistic p of the difference, at p = ½.
const H: f64 = 0.088_388_347_648_318_44;

/// Softmax of [0, 0, −∞, …] and of nothing but −∞.
fn exponentials() -> Vec<Case> {
    let (z2, z3): (&[f64], &[f64]) = (&[0.0; 2], &[0.0; 3]);
    vec![
        case("logsumexp of nothing", |x| x.logsumexp(&[0]), &[-INF, -INF], -INF, z2, &[z2, z2]),
        case(
            "exp logsumexp of nothing",
            |x| x.logsumexp(&[0]).exp(),
            &[-INF, -INF],
            0.0,
            z2,
            &[z2, z2],
        ),
        case("softmax of nothing", |x| x.softmax(0).at(0), &[-INF, -INF], 0.0, z2, &[z2, z2]),
        case(
            "log softmax of nothing",
            |x| x.log_softmax(0).at(1),
            &[-INF, -INF],
            -INF,
            &[0.0, 1.0],
            &[z2, z2],
        ),
        case(
            "√ of a masked softmax",
            |x| x.softmax(0).sqrt().sum(),
            &[0.0, 0.0, -INF],
            2f64.sqrt(),
            z3,
            &[&[-H, H, 0.0], &[H, -H, 0.0], z3],
        ),
        case(
            "nested",
            |x| {
                let inner = x.slice_axis(0, 0, 2).logsumexp(&[0]).reshape([1]);
                inner.join(&[x.slice_axis(0, 2, 3)], 0).logsumexp(&[0])
            },
            &[-INF, -INF, 2.0],
            2.0,
            &[0.0, 0.0, 1.0],
            &[z3, z3, z3],
        ),
        case(
            "logsumexp with −∞",
            |x| x.logsumexp(&[0]),
            &[0.0, 0.0, -INF],
            2f64.ln(),
            &[0.5, 0.5, 0.0],
            &[&[0.25, -0.25, 0.0], &[-0.25, 0.25, 0.0], z3],
        ),
        // H = log 2 at the maximum: gradient 0, Hessian −½(δ − ½).
        case(
            "entropy",
            |x| {
                let p = x.softmax(0);
                -p.xlogy(p).sum()
            },
            &[0.0, 0.0, -INF],
            2f64.ln(),
            z3,
            &[&[-0.25, 0.25, 0.0], &[0.25, -0.25, 0.0], z3],
        ),
        case(
            "soft targets",
            |x| -data(x, &[0.5, 0.5, 0.0]).strong_mul(x.log_softmax(0)).sum(),
            &[0.0, 0.0, -INF],
            2f64.ln(),
            z3,
            &[&[0.25, -0.25, 0.0], &[-0.25, 0.25, 0.0], z3],
        ),
        case(
            "log of a masked softmax",
            |x| {
                let p = x.softmax(0);
                p.gt(0.0).select(p.log(), 0.0).sum()
            },
            &[0.0, 0.0, -INF],
            -2.0 * 2f64.ln(),
            z3,
            &[&[-0.5, 0.5, 0.0], &[0.5, -0.5, 0.0], z3],
        ),
    ]
}

fn roots() -> Vec<Case> {
    let two: &[&[f64]] = &[&[2.0, 0.0], &[0.0, 2.0]];
    let zero: &[&[f64]] = &[&[0.0, 0.0], &[0.0, 0.0]];
    vec![
        case("‖x‖", |x| x.norm(), &[0.0, 0.0], 0.0, &[0.0, 0.0], zero),
        case(
            "‖x‖ elsewhere",
            |x| x.norm(),
            &[3.0, 4.0],
            5.0,
            &[0.6, 0.8],
            &[&[0.128, -0.096], &[-0.096, 0.072]],
        ),
        case("‖x‖²", |x| x.norm().square(), &[0.0, 0.0], 0.0, &[0.0, 0.0], two),
        case(
            "‖x‖·‖x‖",
            |x| {
                let n = x.norm();
                n * n
            },
            &[0.0, 0.0],
            0.0,
            &[0.0, 0.0],
            two,
        ),
        case("‖x‖² as a power", |x| x.norm().powi(2), &[0.0, 0.0], 0.0, &[0.0, 0.0], two),
        case("‖x‖² elsewhere", |x| x.norm().square(), &[3.0, 4.0], 25.0, &[6.0, 8.0], two),
        case(
            "(c‖x‖)²",
            |x| (3.0 * x.norm()).square(),
            &[0.0, 0.0],
            0.0,
            &[0.0, 0.0],
            &[&[18.0, 0.0], &[0.0, 18.0]],
        ),
        case(
            "(−2‖x‖/4)²",
            |x| (-2.0 * x.norm() / 4.0).square(),
            &[0.0, 0.0],
            0.0,
            &[0.0, 0.0],
            &[&[0.5, 0.0], &[0.0, 0.5]],
        ),
        case(
            "(‖x‖ s)² with s = 1 + x₀",
            |x| (x.norm() * (1.0 + x.at(0))).square(),
            &[0.0, 0.0],
            0.0,
            &[0.0, 0.0],
            two,
        ),
        case("√q²", |x| x.square().sum().sqrt().square(), &[0.0, 0.0], 0.0, &[0.0, 0.0], two),
        case("|x|²", |x| x.abs().square().sum(), &[0.0, 0.0], 0.0, &[0.0, 0.0], two),
        case(
            "norms of rows",
            |x| x.reshape([2, 1]).norm_axes(&[1]).square().sum(),
            &[0.0, 3.0],
            9.0,
            &[0.0, 6.0],
            two,
        ),
        case(
            "in a checkpoint",
            |x| x.checkpoint(|x| x.norm().square()) + x.abs().square().sum(),
            &[0.0, 0.0],
            0.0,
            &[0.0, 0.0],
            &[&[4.0, 0.0], &[0.0, 4.0]],
        ),
    ]
}

/// The Hessian by every nesting, and vectorised, beside value, gradient and a product.
fn outputs(f: Var, x: Var) -> Vec<(&'static str, Var)> {
    let n = x.shape()[0];
    let unit = |i: usize| {
        let mut e = vec![0.0; n];
        e[i] = 1.0;
        data(x, &e)
    };
    let rows = |row: &dyn Fn(Var) -> Var| {
        let rows: Vec<Var> = (0..n).map(|i| row(unit(i)).expand_dims(0)).collect();
        rows[0].join(&rows[1..], 0)
    };
    let g = f.grad(x);
    let eye = x.literal(&Array::eye(x.dtype(), n));
    let any = unit(0);
    vec![
        ("value", f),
        ("grad", g),
        ("jvp", vmap(&[f.jvp(x, any)], &[(any, eye)])[0]),
        ("hessian", f.hessian(x)),
        ("reverse over forward", rows(&|e| f.hvp(x, e))),
        ("reverse over reverse", rows(&|e| (g * e).sum().grad(x))),
        ("forward over reverse", rows(&|e| g.jvp(x, e))),
        (
            "forward over forward",
            rows(&|e| {
                let slope = f.jvp(x, e);
                let each: Vec<Var> = (0..n).map(|i| slope.jvp(x, unit(i)).expand_dims(0)).collect();
                each[0].join(&each[1..], 0)
            }),
        ),
        ("vmap", vmap(&[f.hvp(x, any)], &[(any, eye)])[0]),
    ]
}

fn check(cases: Vec<Case>) {
    for Case { name, f, at, value, gradient, hessian } in cases {
        for dtype in [DType::F64, DType::F32] {
            let tape = Tape::new();
            let x = tape.input("x", dtype, [at.len()]);
            let (names, vars): (Vec<&str>, Vec<Var>) = outputs(f(x), x).into_iter().unzip();
            let at = Array::from_f64(dtype, [at.len()], &at).unwrap();
            for program in [
                tape.compile(&Cpu::with_threads(1).unwrap(), &vars).unwrap(),
                tape.compile(&Interpreter, &vars).unwrap(),
            ] {
                let out = program.run(&[&at]).unwrap();
                for (what, found) in names.iter().zip(&out) {
                    let expected = match *what {
                        "value" => vec![value],
                        "grad" | "jvp" => gradient.clone(),
                        _ => hessian.concat(),
                    };
                    // A few roundings of numbers of order one.
                    let tolerance = if dtype == DType::F64 { 1e-14 } else { 1e-6 };
                    let found = found.to_f64_vec();
                    assert_eq!(found.len(), expected.len(), "{what} of {name}");
                    for (a, b) in found.iter().zip(&expected) {
                        let close = a == b || (a - b).abs() <= tolerance * b.abs().max(1.0);
                        assert!(close, "{what} of {name}, {dtype}: {found:?} is not {expected:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_choice_leaves_out() {
    check(branches());
}

#[test]
fn powers_that_reach_0() {
    check(powers());
}

#[test]
fn slices_of_minus_infinity() {
    check(exponentials());
}

#[test]
fn roots_at_0_and_their_squares() {
    check(roots());
}

/// Elsewhere 0 · ∞ remains NaN: that is how faults show.
#[test]
fn without_a_mask_nothing_is_hidden() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let f = 0.0 * x.log();
    let out = tape.compile(&Cpu::new(), &[f, f.grad(x)]).unwrap().run(&[&Array::scalar(0.0)]);
    assert!(out.unwrap().iter().all(|y| y.item().unwrap().is_nan()));
}

/// Scores of a left-to-right chain, most of whose transitions are impossible.
#[test]
fn a_chain_with_impossible_transitions() {
    let states = 3;
    let tape = Tape::new();
    let emissions = tape.input("emissions", DType::F64, [4, states]);
    let transitions = tape.input("transitions", DType::F64, [states, states]);
    let recorded = |transitions: Var, emissions: Var| {
        let start = tape.literal(&Array::vector([0.0, -INF, -INF]));
        let mut score = start + emissions.at(0);
        for t in 1..4 {
            score = (score.expand_dims(1) + transitions).logsumexp(&[0]) + emissions.at(t);
        }
        score.at(states - 1)
    };
    let f = recorded(transitions, emissions);
    let (a, b) = (f.grad(emissions), f.grad(transitions));
    let program = tape.compile(&Cpu::new(), &[f, a, b]).unwrap();
    let e: Vec<f64> = (0..12).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let t = [-0.1, -2.0, -INF, -INF, -0.3, -1.2, -INF, -INF, 0.0];
    let e = Array::from_vec([4, 3], e).unwrap();
    let out = program.run(&[&e, &Array::from_vec([3, 3], t.to_vec()).unwrap()]).unwrap();
    // All paths from state 0 to state 2 in three steps, one by one.
    let (mut total, mut visits, mut uses) = (0.0, [0.0; 12], [0.0; 9]);
    for path in (0..9usize).map(|i| [0, i / 3, i % 3, 2]) {
        let steps = || path.windows(2).map(|w| w[0] * 3 + w[1]);
        let places = || path.iter().enumerate().map(|(t, s)| t * 3 + s);
        let score: f64 = places().map(|i| e.to_f64_vec()[i]).chain(steps().map(|i| t[i])).sum();
        total += score.exp();
        places().for_each(|i| visits[i] += score.exp());
        steps().for_each(|i| uses[i] += score.exp());
    }
    assert!((out[0].item().unwrap() - f64::ln(total)).abs() < 1e-14);
    for (found, sums) in [(&out[1], &visits[..]), (&out[2], &uses[..])] {
        for (found, sum) in found.to_f64_vec().iter().zip(sums) {
            assert!((found - sum / total).abs() < 1e-14, "{found} is not {}", sum / total);
        }
    }
}
