//! Every elementwise primitive, and every library function of one variable: value and derivatives to
//! third order at each power of two of both signs, in both types, on both backends, against numbers
//! of 192 bits.
//!
//! Found values are compared in units of the last place of the exact value, or of the largest of its
//! terms where a derivative has a zero; below the normal numbers a unit is the least of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod compositions;
mod functions;
mod number;

use burlap_autodiff::{Array, Binary, Cpu, DType, Interpreter, Tape, Unary, Var};
use functions::{Jet, linear, power, product, scaled, stretched};
use number::{Format, Number};

/// A function, where it is defined, and what it and its derivatives are.
pub struct Case {
    pub name: &'static str,
    pub f: fn(Var) -> Var,
    pub exact: fn(f64) -> Jet,
    pub defined: fn(f64, DType) -> bool,
    /// Units of the last place that derivative k may be away at x: see [`UNITS`] and the functions'
    /// documentation.
    pub units: fn(f64, usize) -> f64,
    /// Least numbers of the type that it may be away: what the rounding of a factor below the normal
    /// numbers, of which others make a product, amounts to.
    pub least: fn(f64, usize) -> f64,
    /// Powers of two below the largest number from which on it is not defined.
    pub top: i32,
}

/// 2³⁰: its cube is a number of F32.
const LARGE: f64 = (1u64 << 30) as f64;

/// A value is within 2 units; each order adds a few products and sums.
const UNITS: f64 = 4.0;

pub fn few(_: f64, order: usize) -> f64 {
    UNITS * (order + 1) as f64
}

pub fn case(name: &'static str, f: fn(Var) -> Var, exact: fn(f64) -> Jet) -> Case {
    Case { name, f, exact, defined: |_, _| true, units: few, least: few, top: 0 }
}

impl Case {
    pub fn on(mut self, defined: fn(f64, DType) -> bool) -> Case {
        self.defined = defined;
        self
    }

    pub fn within(mut self, units: fn(f64, usize) -> f64) -> Case {
        self.units = units;
        self
    }

    pub fn below_the_top(mut self, powers: i32) -> Case {
        self.top = powers;
        self
    }

    /// As a product of xᵏ with a number that may be below the normal ones.
    pub fn times_powers(mut self) -> Case {
        self.least = |x, order| UNITS * (2.0 * x.abs().min(800.0) + 2.0).powi(order as i32 + 1);
        self
    }
}

fn unary(f: Unary) -> Case {
    use Unary::*;
    let positive: fn(f64, DType) -> bool = |x, _| x > 0.0;
    let inside: fn(f64, DType) -> bool = |x, _| x.abs() < 1.0;
    match f {
        Neg => case("neg", |x| -x, |x| linear(-x, -1.0)),
        Abs => case("abs", |x| x.abs(), |x| linear(x.abs(), x.signum())),
        Sign => case("sign", |x| x.sign(), |x| linear(x.signum(), 0.0)),
        Floor => case("floor", |x| x.floor(), |x| linear(x.floor(), 0.0)),
        Exp => case("exp", |x| x.exp(), functions::exp),
        ExpStrong => case("exp_strong", |x| x.exp_strong(), functions::exp),
        Expm1 => case("expm1", |x| x.expm1(), functions::expm1),
        Exp2 => case("exp2", |x| x.exp2(), functions::exp2),
        Log => case("log", |x| x.log(), functions::log).on(positive),
        Log2 => case("log2", |x| x.log2(), |x| scaled(1.0 / Number::ln_2(), functions::log(x)))
            .on(positive),
        Log10 => {
            let exact = |x| scaled(1.0 / Number::ln_10(), functions::log(x));
            case("log10", |x| x.log10(), exact).on(positive)
        }
        Log1p => case("log1p", |x| x.log1p(), functions::log1p).on(|x, _| x > -1.0),
        Sqrt => case("sqrt", |x| x.sqrt(), |x| power(x.into(), 0.5)).on(positive),
        Root => case("root", |x| x.root(), |x| power(x.into(), 0.5)).on(positive),
        Cbrt => case("cbrt", |x| x.cbrt(), functions::cbrt),
        Rsqrt => case("rsqrt", |x| x.rsqrt(), |x| power(x.into(), -0.5)).on(positive),
        Recip => case("recip", |x| x.recip(), |x| power(x.into(), -1.0)),
        Sin => case("sin", |x| x.sin(), functions::sin),
        Cos => case("cos", |x| x.cos(), functions::cos),
        Atan => case("atan", |x| x.atan(), functions::atan),
        Asin => case("asin", |x| x.asin(), functions::asin).on(inside),
        Acos => case("acos", |x| x.acos(), functions::acos).on(inside),
        CosAtan => case("cos_atan", |x| x.cos_atan(), functions::cos_atan),
        SecAsin => case("sec_asin", |x| x.sec_asin(), functions::sec_asin).on(inside),
        Sinh => case("sinh", |x| x.sinh(), functions::sinh),
        Cosh => case("cosh", |x| x.cosh(), functions::cosh),
        Tanh => case("tanh", |x| x.tanh(), functions::tanh),
        Sech2 => case("sech2", |x| x.sech2(), functions::sech2),
        LogCosh => case("log_cosh", |x| x.log_cosh(), functions::log_cosh),
        Asinh => case("asinh", |x| x.asinh(), functions::asinh),
        Acosh => case("acosh", |x| x.acosh(), functions::acosh).on(|x, _| x > 1.0),
        Atanh => case("atanh", |x| x.atanh(), functions::atanh).on(inside),
        Sigmoid => case("sigmoid", |x| x.sigmoid(), functions::sigmoid),
        Softplus => case("softplus", |x| x.softplus(), functions::softplus),
        Erf => case("erf", |x| x.erf(), functions::erf).times_powers(),
        Erfc => case("erfc", |x| x.erfc(), functions::erfc).times_powers(),
        Gaussian => case("gaussian", |x| x.gaussian(), functions::gaussian).times_powers(),
        NormalCdf => case("normal_cdf", |x| x.normal_cdf(), functions::normal_cdf).times_powers(),
        NormalPdf => case("normal_pdf", |x| x.normal_pdf(), functions::normal_pdf).times_powers(),
    }
}

/// A function of two operands as one of each of them.
fn binary(f: Binary) -> Vec<Case> {
    match f {
        Binary::Add => vec![case("add", |x| x + 0.5, |x| linear(x + 0.5, 1.0))],
        Binary::Sub => vec![case("sub", |x| 0.5 - x, |x| linear(0.5 - x, -1.0))],
        Binary::Mul => vec![
            case("mul", |x| 3.0 * x, |x| scaled(3.0.into(), linear(x, 1.0))),
            case("square", |x| x * x, |x| product(linear(x, 1.0), linear(x, 1.0))),
            case("cube", |x| x * x * x, |x| power(x.into(), 3.0)),
        ],
        Binary::StrongMul => vec![case(
            "strong_mul",
            |x| x.strong_mul(x),
            |x| product(linear(x, 1.0), linear(x, 1.0)),
        )],
        Binary::StrongMulBoth => vec![case(
            "strong_mul_both",
            |x| x.strong_mul_both(x),
            |x| product(linear(x, 1.0), linear(x, 1.0)),
        )],
        Binary::Div => vec![
            case("div", |x| x / 3.0, |x| scaled(1.0 / Number::from(3.0), linear(x, 1.0))),
            case("div of 3", |x| 3.0 / x, |x| scaled(3.0.into(), power(x.into(), -1.0))),
        ],
        Binary::Pow => vec![
            case("2 to x", |x| x.constant_like(2.0).pow(x), functions::exp2),
            case("cubed", |x| x.powi(3), |x| power(x.into(), 3.0)),
            case("to 2.5", |x| x.powf(2.5), |x| power(x.into(), 2.5)).on(|x, _| x > 0.0),
            case("to -1.5", |x| x.powf(-1.5), |x| power(x.into(), -1.5)).on(|x, _| x > 0.0),
        ],
        Binary::Max => vec![case("max", |x| x.max(0.0), |x| linear(x.max(0.0), step(x)))],
        Binary::Min => vec![case("min", |x| x.min(0.0), |x| linear(x.min(0.0), 1.0 - step(x)))],
        Binary::LogAddExp => vec![
            case("logaddexp", |x| x.logaddexp(0.0), functions::softplus),
            case("logaddexp of 0", |x| x.constant_like(0.0).logaddexp(x), functions::softplus),
        ],
        Binary::Atan2 => vec![
            case("atan2", |x| x.atan2(1.0), functions::atan),
            case(
                "atan2 by 2^30",
                |x| x.atan2(LARGE),
                |x| stretched(1.0 / LARGE, functions::atan(x / LARGE)),
            ),
            case(
                "atan2 by 2^-30",
                |x| x.atan2(1.0 / LARGE),
                |x| stretched(LARGE, functions::atan(x * LARGE)),
            )
            .below_the_top(31),
            case(
                "atan2 of 1",
                |x| x.constant_like(1.0).atan2(x),
                |x| {
                    let [_, d1, d2, d3] = functions::atan(x);
                    let angle = (1.0 / Number::from(x)).atan();
                    [if x < 0.0 { Number::pi() + angle } else { angle }, -d1, -d2, -d3]
                },
            ),
        ],
    }
}

pub fn step(x: f64) -> f64 {
    f64::from(u8::from(x > 0.0))
}

/// Each power of two of a type, and others where functions change; of both signs.
fn points(dtype: DType) -> Vec<f64> {
    let (least, most) = if dtype == DType::F32 { (-149, 127) } else { (-1074, 1023) };
    let power = |k: i32| f64::exp2(f64::from(k / 2)) * f64::exp2(f64::from(k - k / 2));
    let mut points: Vec<f64> = (least..=most).map(power).collect();
    // Their digits are few, so that they are numbers of both types.
    points.extend((-6..10).flat_map(|k| [1.25, 1.40625, 1.75].map(|m| m * power(k))));
    points.extend([5.5, 17.0, 26.5, 37.5, 38.25, 85.0, 87.5, 103.5, 700.0, 709.5, 745.0]);
    points.extend([0.99609375, 1.00390625]);
    points.extend(points.clone().iter().map(|x| -x));
    points
}

/// The outputs whose exact values are those of each order: the derivative by both modes, the second
/// by reverse over forward as well, the third by forward and by reverse over two of them.
fn outputs(f: fn(Var) -> Var, x: Var) -> Vec<(usize, Var)> {
    let one = x.constant_like(1.0);
    let y = f(x);
    let first = y.jvp(x, one);
    let second = first.jvp(x, one);
    vec![
        (0, y),
        (1, first),
        (1, y.sum().grad(x)),
        (2, second),
        (2, first.sum().grad(x)),
        (2, y.sum().grad(x).sum().grad(x)),
        (3, second.jvp(x, one)),
        (3, first.sum().grad(x).jvp(x, one)),
    ]
}

/// What a function and its derivatives in a type are too far away from.
fn failures(case: &Case, dtype: DType) -> Vec<String> {
    let format = match dtype {
        DType::F32 => Format { digits: 24, least: -149, most: 128 },
        DType::F64 | DType::U32 | DType::Bool => Format { digits: 53, least: -1074, most: 1024 },
    };
    let end = f64::exp2(f64::from(format.most - case.top));
    let is_defined = |x: &f64| (case.defined)(*x, dtype) && x.abs() < end;
    let xs: Vec<f64> = points(dtype).into_iter().filter(is_defined).collect();
    let exact: Vec<Jet> = xs.iter().map(|&x| (case.exact)(x)).collect();
    let tape = Tape::new();
    let x = tape.input("x", dtype, [xs.len()]);
    let outputs = outputs(case.f, x);
    let vars: Vec<Var> = outputs.iter().map(|o| o.1).collect();
    let input = Array::from_f64(dtype, [xs.len()], &xs).unwrap();
    let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &vars).unwrap();
    let interpreter = tape.compile(&Interpreter, &vars).unwrap();
    let mut worst = [0.0f64; 4];
    let mut failures = Vec::new();
    for (backend, program) in [("cpu", cpu), ("interpreter", interpreter)] {
        let found = program.run(&[&input]).unwrap();
        for (way, (&(order, _), found)) in outputs.iter().zip(&found).enumerate() {
            for ((&x, exact), found) in xs.iter().zip(&exact).zip(found.to_f64_vec()) {
                let [units, least] = exact[order].distance(found, format);
                let allowed = (case.units)(x, order);
                if least <= (case.least)(x, order) {
                    continue;
                }
                worst[order] = worst[order].max(units / allowed);
                if units > allowed {
                    failures.push(format!(
                        "{}, {dtype}, {backend}, way {way}, order {order} at {x:e}: {found:e} is \
                         {units:.1} units from {}",
                        case.name, exact[order]
                    ));
                }
            }
        }
    }
    println!("{:16} {dtype} of the allowed: {worst:.2?}", case.name);
    failures
}

fn check(cases: &[Case]) {
    let all: Vec<Vec<String>> = cases
        .iter()
        .flat_map(|case| [DType::F64, DType::F32].map(|dtype| failures(case, dtype)))
        .collect();
    let shown: Vec<&str> =
        all.iter().flat_map(|failures| failures.iter().take(8)).map(String::as_str).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn primitives_of_one_operand() {
    check(&Unary::ALL.iter().map(|&f| unary(f)).collect::<Vec<_>>());
}

#[test]
fn primitives_of_two_operands() {
    check(&Binary::ALL.iter().flat_map(|&f| binary(f)).collect::<Vec<_>>());
}
