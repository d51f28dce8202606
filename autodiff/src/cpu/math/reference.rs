//! Values of the functions to many more digits than f64 has.

#![allow(clippy::unwrap_used)]

use crate::graph::Unary;
use astro_float::{BigFloat, Consts, RoundingMode, Sign};

const BITS: usize = 224;
const RM: RoundingMode = RoundingMode::None;

/// A high-precision evaluator.
pub(super) struct Reference {
    consts: Consts,
}

fn big(x: f64) -> BigFloat {
    // Of subnormal numbers `from_f64` makes others.
    let shift = if x.abs() < f64::MIN_POSITIVE && x != 0.0 { 200 } else { 0 };
    let mut big = BigFloat::from_f64(x * f64::exp2(f64::from(shift)), BITS);
    if let Some(exponent) = big.exponent() {
        big.set_exponent(exponent - shift);
    }
    big
}

fn add(a: &BigFloat, b: &BigFloat) -> BigFloat {
    a.add(b, BITS, RM)
}

fn mul(a: &BigFloat, b: &BigFloat) -> BigFloat {
    a.mul(b, BITS, RM)
}

fn div(a: &BigFloat, b: &BigFloat) -> BigFloat {
    a.div(b, BITS, RM)
}

impl Reference {
    pub(super) fn new() -> Reference {
        Reference { consts: Consts::new().unwrap() }
    }

    fn exp(&mut self, x: &BigFloat) -> BigFloat {
        x.exp(BITS, RM, &mut self.consts)
    }

    fn ln_1p(&mut self, x: &BigFloat) -> BigFloat {
        if x.is_zero() || x.exponent().unwrap_or(0) < -100 {
            let square = mul(x, x);
            let cube = mul(&square, x);
            return add(&add(x, &div(&square, &big(-2.0))), &div(&cube, &big(3.0)));
        }
        add(&big(1.0), x).ln(BITS, RM, &mut self.consts)
    }

    fn exp_m1(&mut self, x: &BigFloat) -> BigFloat {
        if x.is_zero() || x.exponent().unwrap_or(0) < -100 {
            let square = mul(x, x);
            let cube = mul(&square, x);
            return add(&add(x, &div(&square, &big(2.0))), &div(&cube, &big(6.0)));
        }
        add(&self.exp(x), &big(-1.0))
    }

    /// 2/√π e^(−x²) Σ 2ⁿ x^(2n+1)/(2n+1)!!, a series without cancellation.
    fn erf(&mut self, x: &BigFloat) -> BigFloat {
        let square = mul(x, x);
        let mut term = x.clone();
        let mut sum = x.clone();
        for n in 1..600 {
            term = div(&mul(&term, &mul(&square, &big(2.0))), &big(f64::from(2 * n + 1)));
            sum = add(&sum, &term);
            let (Some(t), Some(s)) = (term.exponent(), sum.exponent()) else { break };
            if term.is_zero() || t < s - 200 {
                break;
            }
        }
        let decay = self.exp(&square.neg());
        let root = self.consts.pi(BITS, RM).sqrt(BITS, RM);
        div(&mul(&mul(&sum, &decay), &big(2.0)), &root)
    }

    /// e^(−x²/2)/√(2π).
    fn normal_pdf(&mut self, x: &BigFloat) -> BigFloat {
        let decay = self.exp(&div(&mul(x, x), &big(-2.0)));
        div(&decay, &mul(&self.consts.pi(BITS, RM), &big(2.0)).sqrt(BITS, RM))
    }

    /// φ(z)/(z + 1/(z + 2/(z + 3/(z + …)))) for z = −x beyond 4, the error function before.
    fn normal_cdf(&mut self, x: f64) -> BigFloat {
        let z = big(-x);
        if x > 4.0 {
            return add(&big(1.0), &self.normal_cdf(-x).neg());
        }
        if x < -4.0 {
            let mut ratio = z.clone();
            for k in (1..400).rev() {
                ratio = add(&z, &div(&big(f64::from(k)), &ratio));
            }
            return div(&self.normal_pdf(&z), &ratio);
        }
        let half = self.erf(&div(&big(x), &big(2.0).sqrt(BITS, RM)));
        div(&add(&big(1.0), &half), &big(2.0))
    }

    /// f(x) for a finite x within the function's domain.
    pub(super) fn value(&mut self, f: Unary, x: f64) -> BigFloat {
        let one = big(1.0);
        let b = big(x);
        let decay = self.exp(&big(-x.abs()));
        match f {
            Unary::Exp => self.exp(&b),
            Unary::Expm1 => self.exp_m1(&b),
            Unary::Log => b.ln(BITS, RM, &mut self.consts),
            Unary::Log1p => self.ln_1p(&b),
            // 1 − tanh x is beyond the precision, and e^(2x) beyond reason.
            Unary::Tanh if x.abs() > 80.0 => big(x.signum()),
            Unary::Tanh => {
                let t = self.exp_m1(&mul(&b, &big(2.0)));
                div(&t, &add(&t, &big(2.0)))
            }
            Unary::Sech2 => {
                let square = mul(&decay, &decay);
                let d = add(&one, &square);
                div(&mul(&big(4.0), &square), &mul(&d, &d))
            }
            Unary::Sigmoid if x >= 0.0 => div(&one, &add(&one, &decay)),
            Unary::Sigmoid => div(&decay, &add(&one, &decay)),
            Unary::Softplus => add(&big(x.max(0.0)), &self.ln_1p(&decay)),
            Unary::Erf if x.abs() > 12.0 => big(x.signum()),
            Unary::Erf => self.erf(&b),
            Unary::Gaussian | Unary::NormalPdf if x.abs() > 50.0 => big(0.0),
            Unary::NormalCdf if x.abs() > 50.0 => big(f64::from(u8::from(x > 0.0))),
            Unary::Gaussian => self.exp(&mul(&b, &b).neg()),
            Unary::NormalCdf => self.normal_cdf(x),
            Unary::NormalPdf => self.normal_pdf(&b),
            Unary::Sin => b.sin(BITS, RM, &mut self.consts),
            Unary::Cos => b.cos(BITS, RM, &mut self.consts),
            Unary::Atan => b.atan(BITS, RM, &mut self.consts),
            _ => unreachable!("{f:?} is not vectorised"),
        }
    }
}

/// How far y is from the exact value, in units of its last place in f64.
pub(super) fn error_in_ulp(y: f64, exact: &BigFloat) -> f64 {
    if exact.is_zero() {
        return if y == 0.0 { 0.0 } else { f64::INFINITY };
    }
    if exact.is_inf() {
        return if y == f64::INFINITY { 0.0 } else { f64::INFINITY };
    }
    let exponent = exact.exponent().unwrap();
    if y.is_infinite() || exponent > 1024 {
        // From halfway between the largest number and 2¹⁰²⁴ on, infinity is right.
        let beyond = exponent > 1024 || exact.abs().cmp(&big(f64::MAX)).unwrap() > 0;
        let sign = exact.sign() == Some(if y > 0.0 { Sign::Pos } else { Sign::Neg });
        return if y.is_infinite() && beyond && sign { 0.0 } else { f64::INFINITY };
    }
    let difference = big(y).sub(exact, BITS, RM);
    let Some((words, _, _, at, _)) = difference.as_raw_parts() else { return f64::NAN };
    if difference.is_zero() {
        return 0.0;
    }
    let mantissa = *words.last().unwrap() as f64 * f64::exp2(-64.0);
    mantissa * f64::exp2(f64::from(at - (exponent - 53).max(-1074)))
}
