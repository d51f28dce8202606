//! The values of every primitive against plain Rust, on both backends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::{
    Array, Binary, Compare, Cpu, DType, Interpreter, Op, Padding, Tape, Unary, Var,
};
use std::collections::BTreeSet;

type Function = fn(&Tape, Var) -> Var;

fn indices(tape: &Tape, shape: &[usize], values: &[u32]) -> Var {
    tape.literal(&Array::from_vec(shape, values.to_vec()).unwrap())
}

fn pad3(before: usize, between: usize, after: usize) -> Padding {
    Padding { before, between, after }
}

fn record(f: Unary, x: Var) -> Var {
    match f {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign => x.sign(),
        Unary::Exp => x.exp(),
        Unary::ExpStrong => x.exp_strong(),
        Unary::Expm1 => x.expm1(),
        Unary::Log => x.log(),
        Unary::Log1p => x.log1p(),
        Unary::Sqrt => x.sqrt(),
        Unary::Root => x.root(),
        Unary::Rsqrt => x.rsqrt(),
        Unary::Recip => x.recip(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Atan => x.atan(),
        Unary::Tanh => x.tanh(),
        Unary::Sech2 => x.sech2(),
        Unary::Sigmoid => x.sigmoid(),
        Unary::Softplus => x.softplus(),
        Unary::Erf => x.erf(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::CosAtan => x.cos_atan(),
        Unary::SecAsin => x.sec_asin(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::LogCosh => x.log_cosh(),
        Unary::Asinh => x.asinh(),
        Unary::Acosh => x.acosh(),
        Unary::Atanh => x.atanh(),
        Unary::Erfc => x.erfc(),
        Unary::Gaussian => x.gaussian(),
        Unary::NormalCdf => x.normal_cdf(),
        Unary::NormalPdf => x.normal_pdf(),
        Unary::Exp2 => x.exp2(),
        Unary::Log2 => x.log2(),
        Unary::Log10 => x.log10(),
        Unary::Floor => x.floor(),
    }
}

/// Values against plain Rust, on both backends and in both float types.
#[test]
fn values_of_elementwise_primitives() {
    let xs = [0.3, 0.5, 1.0, 1.7, 2.5];
    let ys = [1.3, 0.5, -1.0, 2.0, 0.25];
    // The series 2/√π exp(−x²) Σ 2ⁿ x²ⁿ⁺¹/(1 · 3 · … · (2n + 1)), of positive terms.
    let erf = |x: f64| {
        let mut term = x;
        let mut sum = 0.0;
        for n in 0..100 {
            sum += term;
            term *= 2.0 * x * x / (2.0 * f64::from(n) + 3.0);
        }
        sum * (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI
    };
    let unary = |f: Unary, x: f64| match f {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign => x.signum(),
        Unary::Exp | Unary::ExpStrong => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Sqrt | Unary::Root => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Recip => 1.0 / x,
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Atan => x.atan(),
        Unary::Tanh => x.tanh(),
        Unary::Sech2 => x.cosh().powi(-2),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Softplus => (1.0 + x.exp()).ln(),
        Unary::Erf => erf(x),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::CosAtan => x.atan().cos(),
        Unary::SecAsin => (1.0 - x * x).sqrt().recip(),
        Unary::Sinh => 0.5 * (x.exp() - (-x).exp()),
        Unary::Cosh => 0.5 * (x.exp() + (-x).exp()),
        Unary::LogCosh => x.cosh().ln(),
        Unary::Asinh => (x + (x * x + 1.0).sqrt()).ln(),
        Unary::Acosh => (x + (x * x - 1.0).sqrt()).ln(),
        Unary::Atanh => 0.5 * ((1.0 + x) / (1.0 - x)).ln(),
        Unary::Erfc => libm::erfc(x),
        Unary::Gaussian => (-x * x).exp(),
        Unary::NormalCdf => 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Unary::NormalPdf => (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(),
        Unary::Exp2 => 2f64.powf(x),
        Unary::Log2 => x.ln() / std::f64::consts::LN_2,
        Unary::Log10 => x.ln() / std::f64::consts::LN_10,
        Unary::Floor => x.floor(),
    };
    let binary = |f: Binary, a: f64, b: f64| match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul | Binary::StrongMul | Binary::StrongMulBoth => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Max => {
            if a > b {
                a
            } else {
                b
            }
        }
        Binary::Min => {
            if a < b {
                a
            } else {
                b
            }
        }
        Binary::LogAddExp => (a.exp() + b.exp()).ln(),
        Binary::Atan2 => a.atan2(b),
    };
    let compare = |f: Compare, a: f64, b: f64| match f {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    };
    for dtype in [DType::F32, DType::F64] {
        let tape = Tape::new();
        let [a, b] = ["a", "b"].map(|name| tape.input(name, dtype, [5]));
        let mut outputs = Vec::new();
        let mut expected: Vec<(&str, Vec<f64>)> = Vec::new();
        // The numbers that the inputs have after rounding.
        let [xs, ys] = [xs, ys].map(|v| v.map(|x| dtype.round(x)));
        for &f in Unary::ALL {
            outputs.push(record(f, a));
            expected.push((f.name(), xs.iter().map(|&x| unary(f, x)).collect()));
        }
        for &f in Binary::ALL {
            outputs.push(match f {
                Binary::Add => a + b,
                Binary::Sub => a - b,
                Binary::Mul => a * b,
                Binary::StrongMul => a.strong_mul(b),
                Binary::StrongMulBoth => a.strong_mul_both(b),
                Binary::Div => a / b,
                Binary::Pow => a.pow(b),
                Binary::Max => a.max(b),
                Binary::Min => a.min(b),
                Binary::LogAddExp => a.logaddexp(b),
                Binary::Atan2 => a.atan2(b),
            });
            expected.push((f.name(), xs.iter().zip(&ys).map(|(&a, &b)| binary(f, a, b)).collect()));
        }
        for &f in Compare::ALL {
            outputs.push(match f {
                Compare::Eq => a.equal(b),
                Compare::Ne => a.not_equal(b),
                Compare::Lt => a.lt(b),
                Compare::Le => a.le(b),
                Compare::Gt => a.gt(b),
                Compare::Ge => a.ge(b),
            });
            let mask = xs.iter().zip(&ys).map(|(&a, &b)| f64::from(u8::from(compare(f, a, b))));
            expected.push((f.name(), mask.collect()));
        }
        let inputs = [xs, ys].map(|v| Array::from_f64(dtype, [5], &v).unwrap());
        let epsilon = if dtype == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
        let interpreter = tape.compile(&Interpreter, &outputs).unwrap();
        for program in [cpu, interpreter] {
            let out = program.run(&[&inputs[0], &inputs[1]]).unwrap();
            for ((name, expected), out) in expected.iter().zip(&out) {
                for (e, o) in expected.iter().zip(out.to_f64_vec()) {
                    // Infinite at a bound of the domain, and NaN outside of it.
                    if *e == o || (e.is_nan() && o.is_nan()) {
                        continue;
                    }
                    // Sixteen roundings: the references round a few times themselves.
                    assert!(
                        (e - o).abs() <= 16.0 * epsilon * e.abs(),
                        "{name} in {dtype}: {expected:?}, {out:?}"
                    );
                }
            }
        }
    }
}

/// Movements of the numbers 0, 1, 2, …: where each ends up.
#[test]
fn values_of_structural_primitives() {
    type Movement = (&'static str, &'static [usize], Function, &'static [f64]);
    let movements: Vec<Movement> = vec![
        ("select", &[4], |_, x| x.gt(1.0).select(x, -x), &[0., -1., 2., 3.]),
        ("cast", &[3], |_, x| (x + 0.9).cast(DType::U32).cast(DType::F64), &[0., 1., 2.]),
        ("cast", &[3], |_, x| (x - 1.0).cast(DType::Bool).cast(DType::F64), &[1., 0., 1.]),
        (
            "cast",
            &[3],
            |_, x| (1e10 * (x - 1.0)).cast(DType::U32).cast(DType::F64),
            &[0., 0., 4294967295.],
        ),
        ("stop_gradient", &[2], |_, x| x.stop_gradient() + 1.0, &[1., 2.]),
        ("sum", &[2, 3], |_, x| x.sum_axes(&[1]), &[3., 12.]),
        ("max_over", &[2, 3], |_, x| x.max_axes(&[0]), &[3., 4., 5.]),
        ("min_over", &[2, 3], |_, x| (-x).min_axes(&[1]), &[-2., -5.]),
        ("argmax", &[2, 3], |_, x| (-(x - 1.0).square()).argmax(1).cast(DType::F64), &[1., 0.]),
        ("reshape", &[2, 3], |_, x| x.t().reshape([6]), &[0., 3., 1., 4., 2., 5.]),
        ("broadcast", &[2, 1], |_, x| x.broadcast_to([2, 2, 2]), &[0., 0., 1., 1., 0., 0., 1., 1.]),
        ("broadcast", &[2], |_, x| x.broadcast_axes([2, 2], &[0]), &[0., 0., 1., 1.]),
        ("transpose", &[2, 1, 3], |_, x| x.transpose(&[2, 0, 1]), &[0., 3., 1., 4., 2., 5.]),
        ("slice", &[2, 4], |_, x| x.slice_steps(&[(1, 2, 1), (1, 4, 2)]), &[5., 7.]),
        ("pad", &[2], |_, x| (x + 1.0).pad(&[pad3(1, 2, 1)]), &[0., 1., 0., 0., 2., 0.]),
        ("concat", &[2, 1], |t, x| t.concat(&[x, x + 5.0], 1), &[0., 5., 1., 6.]),
        ("concat", &[2], |t, x| t.stack(&[x, x + 5.0], 0), &[0., 1., 5., 6.]),
        ("flip", &[2, 2], |_, x| x.flip(&[1]), &[1., 0., 3., 2.]),
        ("contract", &[2, 2], |_, x| x.matmul(x), &[2., 3., 6., 11.]),
        ("contract", &[2, 2], |_, x| x.einsum("ij,ik->kj", x + 1.0), &[6., 10., 8., 14.]),
        ("gather", &[3], |t, x| x.gather(0, indices(t, &[2], &[2, 0])), &[2., 0.]),
        (
            "scatter_add",
            &[3],
            |t, x| t.zeros(DType::F64, [2]).scatter_add(0, indices(t, &[3], &[1, 1, 0]), x),
            &[2., 1.],
        ),
        ("take_along", &[2, 2], |t, x| x.take_along(1, indices(t, &[2, 1], &[1, 0])), &[1., 2.]),
        (
            "one_hot",
            &[2],
            |t, _| indices(t, &[2], &[1, 7]).one_hot(2, DType::F64),
            &[0., 1., 0., 0.],
        ),
    ];
    let mut covered = BTreeSet::new();
    for (name, shape, f, expected) in movements {
        covered.insert(name);
        let n: usize = shape.iter().product();
        let numbers = Array::from_vec(shape, (0..n).map(|i| i as f64).collect()).unwrap();
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, shape);
        let y = f(&tape, x);
        let cpu = tape.compile(&Cpu::with_threads(1).unwrap(), &[y]).unwrap();
        let interpreter = tape.compile(&Interpreter, &[y]).unwrap();
        for program in [cpu, interpreter] {
            assert_eq!(program.run(&[&numbers]).unwrap()[0].to_f64_vec(), expected, "{name}");
        }
    }
    let elementwise = |name: &str| {
        Unary::ALL.iter().any(|f| f.name() == name)
            || Binary::ALL.iter().any(|f| f.name() == name)
            || Compare::ALL.iter().any(|f| f.name() == name)
    };
    // Random numbers have tests of their own below; the others occur in derivatives alone.
    let elsewhere = ["uniform", "normal", "bits", "scatter_along", "recompute"];
    for name in Op::names() {
        assert!(covered.contains(name) || elementwise(name) || elsewhere.contains(&name), "{name}");
    }
}

/// Random numbers depend on key and stream alone, and have the moments they should.
#[test]
fn random_primitives() {
    const N: usize = 40_000;
    let tape = Tape::new();
    let key = tape.input("key", DType::U32, [2]);
    let outputs = [
        key.uniform(0, DType::F64, [N]),
        key.normal(0, DType::F64, [N]),
        key.bits(0, [N]).cast(DType::F64) * (0.5f64.powi(32)),
        key.uniform(1, DType::F64, [N]),
        key.uniform(0, DType::F32, [N]).cast(DType::F64),
        key.bits(3, [2]).uniform(0, DType::F64, [N]),
    ];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let out = program.run(&[&Array::vector([1u32, 2])]).unwrap();
    let moments = |a: &Array| {
        let x = a.to_f64_vec();
        let mean = x.iter().sum::<f64>() / N as f64;
        (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64)
    };
    for (i, a) in out.iter().enumerate() {
        let (mean, variance) = moments(a);
        let (expected_mean, expected_variance) =
            if i == 1 { (0.0, 1.0) } else { (0.5, 1.0 / 12.0) };
        // Five standard errors of the mean, and of the variance (at most that of the normal).
        let error = 5.0 * (expected_variance / N as f64).sqrt();
        assert!((mean - expected_mean).abs() < error, "{i}: {mean}");
        let error = 5.0 * expected_variance * (2.0 / N as f64).sqrt();
        assert!((variance - expected_variance).abs() < error, "{i}: {variance}");
        assert!(i == 1 || a.to_f64_vec().iter().all(|x| (0.0..1.0).contains(x)), "{i}");
    }
    assert_ne!(out[0], out[3], "streams differ");
    assert_ne!(out[0], out[5], "keys differ");
    assert_eq!(
        program.run(&[&Array::vector([1u32, 2])]).unwrap(),
        out,
        "the same key, the same numbers"
    );
    assert_ne!(program.run(&[&Array::vector([1u32, 3])]).unwrap()[0], out[0]);
}
